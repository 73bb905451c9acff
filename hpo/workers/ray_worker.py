"""A worker as a Ray actor runs it; knows nothing of Ray, and imports torch only where it runs."""

from __future__ import annotations

import importlib
import os
import queue
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence

from hpo import __version__
from hpo.cohort import CohortTask, EpochResult, LastReport, Report, Task
from hpo.dataset import TrainingData
from hpo.errors import HpoError
from hpo.workers.mailbox import Mailbox
from hpo.workers.messages import BEAT_S, Beat, Cancel, Hello, Keep, Unfit

Send = Callable[[Report], None]


class RayWorker:
    """Does one task at a time; `say` may be called meanwhile, and `live` is under way all the time.

    device: cpu or cuda:0, the first of the GPUs that Ray lets the actor see; version: of hpo, where the pool is
    """

    def __init__(self, device: str, version: str) -> None:
        self._device, self._version, self._mailbox = device, version, Mailbox()

    def hello(self) -> Hello | Unfit:
        """Import torch and all that the first task takes, and say what this process is."""
        if self._version != __version__:
            return Unfit(
                detail=f"a worker has hpo {__version__}, its pool {self._version}: install one on all machines"
            )
        # Imported here because the environment that torch reads is the actor's, not the driver's.
        from hpo.fused.device import free_memory, kind_of, prepare_process

        importlib.import_module("hpo.workers.runner")
        try:
            prepare_process()
            memory_bytes = free_memory(self._device)
            return Hello(pid=os.getpid(), memory_bytes=memory_bytes, kind=kind_of(self._device))
        except HpoError as error:
            return Unfit(detail=str(error))

    def say(self, message: Keep | Cancel) -> None:
        """Take in a word about the cohort that trains."""
        self._mailbox.put(message)

    def live(self) -> None:
        """Never return: whoever waits for it learns when the process dies."""
        threading.Event().wait()

    def perform(self, task: Task, data: TrainingData | None) -> Iterator[Report | Beat]:
        """The reports about a task, each as soon as there is one, and beats while there is none."""
        reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        threading.Thread(target=self._train, args=(task, data, reports.put), daemon=True).start()
        while True:
            try:
                report = reports.get(timeout=BEAT_S)
            except queue.Empty:
                yield Beat()
                continue
            yield report
            if isinstance(report, LastReport):
                return

    def _train(self, task: Task, data: TrainingData | None, send: Send) -> None:
        try:
            self._perform(task, data, send)
        except Exception:  # noqa: BLE001 - a door: beats would go on, and the cohort would never end
            traceback.print_exc()
            os._exit(1)

    def _perform(self, task: Task, data: TrainingData | None, send: Send) -> None:
        from hpo.fused.device import prepare_process
        from hpo.workers.runner import perform

        def report(result: EpochResult) -> Sequence[bool] | None:
            send(result)
            judged = isinstance(task, CohortTask) and task.judged and bool(result.numbers)
            return self._mailbox.answer(result, wait=judged)

        prepare_process()  # once more: whether denormals are flushed is a setting of each thread
        send(perform(task, lambda: data, device=self._device, report=report, save=send))
