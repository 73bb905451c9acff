"""A worker process of this machine: forked from its pool's nursery, or `python -m hpo.workers.child SOCKET DEVICE`.

A thread reads what the pool says. It ends the process at once when the pool's end of the socket is
closed, even while torch is being imported or an epoch trains: no worker outlives its pool. Another one
says every second that this process lives: one that is stopped or hangs in the kernel falls silent.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.cohort import CohortTask, EpochResult, Report
from hpo.errors import HpoError
from hpo.lifeline import die_with_parent
from hpo.workers.mailbox import Mailbox
from hpo.workers.messages import BEAT_S, Beat, Forget, FromWorker, Hello, Order, Unfit

if TYPE_CHECKING:
    from hpo.dataset import TrainingData

# A lane's bits must not depend on its place in memory (hpo.fused.device) nor on how many threads there are.
ENVIRONMENT: Mapping[str, str] = {
    "MKL_CBWR": "AVX2",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # products on a GPU give the same numbers each time
}

NAME = "hpo-worker"

Send = Callable[[FromWorker], None]
Orders = queue.SimpleQueue[Order | Forget]


def main(arguments: Sequence[str]) -> None:
    """Begin as a process of its own, and work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the pool decides
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.environ.update(ENVIRONMENT)
    die_with_parent()  # elsewhere than on Linux the socket does
    work(Connection(int(arguments[0])), arguments[1])


def call_process(name: str) -> None:
    """Give this process the name that ps and top show, where there is such a thing."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def work(connection: Connection, device: str) -> None:
    """Work until the pool hangs up."""
    call_process(NAME)
    mailbox, orders = Mailbox(), Orders()
    mouth = threading.Lock()

    def send(message: FromWorker) -> None:
        with mouth:  # two threads speak, and a message must not be cut in two
            connection.send(message)

    threading.Thread(target=_listen, args=(connection, mailbox, orders), daemon=True).start()
    threading.Thread(target=_beat, args=(send,), daemon=True).start()
    try:
        hello = _prepare(device)
    except HpoError as error:
        send(Unfit(detail=str(error)))
        return
    send(hello)
    _work(send, mailbox, orders, device)


def _prepare(device: str) -> Hello:
    # Imported here because torch reads the environment above when it is first imported.
    from hpo.fused.device import free_memory, kind_of, prepare_process

    prepare_process()
    return Hello(pid=os.getpid(), memory_bytes=free_memory(device), kind=kind_of(device))


def _work(send: Send, mailbox: Mailbox, orders: Orders, device: str) -> None:
    known: dict[str, TrainingData] = {}  # folder -> data
    while True:
        order = orders.get()
        if isinstance(order, Forget):
            known.pop(order.data, None)
            gc.collect()  # cohorts that trained on it may still hold its files mapped, in cycles
        else:
            send(_do(order, send, mailbox, known, device))


def _do(order: Order, send: Send, mailbox: Mailbox, known: dict[str, TrainingData], device: str) -> Report:
    from hpo.workers.runner import perform
    from hpo.workers.shared_data import read_data

    task, folder = order.task, order.data

    def data() -> TrainingData | None:
        if folder is not None and folder not in known:
            known[folder] = read_data(Path(folder))
        return known[folder] if folder is not None else None

    def report(result: EpochResult) -> Sequence[bool] | None:
        send(result)
        judged = isinstance(task, CohortTask) and task.judged and bool(result.numbers)
        return mailbox.answer(result, wait=judged)

    return perform(task, data, device=device, report=report, save=send)


def _beat(send: Send) -> None:
    while True:
        time.sleep(BEAT_S)
        try:
            send(Beat())
        except OSError:
            return  # the pool is gone; the listener ends the process


def _listen(connection: Connection, mailbox: Mailbox, orders: Orders) -> None:
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # the pool is gone; there is nothing to save and nobody to tell
        except Exception:  # noqa: BLE001 - a door: whoever beats on and hears nothing would keep its cohort for ever
            traceback.print_exc()
            os._exit(1)
        if isinstance(message, Order | Forget):
            orders.put(message)
        else:
            mailbox.put(message)


if __name__ == "__main__":
    main(sys.argv[1:])
