"""The coordinator as a service: it takes studies as they come, drives them side by side, and leaves them well.

Several may serve one database: each study belongs to whoever has its lease, and one takes over when another dies.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from hpo import __version__
from hpo.account import Quota
from hpo.coordinator.errands import DriveStudy, MakeModel, Outcome, Thread, give_up, refuse
from hpo.coordinator.fairness import weight_of
from hpo.coordinator.jobs import Load, load_job
from hpo.coordinator.loop import Options
from hpo.coordinator.sharing import SharedPool
from hpo.errors import HpoError, PoolError, StorageUnavailable, StudyNotFound
from hpo.service import external
from hpo.service.processes import is_alive, this_process
from hpo.states import StudyState
from hpo.storage.base import LEASE_S, CoordinatorBeat, Storage, StudyQuery
from hpo.storage.base_models import ModelRequest
from hpo.study import Driver, Study
from hpo.workers.base import WorkerPool

log = logging.getLogger(__name__)

LEAVE_S = 10.0  # for running cohorts to be handed back
MODEL_WEIGHT = weight_of(-3)  # whoever waits for a model has the next free slot all the same
CRASHES = 2  # a fault of ours that comes so often is no accident
STEADY_S = 600.0  # whatever went well for so long may crash once more
TAKEN = (StudyState.QUEUED, StudyState.RUNNING, StudyState.STOPPING)
FAULT = "a fault of hpo's ended it {n} times, and the server's log says which; `hpo resume` tries once more"

# What an errand is about: a study, or a trial of it.
Key = tuple[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """How to serve.

    most_studies: driven at a time, each with its data in memory; most_models: trained again at a time
    look_s: how often it looks for work; beat_s: how often it says what it does; quotas_s: how long quotas hold
    sweep_s: how often it looks after trials that are trained elsewhere
    driving: for each study; load: gives the job of one
    """

    most_studies: int = 32
    most_models: int = 2
    look_s: float = 0.4
    beat_s: float = 1.0
    quotas_s: float = 5.0
    sweep_s: float = 3.0
    driving: Options = field(default_factory=lambda: Options(patience_s=math.inf, serving=True))
    load: Load = load_job


def serve(
    storage: Storage,
    pool: WorkerPool,
    stop: threading.Event,
    *,
    kind: str = "local",
    options: ServiceOptions | None = None,
) -> None:
    """Run the studies of a database on a pool, not yet started, until somebody sets `stop`; then hand all back.

    kind: of pool, as others see it. Raises PoolError when the pool cannot be started or has died: the studies
    wait for the next coordinator then.
    """
    service = Service(storage, pool, kind=kind, options=options or ServiceOptions())
    service.run(stop)


class Service:
    """One coordinator of a server. `run` it once."""

    def __init__(self, storage: Storage, pool: WorkerPool, *, kind: str, options: ServiceOptions) -> None:
        self._storage, self._kind, self._options = storage, kind, options
        self._quotas: Mapping[str, Quota] = {}
        self._pool = SharedPool(pool, slots_of=self._slots_of)
        self._me = this_process()
        self._threads: dict[Key, Thread] = {}
        self._crashes: Counter[Key] = Counter()
        self._not_before: dict[Key, float] = {}
        self._beaten = self._read_quotas = self._swept = -math.inf
        self._sweeper: threading.Thread | None = None
        self._away = False  # the database, when it was last asked
        self._looked_around = False
        self._trusting = -math.inf  # from when on a lease that has run out means a dead driver

    def run(self, stop: threading.Event) -> None:
        """Serve until told to stop. Raises PoolError."""
        self._pool.start()
        log.info("serving on %d slots", len(self._pool.slots))
        try:
            while not stop.is_set():
                self._turn()
                stop.wait(self._options.look_s)
        finally:
            self._leave()
            self._pool.close()

    def _turn(self) -> None:
        if self._pool.broken is not None:
            raise PoolError(self._pool.broken.detail)
        self._reap()
        try:
            self._look_around()
            self._keep_quotas()
            self._beat()
            self._take_studies()
            self._take_models()
            self._sweep()
        except StorageUnavailable as error:
            # Nobody could renew his lease either: give the living the time to do so.
            self._trusting = time.monotonic() + LEASE_S
            if not self._away:
                log.warning("the database is away, studies wait for it: %s", error.detail)
            self._away = True
        else:
            if self._away:
                log.warning("the database is back, studies go on")
            self._away = False

    def _reap(self) -> None:
        """Forget errands that are over; what failed is tried again a little later."""
        for key, thread in list(self._threads.items()):
            if thread.outcome is None:
                continue
            del self._threads[key]
            if thread.seconds > STEADY_S:
                self._crashes.pop(key, None)
            self._crashes[key] += thread.outcome is Outcome.CRASHED
            if thread.outcome is Outcome.DONE:
                self._not_before.pop(key, None)
                self._crashes.pop(key, None)
            else:
                self._not_before[key] = time.monotonic() + 2.0 ** self._crashes[key]

    # Studies

    def _take_studies(self) -> None:
        """Drive what may be driven: owners that have least first, then by priority, then the oldest."""
        n_free = self._options.most_studies - sum(number is None for _, number in self._threads)
        if n_free <= 0:
            return
        found = self._storage.list_studies(StudyQuery(states=TAKEN, served=True))
        at_work = Counter(study.owner for study in found if (study.name, None) in self._threads)
        waiting = {study.name: dead for study in found for may, dead in [self._may_take(study)] if may}
        left = [study for study in found if study.name in waiting]
        while left and n_free > 0:
            study = min(left, key=lambda study: (at_work[study.owner], -study.priority, study.id))
            left.remove(study)
            at_work[study.owner] += 1
            n_free -= self._drive(study, waiting[study.name])

    def _may_take(self, study: Study) -> tuple[bool, Driver | None]:
        """Whether nobody drives a study, and its driver that is known to have died."""
        key = (study.name, None)
        if key in self._threads or time.monotonic() < self._not_before.get(key, 0.0):
            return False, None
        driver = study.driver
        if study.state is StudyState.QUEUED or driver is None:
            return True, None
        if is_alive(driver) is False or driver.token == self._me.token:  # its thread could not say farewell
            return True, driver
        return (study.lease_left_s or 0.0) <= 0.0 and time.monotonic() >= self._trusting, None

    def _drive(self, study: Study, dead: Driver | None) -> bool:
        """Whether the study has a thread now."""
        key = (study.name, None)
        if self._crashes[key] >= CRASHES:
            give_up(self._storage, study, self._me, dead, FAULT.format(n=self._crashes.pop(key)))
            return False
        share = self._pool.share(study.name, owner=study.owner, weight=weight_of(study.priority))
        errand = DriveStudy(
            self._storage,
            share,
            study,
            me=self._me,
            dead=dead,
            driving=self._options.driving,
            load=self._options.load,
        )
        self._threads[key] = Thread(errand)
        return True

    # Models

    def _take_models(self) -> None:
        """Train trials again whose models somebody wants, the oldest request first."""
        n_free = self._options.most_models - sum(number is not None for _, number in self._threads)
        if n_free <= 0:
            return
        for request in self._storage.model_requests():
            key = (request.study, request.number)
            if n_free and key not in self._threads and time.monotonic() >= self._not_before.get(key, 0.0):
                n_free -= self._make_model(key, request)

    def _make_model(self, key: Key, request: ModelRequest) -> bool:
        """Whether the request has a thread now."""
        if self._crashes[key] >= CRASHES:
            refuse(self._storage, request, FAULT.format(n=self._crashes.pop(key)))
            return False
        try:
            study = self._storage.get_study(request.study)
        except StudyNotFound:
            return False
        share = self._pool.share(study.name, owner=study.owner, weight=MODEL_WEIGHT)
        self._threads[key] = Thread(MakeModel(self._storage, share, request, study, load=self._options.load))
        return True

    # Trials that are trained elsewhere

    def _sweep(self) -> None:
        """Look after them in a thread of its own: samplers may take their time."""
        now = time.monotonic()
        busy = self._sweeper is not None and self._sweeper.is_alive()
        if busy or now - self._swept < self._options.sweep_s:
            return
        self._swept = now
        self._sweeper = threading.Thread(target=_sweep, args=(self._storage,), name="sweep", daemon=True)
        self._sweeper.start()

    # What others see

    def _beat(self) -> None:
        """Say who this is and what the slots do."""
        if time.monotonic() - self._beaten < self._options.beat_s:
            return
        self._storage.beat(
            CoordinatorBeat(driver=self._me, version=__version__, pool=self._kind, slots=self._pool.doing())
        )
        # Not before: one that failed is due still, or a database that can only be read would look as if it were back.
        self._beaten = time.monotonic()

    def _look_around(self) -> None:
        """Say once who serves this database already: of two servers where one is meant nobody would know."""
        if self._looked_around:
            return
        drivers = [beat.driver for beat in self._storage.coordinators()]
        others = [str(one) for one in drivers if one.token != self._me.token and is_alive(one) is not False]
        if others:
            log.warning(
                "another coordinator serves this database already (%s): each takes studies that wait, this one all "
                "of them when the other ends",
                ", ".join(others),
            )
        self._looked_around = True

    def _keep_quotas(self) -> None:
        if time.monotonic() - self._read_quotas >= self._options.quotas_s:
            self._quotas = self._storage.quotas()
            self._read_quotas = time.monotonic()

    def _slots_of(self, owner: str | None) -> int | None:
        quota = None if owner is None else self._quotas.get(owner)
        return None if quota is None else quota.slots

    # The end

    def _leave(self) -> None:
        """Hand back what runs, within LEAVE_S, so that another coordinator goes on at once."""
        deadline = time.monotonic() + LEAVE_S
        for thread in self._threads.values():
            thread.errand.leave()
        late = [
            name
            for (name, _), thread in self._threads.items()
            if not thread.join(deadline - time.monotonic())
        ]
        if late:
            log.warning("not handed back in time, but free once their leases run out: %s", ", ".join(late))
        try:
            self._storage.forget_coordinator(self._me.token)
        except HpoError as error:
            log.warning("%s", error.detail)


def _sweep(storage: Storage) -> None:
    try:
        external.sweep(storage)
    except StorageUnavailable as error:
        log.warning("trials that are trained elsewhere: %s", error.detail)
    except Exception:  # the studies that are trained here must go on
        log.exception("looking after trials that are trained elsewhere failed")
