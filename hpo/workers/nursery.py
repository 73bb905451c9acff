"""The process that the workers of a pool are forked from: `python -m hpo.workers.nursery SOCKET`.

It has imported torch and all that training takes, and does nothing else: a fork of it is ready within
milliseconds, and what has been loaded is in memory once. It runs one thread, makes no tensor and asks for no
GPU, for neither threads nor a CUDA context outlive a fork.

A worker is not its child but the pool's, who alone ends it and learns how it ended; a nursery may die, and no
worker minds. That takes a process in between, which ends at once: the pool adopts its orphan.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

from hpo.lifeline import die_with_parent
from hpo.workers.child import ENVIRONMENT, call_process, work
from hpo.workers.messages import Born, Unfit

NAME = "hpo-nursery"
# What a worker would import, at once or with its first task.
PRELOADED = ("hpo.fused.device", "hpo.workers.runner", "hpo.workers.shared_data")
_MOST_BYTES = 4096
_LOOK_S = 0.0005


def main(arguments: Sequence[str]) -> None:
    """Fork a worker for each order until the pool hangs up; in a worker, do its work.

    An order is [device, CUDA_VISIBLE_DEVICES] in JSON, with the worker's end of its socket and its log.
    """
    pool = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the pool decides
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever ignores it has no children to wait for
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.environ.update(ENVIRONMENT)
    die_with_parent()
    call_process(NAME)
    gc.disable()  # a collection writes to the pages that all are to share
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    with socket.socket(fileno=int(arguments[0])) as orders:
        while True:
            order, files, *_ = socket.recv_fds(orders, _MOST_BYTES, 2)
            if not order:
                return
            connection, log = Connection(files[0]), files[1]
            if _bear(connection, pool):
                break
            connection.close()
            os.close(log)
    gc.enable()
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    device, gpus = json.loads(order)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus  # CUDA reads it when it is first used
    work(connection, device)


def _bear(connection: Connection, pool: int) -> bool:
    """Fork a worker and tell the pool its process id, or why there is none; True in the worker."""
    between = _fork(connection)
    if between is None:
        return False
    if between:
        os.waitpid(between, 0)
        return False
    between = os.getpid()
    worker = _fork(connection)
    if worker != 0:
        if worker is not None:
            _tell(connection, Born(pid=worker))
        os._exit(0)
    while os.getppid() == between:
        time.sleep(_LOOK_S)
    die_with_parent()
    if os.getppid() != pool:
        os._exit(0)  # it has died meanwhile
    return True


def _fork(connection: Connection) -> int | None:
    """As os.fork; None when there can be no other process, which the pool is told."""
    try:
        return os.fork()
    except OSError as error:
        _tell(connection, Unfit(detail=f"a worker process could not be started: {error.strerror}"))
        return None


def _tell(connection: Connection, message: Born | Unfit) -> None:
    with contextlib.suppress(OSError):  # the pool has hung up
        connection.send(message)


if __name__ == "__main__":
    main(sys.argv[1:])
