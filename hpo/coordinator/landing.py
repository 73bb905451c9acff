"""What becomes of work that a worker has done with: it ended, it halts at a judgement, or it failed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hpo.cohort import CohortDone, CohortFailed, CohortHalted
from hpo.coordinator.brackets import Referee
from hpo.coordinator.flight import Flight
from hpo.coordinator.planner import Planner, cut
from hpo.coordinator.populations import again_whole
from hpo.coordinator.recovery import GiveUp, Halve, TrainAgain, after_failure
from hpo.coordinator.results import Results
from hpo.coordinator.work import Contest, Work
from hpo.dataset import Preparation
from hpo.states import Reason
from hpo.storage.base import StoredModel

log = logging.getLogger(__name__)

_THEN = {
    TrainAgain: "its trials are trained again",
    Halve: "its trials are trained again in two halves",
    GiveUp: "its trials end FAIL",
}


@dataclass(kw_only=True)
class Landing:
    """Takes a study's flights as they come back. Any call may raise LeaseLost, StorageUnavailable; StudyFailed.

    flights: those under way, by task; ready: what is to be launched next; retries: of lost cohorts
    preparation: what is done to the columns under an input scaling
    say: shows a sentence to whoever watches
    """

    planner: Planner
    referee: Referee
    results: Results
    flights: dict[int, Flight]
    ready: deque[Work]
    retries: int
    preparation: Callable[[str], Preparation]
    say: Callable[[str], None]

    def done(self, flight: Flight, done: CohortDone | CohortHalted) -> None:
        """Keep the model; trials that stand at a judgement wait for the rest of their bracket."""
        number, value = done.best_number, done.best_value
        if done.model is not None and number is not None and value is not None:
            model = StoredModel(number=number, value=value, data=done.model)
            self.results.keep(model, self.preparation(flight.part[0].shared.scaling))
        if flight.kind is not None:
            self.planner.widths.of(flight.kind).trained(
                flight.part[0].shared,
                lanes=len(flight.part) * self.planner.lanes_per_trial,
                lane_steps=done.lane_steps,
                seconds=done.train_seconds,
            )
        if isinstance(done, CohortHalted):
            self.referee.halted(flight, done)
        flight.fail_living(Reason.ERROR)  # a worker that forgets a trial must not leave it running
        self._land(flight)

    def failed(self, flight: Flight, failed: CohortFailed) -> None:
        """Train again, in halves, or give the trials up."""
        work = flight.work
        if flight.withdrawn and failed.reason == Reason.CANCELLED:
            work.parts.clear()
            del self.flights[flight.id]
            return
        rest = tuple(flight.living.values())
        lost = failed.reason in (Reason.LOST, Reason.CANCELLED)
        losses = work.losses.count(flight.living) if lost else 0
        whole = self.planner.population is not None
        next_step = after_failure(
            failed.reason, n_trials=1 if whole and lost else len(rest), losses=losses, retries=self.retries
        )
        log.warning("cohort %d: %s: %s; %s", flight.cohort, failed.reason, failed.detail, next_step)
        if failed.reason == Reason.OUT_OF_MEMORY:
            lanes = len(rest) * self.planner.lanes_per_trial
            there = self.planner.machine.kinds
            kinds = [flight.kind] if flight.kind else []
            self.planner.widths.refused(kinds, flight.part[0].shared, lanes=lanes, there=there)
        if isinstance(next_step, GiveUp):
            flight.fail_living(next_step.reason)
        elif rest and whole:
            failure = again_whole(flight, too_large=isinstance(next_step, Halve))
            if failure is not None:
                self._land(flight)
                self.results.write_all(self.flights.values())
                raise failure
        elif work.contest is not None and isinstance(next_step, Halve):
            self.ready.extendleft(self.referee.halves(work, rest))
        elif rest:
            work.parts.extendleft(reversed(cut(rest, 2) if isinstance(next_step, Halve) else [rest]))
        self._land(flight)
        self.say(f"cohort {flight.cohort}: {failed.detail or failed.reason}; {_THEN[type(next_step)]}")

    def _land(self, flight: Flight) -> None:
        """A flight is over; its results are written soon. The rest of its cohort goes next."""
        del self.flights[flight.id]
        self.results.landed.append(flight)
        work = flight.work
        if work.parts:
            if work.contest is None:  # its results must be written before a new attempt voids this one
                self.results.write_all(self.flights.values())
            self.ready.appendleft(work)
        elif work.contest is not None:
            self._settle(work, work.contest)

    def _settle(self, work: Work, contest: Contest) -> None:
        """A work that is judged is where it was to come: who goes on goes next, the losers are written."""
        losers, works = self.referee.landed(work)
        self.ready.extendleft(reversed(works))
        rest = Work(cohort=contest.cohort, parts=deque(), contest=contest if contest.open else None)
        if losers or rest.over:
            attempt = contest.cohort.attempt
            self.results.landed.append(Flight(work=rest, part=(), attempt=attempt, living={}, ended=losers))
