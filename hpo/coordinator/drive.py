"""One run of one study: plan ahead, keep the slots busy, write what comes back, heed what is wanted."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hpo.cohort import (
    CohortDone,
    CohortFailed,
    CohortHalted,
    CohortPlan,
    CohortSaved,
    EpochResult,
    Report,
    ScoreDone,
)
from hpo.coordinator.amending import Amended, as_amended, retries_of
from hpo.coordinator.archive import Archive
from hpo.coordinator.brackets import Referee
from hpo.coordinator.capacity import machine_of, steps_per_epoch
from hpo.coordinator.early import obey_rules, stop
from hpo.coordinator.enqueued import Enqueued
from hpo.coordinator.feasibility import feasibility_of
from hpo.coordinator.flight import Flight, TaskMaker, has_room
from hpo.coordinator.landing import Landing
from hpo.coordinator.launching import Launcher
from hpo.coordinator.narrowing import narrow
from hpo.coordinator.noting import Noting
from hpo.coordinator.planner import Planner, Resolver, n_folds
from hpo.coordinator.proposals import Proposals, running_trial
from hpo.coordinator.results import Results
from hpo.coordinator.resuming import take_up, tell_stored
from hpo.coordinator.saved import saved_of
from hpo.coordinator.tally import Tally
from hpo.coordinator.window import next_window
from hpo.coordinator.wishes import Wishes
from hpo.coordinator.work import Work
from hpo.coordinator.writer import Writer
from hpo.dataset import PreparedData
from hpo.errors import PoolError
from hpo.progress import Progress
from hpo.pruners.registry import make_pruner
from hpo.samplers.random import filler
from hpo.samplers.reach import stored_space
from hpo.samplers.registry import make_sampler
from hpo.service.stopping import Stopping
from hpo.service.warm_trials import warm_trials
from hpo.settings import EXACT
from hpo.states import StudyState, TrialState
from hpo.storage.base import Claim, Storage
from hpo.study import Study, StudySpec
from hpo.workers.base import WorkerPool

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Drive:
    """A claimed study on a pool. `begin`, then `train`; any call may raise Asked, Leaving, LeaseLost, PoolError."""

    storage: Storage
    pool: WorkerPool
    claim: Claim
    write: Writer
    spec: StudySpec
    data: PreparedData
    max_lanes: int | None
    poll_s: float
    renew_s: float
    wishes: Wishes
    watch: Callable[[Progress], None]
    notice: Callable[[Study], None]
    fair: Callable[[], int]
    keys: set[str]
    ready: deque[Work] = field(default_factory=deque)
    flights: dict[int, Flight] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    state: StudyState = StudyState.RUNNING
    reason: str | None = None  # why a rule of the study file ends it
    trained: bool = False  # all that is left to do is its end

    def begin(self) -> None:
        """Read how far the study is, and take up what an earlier driver left."""
        name = self.claim.name
        study = self.write(lambda: self.storage.get_study(name))
        best = self.write(lambda: self.storage.best_trials(name))
        model = self.write(lambda: self.storage.model(name))
        self.state, self.reason = study.state, study.reason
        self.spec = as_amended(self.spec, study)
        self.rules = Stopping(self.spec, study, clock=self.clock)
        self.retries = retries_of(self.spec.limits)
        self.amended = Amended(study, every_s=self.renew_s, heard=self.notice)
        self.tally = Tally(study, best[0] if best else None, self.watch)
        self.resolver = Resolver(self.spec, self.data.info)
        self.feasibility = feasibility_of(self.spec, self.data.info)
        self.space = stored_space(self.spec)
        self.planner = Planner(
            self.spec, self.data.info, machine_of(self.pool.slots(), self.fair()), max_lanes=self.max_lanes
        )
        self.proposals = Proposals(
            make_sampler(self.spec),
            planned=study.n_planned,
            total=study.n_trials,
            fill=filler(self.spec),
        )
        if self.spec.warm_start:
            self.proposals.warm(self.write(lambda: warm_trials(self.storage, study, self.spec)))
        self.enqueued = Enqueued(
            storage=self.storage,
            write=self.write,
            name=name,
            proposals=self.proposals,
            tally=self.tally,
            every_s=self.renew_s,
        )
        self.results = Results(
            storage=self.storage,
            write=self.write,
            claim=self.claim,
            tally=self.tally,
            proposals=self.proposals,
            rules=self.rules,
            direction=study.direction,
            kept=None if model is None else (model.value, model.number),
        )
        self.noting = Noting(
            storage=self.storage,
            write=self.write,
            claim=self.claim,
            proposals=self.proposals,
            stored=study.notes,
        )
        self._begin_training(study)
        tell_stored(self, study.n_planned)
        self.noting.write_news()
        take_up(self)

    def _begin_training(self, study: Study) -> None:
        """Who judges, who gives work to workers, and who takes what they did."""
        self.pruner = make_pruner(self.spec, study.direction)
        self.maker = TaskMaker(
            spec=self.spec,
            info=self.data.info,
            metric=study.metric,
            direction=study.direction,
            precision=study.versions.get("precision", EXACT),
        )
        self.referee = Referee(
            spec=self.spec,
            metric=study.metric,
            planner=self.planner,
            pruner=self.pruner,
            archive=Archive(storage=self.storage, write=self.write, name=study.name, resolver=self.resolver),
        )
        self.launcher = Launcher(
            storage=self.storage,
            write=self.write,
            claim=self.claim,
            pool=self.pool,
            maker=self.maker,
            data=self.data,
            keys=self.keys,
            referee=self.referee,
            results=self.results,
        )
        self.landing = Landing(
            planner=self.planner,
            referee=self.referee,
            results=self.results,
            flights=self.flights,
            ready=self.ready,
            retries=self.retries,
            preparation=lambda scaling: self.data.preparation(scaling, refit=False),
            say=lambda sentence: self.show(message=sentence),
        )

    @property
    def stopping(self) -> bool:
        """Whether no further cohort is to be started."""
        return self.state is StudyState.STOPPING

    # The loop

    def train(self) -> None:
        """Train until no trial is left, or until the study that is stopping has nothing running."""
        while True:
            self.heed()
            self._plan_ahead()
            self._dispatch()
            if not self.flights and not self.ready and (self.stopping or not self.proposals.thinking):
                if self.stopping or not self.enqueued.notice(now=True):
                    self.trained = True
                    return
                continue
            for report in self.pool.poll(self.poll_s):
                self.take(report)
            if not self.wishes.any:
                self._dispatch()  # free slots first: a worker must not wait for the database
            self.write_results()
            self.show()

    def heed(self) -> None:
        """Renew the lease, obey what is wanted and the study's rules of ending.

        Raises Asked to pause, cancel or leave, StudyFailed for too many failures.
        """
        stored = self.write.renew_if_due(self.renew_s, self._live)
        if self.wishes.heed(stored, stopping=self.stopping):
            stop(self)
        self.amended.look(self)
        if not self.trained:
            obey_rules(self)

    def _plan_ahead(self) -> None:
        """Plan the next window when a slot might soon have nothing to take."""
        while not self.stopping and len(self.ready) < max(1, self.fair()):
            self.enqueued.notice()
            self.planner.machine = machine_of(self.pool.slots(), self.fair())
            plans, trials = next_window(
                self.proposals,
                self.resolver,
                self.planner,
                self.pruner,
                idle=not self.flights and not self.ready,
            )
            if not plans:
                return
            may, refused = self.feasibility.parted(trials)
            self.referee.recall(may, plans[0].number)
            lots = self.referee.lots(may)
            groups = [
                *(lot.numbers for lot in lots),
                *([tuple(t.number for t in refused)] if refused else []),
            ]
            cohorts = [self._cohort_plan(numbers) for numbers in groups]
            stored = self.write(
                lambda plans=plans, cohorts=cohorts: self.storage.plan_trials(  # type: ignore[misc]
                    self.claim, self.space, plans, cohorts
                )
            )
            self.proposals.planned(len(plans))
            self.tally.planned(len(plans))
            self.results.running |= {plan.number: running_trial(plan) for plan in plans}
            for cohort, lot in zip(stored[: len(lots)], lots, strict=True):
                self.ready += self.referee.works(cohort, [lot])
            if refused:
                self.results.refuse(stored[-1], refused)
                self.heed()  # whole windows may be refused, one after another
                self.show()

    def _cohort_plan(self, numbers: tuple[int, ...]) -> CohortPlan:
        return CohortPlan(numbers=numbers, repeats=self.spec.repeats, folds=n_folds(self.spec))

    def _dispatch(self) -> None:
        """Give free slots the next cohorts."""
        n_free, most = self.pool.room(), self.spec.limits.parallel
        while n_free and self.ready:
            narrow(self.ready, self.referee, most)
            if not has_room(self.ready[0], self.flights.values(), most):
                return
            work = self.ready.popleft()
            self.launcher.start(work)
            if not work.parts:  # an earlier driver died between its last result and the word done
                self.results.finish(
                    Flight(work=work, part=(), attempt=work.cohort.attempt, living={}), done=True
                )
                continue
            flight = self.launcher.launch(work)
            self.flights[flight.id] = flight
            n_free -= 1

    # What comes back

    def take(self, report: Report) -> None:
        """Note a report; those of attempts that are over are void."""
        flight = self._flight_of(report)
        if flight is None:
            return
        if isinstance(report, EpochResult):
            for result in report.ended:
                if result.number in flight.living:
                    self.referee.note(result, flight.living[result.number])
            flight.take(report)
            if flight.kind is None:
                flight.kind = next((s.kind for s in self.pool.slots() if s.task == flight.id), None)
            self.tally.trained(len(report.numbers) * self._steps_of_epoch(flight))
        elif isinstance(report, CohortSaved):
            self.results.save(flight, saved_of(report))
        elif isinstance(report, CohortDone | CohortHalted):
            self.landing.done(flight, report)
        elif isinstance(report, CohortFailed):
            self.landing.failed(flight, report)

    def _flight_of(self, report: Report) -> Flight | None:
        if isinstance(report, ScoreDone):
            return None
        flight = self.flights.get(report.cohort)
        return flight if flight is not None and flight.attempt == report.attempt else None

    def _steps_of_epoch(self, flight: Flight) -> int:
        steps = steps_per_epoch(self.data.info.n_train, flight.part[0].shared.batch_size)
        return steps * self.planner.lanes_per_trial

    def write_results(self) -> None:
        """Write what has come back, and how far the running cohorts are."""
        self.results.write_all(self.flights.values())
        self.noting.write_news()

    # The end

    def cancel_flights(self) -> None:
        """Ask every running cohort to end at once."""
        for cohort in self.flights:
            self.pool.cancel(cohort)

    def call_back(self, deadline: float) -> None:
        """End what runs, wait for the workers' last words, and keep every result that has come.

        The trials without one are left to the storage: it hands them back or ends them with the study.
        """
        self.ready.clear()
        self.cancel_flights()
        while self.flights and time.monotonic() < deadline:
            self.write.renew_if_due(self.renew_s, self._live)
            for report in self.pool.poll(self.poll_s):
                flight = self._flight_of(report)
                if isinstance(report, CohortFailed) and flight is not None:
                    del self.flights[flight.id]
                    self.results.finish(flight, done=False)
                else:
                    self.take(report)
            self.write_results()
            self.show()
        self._keep_results()

    def keep_last_words(self) -> None:
        """Keep every result that has come from a pool that is broken."""
        with contextlib.suppress(PoolError):
            for report in self.pool.poll(0.0):
                self.take(report)
        self.write_results()
        self._keep_results()

    def _keep_results(self) -> None:
        """Write the results of cohorts that run, or did."""
        for flight in self.flights.values():
            self.results.finish(flight, done=False)
            flight.written()

    def _live(self) -> dict[str, Any]:
        slots = self.pool.slots()
        busy = {slot.task for slot in slots if slot.task is not None}
        lanes = sum(len(flight.living) for id_, flight in self.flights.items() if id_ in busy)
        return self.tally.live(
            n_slots=len(slots), n_busy=len(busy), n_lanes=lanes * self.planner.lanes_per_trial
        )

    def show(self, message: str | None = None) -> None:
        """Show the progress, not too often."""
        slots = self.pool.slots()
        busy = sum(slot.task is not None for slot in slots)
        self.tally.show(self.state, n_slots=len(slots), n_busy=busy, message=message)

    def show_end(self, study: Study) -> None:
        """Show the study as it was left."""
        self.tally.counts = {state: study.counts.get(state, 0) for state in TrialState}
        self.tally.show(study.state, n_slots=len(self.pool.slots()), now=True)
