"""A study that cannot end before a test has done with it: one of its workers is stopped, with work in its hands."""

from __future__ import annotations

import psutil

from hpo.testing.server_program import until
from hpo.workers.child import NAME

_THREADS = 3  # its own, the one that listens and the one that beats: it has begun, and dies with its parent


def freeze_a_worker(coordinator: int) -> psutil.Process:
    """Stop a worker of a coordinator's local pool of two or more, as soon as there is one; `resume` lets it go on.

    To be called before the work begins: the stopped worker is given its share of it. A worker that was ready is
    found silent after crew.SILENCE_S, and its work is given to another. Raises TimeoutError.
    """

    def found() -> psutil.Process | None:
        for child in psutil.Process(coordinator).children():
            try:
                if child.name() == NAME and child.num_threads() >= _THREADS:
                    return child
            except psutil.Error:  # it has just ended
                continue
        return None

    worker = until(found)
    assert worker is not None
    worker.suspend()
    return worker
