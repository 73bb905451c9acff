"""Study files for a serving coordinator, and what each comes to alone."""

from __future__ import annotations

import threading
from typing import Any

from hpo.coordinator.loop import Coordinator, Options
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.testing.coordinating import Serving, job_of, submit
from hpo.testing.simulated_pool import SimulatedPool

KINDS = {
    "random": "trials: 60",
    "grid": "sampler: {name: grid}\nparameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true, num: 40}, l2: [0.0, 1e-3]}",
    "tpe": "trials: 30\nsampler: {name: tpe, batch: 8}",
    "sobol": "trials: 32\nsampler: {name: sobol}",
    "halving": "trials: 32\npruner: {name: halving, min_epochs: 1, factor: 2, bracket: 16}",
    "repeats": "trials: 20\nrepeats: 3",
    "folds": "trials: 12\ndata: {source: iris, split: {folds: 3, test: 0.2}}",
    "widths": "trials: 40\nparameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}, hidden_units: [8, 16, 23]}",
}


def file_of(name: str, *, kind: str = "random", seed: int = 0, **keys: Any) -> str:
    """A small study on iris, of one of the KINDS, with other keys in place of its own."""
    lines = KINDS[kind].splitlines()
    given = {line.split(":")[0] for line in lines} | set(keys)
    defaults = {
        "data": "{source: iris}",
        "parameters": "{learning_rate: {low: 1e-4, high: 1e-1, log: true}, l2: {low: 1e-6, high: 1e-2, log: true}}",
        "epochs": "4",
    }
    lines = [line for line in lines if line.split(":")[0] not in keys]
    lines += [f"{key}: {value}" for key, value in keys.items()]
    lines += [f"{key}: {value}" for key, value in defaults.items() if key not in given]
    return "\n".join([f"name: {name}", f"seed: {seed}", *lines])


def bits(storage: Storage, name: str) -> list[tuple[object, ...]]:
    """Everything about the trials that must not depend on how they were run."""
    return [
        (t.number, t.state, t.reason, t.value and t.value.hex(), dict(t.params), t.epochs, t.best_epoch)
        for t in storage.trials(name)
    ]


def alone(text: str) -> tuple[list[tuple[object, ...]], Any]:
    """What the study comes to when it has a coordinator and a pool to itself."""
    storage = open_storage("memory://")
    study = submit(storage, text)
    options = Options(poll_s=0.0, renew_s=0.0)
    ended = Coordinator(storage, SimulatedPool(n_slots=2), options=options).run(job_of(storage, study))
    return bits(storage, study.name), ended.test


class Gate:
    """Holds a simulated pool's epochs back, once it was given so many tasks, until a test opens it."""

    def __init__(self, n_slots: int, *, tasks: int = 1) -> None:
        self.pool = SimulatedPool(n_slots=n_slots, each_poll=self)
        self._tasks = tasks
        self.open = threading.Event()
        self.polled = threading.Event()

    def __call__(self) -> None:
        """Wait, within a poll."""
        if len(self.pool.submitted) >= self._tasks:
            self.polled.set()
            self.open.wait(30.0)


def n_waiting(serving: Serving) -> int:
    """How many studies have a task that waits for a slot."""
    return sum(bool(share.waiting) for share in serving.service._pool._shares.values())
