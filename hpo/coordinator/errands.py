"""What a serving coordinator does beside other things: it drives a study, or trains one trial again for its model."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from enum import Enum
from typing import Protocol

from hpo.coordinator.fairness import weight_of
from hpo.coordinator.jobs import Load
from hpo.coordinator.loop import Coordinator, Options
from hpo.coordinator.retraining import retrain
from hpo.coordinator.share import Share
from hpo.errors import (
    HpoError,
    IllegalMove,
    LeaseLost,
    PoolError,
    StorageUnavailable,
    StudyNotFound,
    StudyOwned,
    TrialNotFound,
)
from hpo.states import StudyState
from hpo.storage.base import Storage
from hpo.storage.base_models import ModelRequest
from hpo.study import Driver, Study

log = logging.getLogger(__name__)

PREPARING = threading.Semaphore(2)  # data sets at a time: that takes memory, and cores from the workers
# Somebody else has it, or it is gone: as good as done.
_NOT_MINE = (StudyOwned, LeaseLost, StudyNotFound, TrialNotFound, IllegalMove)


class Outcome(Enum):
    """What came of an errand. AGAIN: it is to be tried again; CRASHED: so is this, though by a fault of hpo's"""

    DONE = "done"
    AGAIN = "again"
    CRASHED = "crashed"


class Left(Exception):
    """The coordinator is to end."""


class Errand(Protocol):
    """Something to do in a thread of its own, with a share of the pool."""

    share: Share

    def work(self) -> Outcome:
        """Do it."""

    def leave(self) -> None:
        """Hand back soon what is under way; may be called from any thread."""


class Thread:
    """Does an errand, and gives its share back whatever happens. outcome: once it has ended"""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.outcome: Outcome | None = None
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=errand.share.name, daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended, after at most so long."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _run(self) -> None:
        outcome = Outcome.CRASHED
        try:
            outcome = self.errand.work()
        except Exception:  # one study's fault must not harm the others
            log.exception("%s: a fault of hpo's", self.errand.share.name)
        finally:
            self.errand.share.close()
            self.outcome = outcome


class DriveStudy:
    """Drives a study that a server is to run.

    me: its driver from now on; dead: its last one, known to have died
    """

    def __init__(
        self,
        storage: Storage,
        share: Share,
        study: Study,
        *,
        me: Driver,
        dead: Driver | None,
        driving: Options,
        load: Load,
    ) -> None:
        self.share, self._load = share, load
        self._storage, self._study, self._me, self._dead = storage, study, me, dead
        self._left = threading.Event()
        self._coordinator = Coordinator(
            storage, share, fair=share.fair, notice=self._heed_priority, driver=lambda: me, options=driving
        )

    def leave(self) -> None:
        """Hand running cohorts back, and the study to the next coordinator."""
        self._left.set()
        self._coordinator.leave()

    def work(self) -> Outcome:
        """Prepare the data, then drive the study until it ends or somebody wants something else."""
        name = self._study.name
        try:
            with PREPARING:
                if self._left.is_set():
                    return Outcome.AGAIN
                job = self._load(self._storage, self._study)
        except StorageUnavailable as error:
            return _later(name, error)
        except HpoError as error:
            return give_up(self._storage, self._study, self._me, self._dead, str(error))
        try:
            study = self._coordinator.run(job, dead=self._dead)
            log.info("study %s: %s with %d trials", name, study.state, study.n_finished)
        except (PoolError, StorageUnavailable) as error:
            return _later(name, error)
        except HpoError as error:  # what could be written of it has been
            log.warning("study %s: %s", name, error)
        return Outcome.DONE

    def _heed_priority(self, study: Study) -> None:
        self.share.weight = weight_of(study.priority)


def give_up(storage: Storage, study: Study, me: Driver, dead: Driver | None, sentence: str) -> Outcome:
    """Leave a study FAILED that cannot be driven, with the sentence why."""
    try:
        claim = storage.claim_study(study.name, me, dead=dead)
        storage.release(claim, StudyState.FAILED, reason=sentence)
        log.warning("study %s: FAILED: %s", study.name, sentence)
    except StorageUnavailable as error:
        return _later(study.name, error)
    except _NOT_MINE as error:
        log.info("study %s: %s", study.name, error)
    return Outcome.DONE


class MakeModel:
    """Trains a finished trial once more, since somebody wants its model."""

    def __init__(
        self, storage: Storage, share: Share, request: ModelRequest, study: Study, *, load: Load
    ) -> None:
        self.share, self._load = share, load
        self._storage, self._request, self._study = storage, request, study
        self._left = threading.Event()

    def leave(self) -> None:
        """Give it up; the request stays."""
        self._left.set()

    def work(self) -> Outcome:
        """Train, and keep the model or note why there is none."""
        name, number = self._request.study, self._request.number
        try:
            with PREPARING:
                self._hurry()
                job = self._load(self._storage, self._study)
            model = retrain(self._storage, self.share, job, number, heed=self._hurry)
            self._storage.fulfil_request(name, model)
        except (PoolError, StorageUnavailable) as error:
            return _later(f"{name}, trial {number}", error)
        except Left:
            return Outcome.AGAIN
        except _NOT_MINE as error:
            log.info("the model of trial %d of study %s: %s", number, name, error)
        except HpoError as error:
            refuse(self._storage, self._request, str(error))
        return Outcome.DONE

    def _hurry(self) -> None:
        if self._left.is_set():
            raise Left


def refuse(storage: Storage, request: ModelRequest, sentence: str) -> None:
    """Note why there will be no such model. May raise StorageUnavailable."""
    with contextlib.suppress(*_NOT_MINE):
        storage.refuse_request(request.study, request.number, sentence)


def _later(what: str, error: HpoError) -> Outcome:
    log.warning("%s: %s; it is tried again", what, error)
    return Outcome.AGAIN
