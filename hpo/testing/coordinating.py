"""A serving coordinator in a thread of the test's own, and studies for it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hpo.account import Account, Role
from hpo.coordinator.jobs import load_job
from hpo.coordinator.loop import Job, Options
from hpo.coordinator.service import Service, ServiceOptions
from hpo.service.submission import draft_of_text, sender, submit_draft
from hpo.states import FINAL, StudyState
from hpo.storage.base import Storage
from hpo.study import Study
from hpo.workers.base import WorkerPool

PATIENCE_S = 60.0


def job_of(storage: Storage, study: Study) -> Job:
    """The job of a study for a simulated pool, whose models have no place for a preparation."""
    job = load_job(storage, study)
    return replace(job, data=replace(job.data, preparations={}, refit_preparations={}))


QUICK = ServiceOptions(
    load=job_of,
    look_s=0.02,
    beat_s=0.05,
    driving=Options(patience_s=math.inf, serving=True, poll_s=0.02, renew_s=0.05),
)


def submit(storage: Storage, text: str, *, owner: str | None = None) -> Study:
    """Send in a study file, as over REST."""
    account = Account(owner=owner, role=Role.SUBMITTER)
    by = sender(account, None, key=None, said=text.encode())
    return submit_draft(storage, draft_of_text(text.encode()), by)


def wait_until(true: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Look until it is true. Raises TimeoutError."""
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {patience_s:g} s still not: {what}")
        time.sleep(0.01)


@dataclass
class Serving:
    """A coordinator that serves in a thread. error: what ended it"""

    storage: Storage
    service: Service
    stop: threading.Event
    thread: threading.Thread
    error: BaseException | None = None

    def ended(self, *names: str) -> list[Study]:
        """The studies once all of them are final. Raises TimeoutError."""
        wait_until(
            lambda: all(self.storage.get_study(name).state in FINAL for name in names),
            f"{names} are final",
        )
        return [self.storage.get_study(name) for name in names]

    def in_state(self, name: str, state: StudyState) -> Study:
        """The study once it is there. Raises TimeoutError."""
        wait_until(lambda: self.storage.get_study(name).state is state, f"{name} is {state}")
        return self.storage.get_study(name)

    def finished(self, name: str, n: int) -> Study:
        """The study once so many of its trials have ended. Raises TimeoutError."""
        wait_until(lambda: self.storage.get_study(name).n_finished >= n, f"{n} trials of {name} have ended")
        return self.storage.get_study(name)

    def leave(self) -> None:
        """Stop it, and wait until it has handed everything back. Raises TimeoutError."""
        self.stop.set()
        self.thread.join(PATIENCE_S)
        if self.thread.is_alive():
            raise TimeoutError("the coordinator does not end")


@contextmanager
def serving_coordinator(
    storage: Storage, pool: WorkerPool, options: ServiceOptions = QUICK
) -> Iterator[Serving]:
    """A coordinator that serves until the block ends."""
    service = Service(storage, pool, kind="simulated", options=options)
    stop = threading.Event()

    def run() -> None:
        try:
            service.run(stop)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.error = error

    found = Serving(storage, service, stop, threading.Thread(target=run, name="coordinator", daemon=True))
    found.thread.start()
    try:
        yield found
    finally:
        found.leave()
