"""Workers that pretend: real messages at real times from one process, behind the crew that real pools have.

Everything on the coordinator's side of a pipe is what runs in life: tasks are pickled, reports unpickled, one
message each, and every worker says each second that it lives. What a trial is worth comes from a formula
(`hpo.testing.simulated_pool`), how long an epoch takes from measurements (`times.py`).
"""

from __future__ import annotations

import heapq
import multiprocessing
import queue
import random
import threading
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from hpo.cohort import CohortDone, CohortHalted, CohortTask, EpochResult, LastReport, Report, Task
from hpo.coordinator.flight import steps_shown
from hpo.dataset import TrainingData
from hpo.testing.simulated_pool import SimulatedPool
from hpo.trial import Curve, TrialResult
from hpo.workers.base import Slot
from hpo.workers.crew import Crew, Worker
from hpo.workers.messages import BEAT_S, Beat, Cancel, FromWorker, Hello, Keep, Order, ToWorker
from hpo.workers.places import Place
from scaling.times import Times

SAMPLE_S = 0.5
MEMORY = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the farm had done by a moment of time.monotonic().

    busy_s: slot-seconds with a task; late_s: by how much its epochs came too late, in all; cpu_s: of its process
    """

    at: float
    busy_s: float
    trials: int
    epochs: int
    late_s: float
    cpu_s: float


class FarmPool:
    """A WorkerPool of so many slots. samples: there once it is closed"""

    def __init__(self, n_slots: int, times: Times) -> None:
        self._n_slots, self._times = n_slots, times
        self._keys: set[str] = set()
        self.samples: list[Sample] = []
        self._crew: Crew[_Remote] | None = None

    def start(self) -> None:
        """Start the farm's process; its workers are ready at once."""
        ours, theirs = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_farm, args=(theirs, self._n_slots, self._times), daemon=True)
        self._process.start()
        theirs.close()
        self._line = ours
        self._crew = Crew("simulated", lambda place: _Remote(place.rank, ours))
        self._crew.fill(
            Place(device="cpu", memory_bytes=MEMORY, rank=rank, node="farm", host="farm")
            for rank in range(self._n_slots)
        )

    @property
    def _started(self) -> Crew[_Remote]:
        if self._crew is None:
            raise RuntimeError("the farm has not been started")
        return self._crew

    def slots(self) -> Sequence[Slot]:
        """As the crew has them."""
        return self._started.slots()

    def put_data(self, key: str, data: TrainingData) -> None:
        """Tell the farm that there are such data."""
        if key not in self._keys:
            self._keys.add(key)
            self._line.send((-1, (key, data)))

    def drop_data(self, key: str) -> None:
        """They stay."""

    def room(self) -> int:
        """Free slots."""
        return self._started.room()

    def submit(self, task: Task) -> None:
        """Give a task to a free slot."""
        self._started.submit(Order(task=task, data="farm"))

    def poll(self, timeout_s: float) -> list[Report]:
        """Reports that have arrived."""
        return self._started.poll(timeout_s, self._heard)

    def _heard(self, workers: Sequence[Worker[_Remote]], timeout_s: float) -> Sequence[Worker[_Remote]]:
        """Who has said something, waiting at most so long."""
        heard: dict[int, Worker[_Remote]] = {}
        if self._line.poll(timeout_s):
            while self._line.poll(0):
                place, message = self._line.recv()
                if place < 0:
                    self.samples = message
                    break
                workers[place].process.said.append(message)
                heard[place] = workers[place]
        return list(heard.values())

    def keep(self, cohort: int, mask: Sequence[bool]) -> None:
        """Pass it on."""
        self._started.keep(cohort, mask)

    def cancel(self, cohort: int) -> None:
        """Pass it on."""
        self._started.cancel(cohort)

    def close(self) -> None:
        """End the farm, and take its samples."""
        if self._crew is None:
            return
        self._line.send((-1, None))
        while not self.samples:
            self._heard(self._crew.workers, 1.0)
        self._process.join()
        self._line.close()
        self._crew = None


@dataclass(slots=True)
class _Remote:
    """A worker of the farm as the crew sees it."""

    place: int
    line: Connection[Any, Any]
    said: deque[FromWorker] = field(default_factory=deque)

    def send(self, message: ToWorker) -> None:
        """Say something to the worker."""
        self.line.send((self.place, message))

    def receive(self) -> list[FromWorker] | None:
        """What it has said."""
        said = list(self.said)
        self.said.clear()
        return said

    def kill(self) -> None:
        """It would be too slow: the figures of this run say nothing."""
        raise RuntimeError(f"worker {self.place} of the farm was silent for too long")

    def obituary(self) -> str:
        """It does not die."""
        return ""

    def last_words(self) -> str:
        """It does not die."""
        return ""


# In the farm's process


def _farm(line: Connection[Any, Any], n_slots: int, times: Times) -> None:
    Farm(line, n_slots, times).run()


@dataclass(slots=True)
class _Worker:
    """One pretending worker: a simulated pool of one slot, of which each poll is an epoch."""

    pool: SimulatedPool
    task: CohortTask | None = None
    n_orders: int = 0  # so far: what was due of an earlier one is void


