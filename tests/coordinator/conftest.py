"""A study, a place for it, and a coordinator on a simulated pool."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.dataset import PreparedData
from hpo.progress import Progress
from hpo.states import TrialState
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.study import Driver, Study, StudySpec
from hpo.testing.simulated_pool import Fault, SimulatedPool
from hpo.testing.small_jobs import create, data_of
from hpo.trial import Trial


@dataclass
class World:
    """One storage, one study in it, and everything that was seen of it."""

    storage: Storage
    job: Job
    seen: list[Progress] = field(default_factory=list)
    pools: list[SimulatedPool] = field(default_factory=list)
    coordinator: Coordinator | None = None

    def run(
        self,
        *,
        workers: int = 2,
        max_lanes: int | None = None,
        faults: Sequence[Fault] = (),
        deadly: Sequence[int] = (),
        saves: int = 0,
        most_lanes: int | None = None,
        storage: Storage | None = None,
        dead: Driver | None = None,
        each_poll: Callable[[], None] = lambda: None,
        serving: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> Study:
        """Run the study until the coordinator leaves it."""

        self.pools.append(
            SimulatedPool(
                n_slots=workers,
                faults=faults,
                deadly=deadly,
                saves=saves,
                most_lanes=most_lanes,
                each_poll=each_poll,
            )
        )
        options = Options(
            max_lanes=max_lanes, patience_s=0.5, poll_s=0.0, renew_s=0.0, clock=clock, serving=serving
        )
        self.coordinator = Coordinator(
            storage or self.storage, self.pools[-1], watch=self.seen.append, options=options
        )
        return self.coordinator.run(self.job, dead=dead)

    @property
    def n_finished(self) -> int:
        """Trials that have ended, by the storage."""
        return self.storage.get_study(self.job.name).n_finished

    def trials(self, *states: TrialState) -> list[Trial]:
        """All trials by number, or those in some states."""
        everything = self.storage.trials(self.job.name)
        return [trial for trial in everything if not states or trial.state in states]

    def bits(self) -> list[tuple[object, ...]]:
        """Everything about the trials that must not depend on how they were run."""
        return [
            (
                t.number,
                t.state,
                t.reason,
                None if t.value is None else t.value.hex(),
                dict(t.params),
                t.epochs,
                tuple(value.hex() for value in t.values),
                t.feasible,
            )
            for t in self.trials()
        ]

    def trained(self) -> list[int]:
        """The numbers that any pool was given to train, as often as it was."""
        return [n for pool in self.pools for task in pool.submitted for n in getattr(task, "numbers", ())]


@pytest.fixture
def make_world() -> Callable[..., World]:
    """Builds a world around a study file."""

    def make(
        spec: StudySpec,
        *,
        url: str = "memory://",
        data: PreparedData | None = None,
        name: str = "small",
        **columns: Any,
    ) -> World:
        storage = open_storage(url)
        create(storage, spec, name=name, **columns)
        return World(storage=storage, job=Job(name=name, spec=spec, data=data or data_of()))

    return make
