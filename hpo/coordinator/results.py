"""What came of flights on its way: into the database, then the counts, then the sampler."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hpo.cohort import Cohort
from hpo.coordinator.feasibility import refusals
from hpo.coordinator.flight import Flight
from hpo.coordinator.planner import ReadyTrial
from hpo.coordinator.proposals import Proposals, told_trial
from hpo.coordinator.saved import Saved, packed
from hpo.coordinator.tally import Tally
from hpo.coordinator.work import Work
from hpo.coordinator.writer import Writer
from hpo.dataset import Preparation
from hpo.front import is_better
from hpo.service.kept_models import with_preparation
from hpo.service.stopping import Stopping
from hpo.storage.base import Claim, Storage, StoredModel
from hpo.study import Direction
from hpo.trial import Trial


@dataclass(kw_only=True)
class Results:
    """Holds what has come back until it is written. Any call may raise LeaseLost, StorageUnavailable.

    kept: value and number of the best model there is; model: that model while it is not yet stored
    landed: flights that are over; running: trials that have a number, until they end
    """

    storage: Storage
    write: Writer
    claim: Claim
    tally: Tally
    proposals: Proposals
    rules: Stopping
    direction: Direction
    kept: tuple[float, int] | None
    model: StoredModel | None = None
    landed: list[Flight] = field(default_factory=list)
    running: dict[int, Trial] = field(default_factory=dict)

    def keep(self, model: StoredModel, preparation: Preparation = ()) -> None:
        """Keep a model in place of an earlier one, if its trial is better; with what was done to the columns."""
        new = (model.value, model.number)
        if is_better(self.direction, new, self.kept):
            self.kept, self.model = new, replace(model, data=with_preparation(model.data, preparation))

    def write_all(self, flights: Iterable[Flight]) -> None:
        """Write the new best model, what came of flights that are over, and how far these others are."""
        # The model goes first: were it lost between the two writes, the best trial would be trained twice.
        if self.model is not None:
            model = self.model
            self.write(lambda: self.storage.save_model(self.claim, model))
            self.model = None
        while self.landed:
            flight = self.landed.pop(0)
            self.finish(flight, done=flight.work.over)
        for flight in flights:
            if flight.is_due():
                self._record(flight)

    def _record(self, flight: Flight) -> None:
        """Write what a running cohort has to tell so far."""
        epoch, steps = flight.epoch, flight.steps
        self.write(
            lambda: self.storage.record_epochs(self.claim, flight.cohort, flight.attempt, epoch, steps)
        )
        self.finish(flight, done=False)
        flight.written()

    def save(self, flight: Flight, saved: Saved) -> None:
        """Keep where a cohort stood, after the results of those that it no longer holds."""
        self._record(flight)
        data, cohort, attempt = packed(saved), flight.cohort, flight.attempt
        self.write(lambda: self.storage.save_checkpoint(self.claim, cohort, attempt, data))
        flight.work.save(saved)
        flight.work.losses.forget(saved.numbers)

    def refuse(self, cohort: Cohort, trials: Sequence[ReadyTrial], *, done: bool = True) -> None:
        """End infeasible trials of a stored cohort that no worker was given; done: the cohort has no others."""
        started = self.write(lambda: self.storage.start_cohort(self.claim, cohort.id))
        work = Work(cohort=started, parts=deque())
        ended = refusals(trials)
        self.finish(Flight(work=work, part=(), attempt=started.attempt, living={}, ended=ended), done=done)

    def finish(self, flight: Flight, *, done: bool) -> None:
        """Write results of a flight in one transaction, count them, tell the sampler."""
        results = flight.ended
        if not results and not done:
            return
        self.write(
            lambda: self.storage.finish_trials(self.claim, flight.cohort, flight.attempt, results, done=done)
        )
        # Not those which the storage says have ended now: a write that is tried again may have been carried out
        # the first time, only its answer was lost. Within a claim nobody else ends a trial.
        finished = [result for result in results if result.number in self.running]
        self.tally.finished(finished)
        self.rules.finished(finished)
        self.proposals.finished(
            told_trial(result, self.running.pop(result.number), flight.cohort) for result in finished
        )