class Farm:
    """All pretending workers, in one loop over what is due next."""

    def __init__(self, line: Connection[Any, Any], n_slots: int, times: Times) -> None:
        self._line, self._times = line, times
        self._rng = random.Random(0)
        self._workers = [_Worker(SimulatedPool(n_slots=1)) for _ in range(n_slots)]
        self._due: list[tuple[float, int, int]] = []  # end of an epoch, place, its worker's orders
        self._mouth: queue.SimpleQueue[Any] = (
            queue.SimpleQueue()
        )  # a full pipe must not keep the farm from hearing
        self._n_busy = 0
        self._busy_s = self._late_s = 0.0
        self._looked = time.monotonic()
        self._trials = self._epochs = 0
        self._samples: list[Sample] = []

    def run(self) -> None:
        """Work until the pool hangs up."""
        speaker = threading.Thread(target=self._speak)
        speaker.start()
        for place in range(len(self._workers)):
            self._say(place, Hello(pid=place + 1))
        beat_at = sample_at = time.monotonic()
        next_beat = 0
        while True:
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                due, place, order = heapq.heappop(self._due)
                if order == self._workers[place].n_orders:
                    self._late_s += now - due
                    self._advance(place, due)
            while now >= beat_at:  # one after another, not all at once
                self._say(next_beat, Beat())
                next_beat = (next_beat + 1) % len(self._workers)
                beat_at += BEAT_S / len(self._workers)
            if now >= sample_at:
                self._sample()
                sample_at = now + SAMPLE_S
            until = min(beat_at, sample_at, *([self._due[0][0]] if self._due else []))
            if self._line.poll(max(0.0, until - time.monotonic())) and not self._hear():
                break
        self._sample()
        self._mouth.put((-1, self._samples))
        self._mouth.put(None)
        speaker.join()

    def _speak(self) -> None:
        while (message := self._mouth.get()) is not None:
            self._line.send(message)

    def _say(self, place: int, message: FromWorker) -> None:
        self._mouth.put((place, message))

    def _hear(self) -> bool:
        """Take a message; False for the last one."""
        place, message = self._line.recv()
        if place < 0:
            if message is not None:
                for worker in self._workers:
                    worker.pool.put_data(*message)
            return message is not None
        worker = self._workers[place]
        if isinstance(message, Order):
            worker.pool.submit(message.task)
            worker.pool.submitted.clear()
            self._count_busy(1)
            worker.task = message.task if isinstance(message.task, CohortTask) else None
            worker.n_orders += 1
            self._plan(place, time.monotonic())
        elif isinstance(message, Keep):
            worker.pool.keep(message.cohort, message.mask)
        elif isinstance(message, Cancel):
            worker.pool.cancel(message.cohort)
            self._advance(place, time.monotonic())
        return True

    def _plan(self, place: int, begins: float) -> None:
        """The end of a worker's next epoch."""
        worker = self._workers[place]
        seconds = self._times.draw(1 if worker.task is None else len(worker.task.lanes), self._rng)
        heapq.heappush(self._due, (begins + seconds, place, worker.n_orders))

    def _advance(self, place: int, due: float) -> None:
        worker = self._workers[place]
        reports = worker.pool.poll(0.0)
        if not reports:
            return  # its task was cancelled meanwhile
        for report in reports:
            self._say(place, self._as_in_life(report))
        if isinstance(reports[-1], LastReport):
            self._count_busy(-1)
            worker.task = None
        else:
            self._plan(place, due)

    def _count_busy(self, more: int) -> None:
        now = time.monotonic()
        self._busy_s += self._n_busy * (now - self._looked)
        self._looked, self._n_busy = now, self._n_busy + more

    def _sample(self) -> None:
        self._count_busy(0)
        self._samples.append(
            Sample(
                at=self._looked, busy_s=self._busy_s, trials=self._trials, epochs=self._epochs,
                late_s=self._late_s, cpu_s=time.process_time(),
            )
        )  # fmt: skip

    def _as_in_life(self, report: Report) -> Report:
        """The report with everything that a real worker would have put into it."""
        if isinstance(report, EpochResult):
            self._epochs += 1
            self._trials += len(report.ended)
            return replace(report, ended=tuple(map(self._result, report.ended))) if report.ended else report
        if isinstance(report, CohortHalted):
            return replace(
                report, standing=tuple(map(self._result, report.standing)), model=self._model(report.model)
            )
        return replace(report, model=self._model(report.model)) if isinstance(report, CohortDone) else report

    def _model(self, model: bytes | None) -> bytes | None:
        return None if model is None else model.ljust(self._times.model_bytes)

    def _result(self, result: TrialResult) -> TrialResult:
        if result.curve is None:
            return result
        columns = self._times.columns
        values = result.curve.column(result.curve.columns[-1])
        return replace(
            result,
            curve=Curve(
                columns=columns, block=array("f", [v for value in values for v in (value,) * len(columns)])
            ),
            steps={epoch: values[epoch - 1] for epoch in steps_shown(len(values))},
            facts=self._times.facts,
        )
