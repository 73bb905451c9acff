"""The coordinator: claims a study, drives it to its end, and leaves it in a state from which it can go on."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from hpo.coordinator.drive import Drive
from hpo.coordinator.ending import Ending
from hpo.coordinator.wishes import Asked, Leaving, Wishes
from hpo.coordinator.writer import Writer
from hpo.dataset import PreparedData
from hpo.errors import HpoError, LeaseLost, PoolError, StorageUnavailable, StudyFailed
from hpo.progress import Progress
from hpo.service.diagnosing import leave_note
from hpo.service.processes import this_process
from hpo.states import StudyState, Wanted
from hpo.storage.base import Claim, Storage
from hpo.study import Driver, Study, StudySpec
from hpo.workers.base import WorkerPool

log = logging.getLogger(__name__)

HAND_BACK_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A study to run: its name in the storage, its completed study file, its data."""

    name: str
    spec: StudySpec
    data: PreparedData


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run; none of it changes a result.

    max_lanes: the widest cohort (None: what pays); patience_s: how long a locked database is tried again
    poll_s: the longest wait for workers; renew_s: how often the lease is renewed and the wish read
    clock: what limits.wall_time is measured by
    serving: what is interrupted is left to the next coordinator, not PAUSED until somebody resumes it
    """

    max_lanes: int | None = None
    patience_s: float = 30.0
    poll_s: float = 0.2
    renew_s: float = 0.7
    clock: Callable[[], float] = time.monotonic
    serving: bool = False


def _ignore(_: object) -> None:
    """Nobody looks."""


class Coordinator:
    """Drives studies, one at a time, on a pool that its owner starts and closes.

    notice: told of the running study every so often, as it stands in the storage
    fair: for how many of the slots a study should plan, where others train on them too
    driver: who this is; called for each run
    """

    def __init__(
        self,
        storage: Storage,
        pool: WorkerPool,
        *,
        watch: Callable[[Progress], None] = _ignore,
        notice: Callable[[Study], None] = _ignore,
        fair: Callable[[], int] | None = None,
        driver: Callable[[], Driver] = this_process,
        options: Options | None = None,
    ) -> None:
        self._storage = storage
        self._pool = pool
        self._watch, self._notice, self._driver = watch, notice, driver
        self._fair = fair or (lambda: len(pool.slots()))
        self._options = options or Options()
        self._wishes = Wishes()
        self._keys: set[str] = set()  # of data that the pool has

    def ask(self, wanted: Wanted) -> None:
        """Pause, stop or cancel the running study soon; may be called from a signal handler."""
        self._wishes.asked = wanted

    def leave(self) -> None:
        """Hand back what runs, and the study to the next coordinator, soon; for good."""
        self._wishes.leaving = True

    def run(self, job: Job, *, dead: Driver | None = None) -> Study:
        """Claim a study, drive it until it is COMPLETED, PAUSED, CANCELLED, FAILED or left, and return it.

        dead: a driver that is known to have died, whose lease need not run out first. Raises
        StudyNotFound, StudyOwned, IllegalMove; LeaseLost when another coordinator took over; PoolError
        and StorageUnavailable, after which the study can be resumed.
        """
        self._wishes.asked = Wanted.NOTHING
        claim = self._storage.claim_study(job.name, self._driver(), dead=dead)
        drive: Drive | None = None
        try:
            write = Writer(
                self._storage,
                claim,
                patience_s=self._options.patience_s,
                hurried=lambda: self._wishes.leaving,
            )
            drive = self._drive(job, claim, write)
            drive.train()
            if not drive.stopping:  # nobody wants what it could not work out
                drive.proposals.check()
            study = Ending(drive, job.data).conclude()
        except Asked as asked:
            return self._hand_back(claim, drive, asked.wanted)
        except Leaving:
            return self._hand_back(claim, drive, None)
        except LeaseLost:
            raise
        except PoolError as error:
            if drive is not None:
                with contextlib.suppress(HpoError):  # what has come back need not be trained again
                    drive.keep_last_words()
            self._let_go(claim, error)
            raise
        except StudyFailed as error:
            return self._fail(claim, drive, error)
        except Exception as error:
            if isinstance(error, HpoError) or self._options.serving:
                self._let_go(claim, error)
            raise
        finally:
            self._cancel(drive)
        return self.run(job) if self._came_late(drive, study) else study

    def _drive(self, job: Job, claim: Claim, write: Writer) -> Drive:
        drive = Drive(
            storage=self._storage,
            pool=self._pool,
            claim=claim,
            write=write,
            spec=job.spec,
            data=job.data,
            max_lanes=self._options.max_lanes,
            poll_s=self._options.poll_s,
            renew_s=self._options.renew_s,
            clock=self._options.clock,
            wishes=self._wishes,
            watch=self._watch,
            notice=self._notice,
            fair=self._fair,
            keys=self._keys,
        )
        drive.begin()
        return drive

    def _came_late(self, drive: Drive, study: Study) -> bool:
        """Whether trials were added while the study was already ending; then it waits for a driver again."""
        if drive.stopping or self._wishes.any:
            return False
        try:
            if study.n_trials <= drive.enqueued.total:
                return False
            self._storage.move_study(study.name, StudyState.QUEUED)
        except HpoError as error:  # the study has ended well, and whoever added them can resume it
            log.warning("study %s is left as it is: %s", study.name, error.detail)
            return False
        return True

    def _fail(self, claim: Claim, drive: Drive | None, error: StudyFailed) -> Study:
        """Leave a study that must not go on FAILED, with the sentence why; keep what has come back."""
        if drive is not None:
            with contextlib.suppress(PoolError):
                drive.call_back(time.monotonic() + HAND_BACK_S)
        study = self._storage.release(claim, StudyState.FAILED, reason=error.detail)
        leave_note(self._storage, study.name)
        if drive is not None:
            drive.show_end(study)
        return study

    def _hand_back(self, claim: Claim, drive: Drive | None, wanted: Wanted | None) -> Study:
        """Pause, cancel, or leave it to another coordinator: call the workers back, keep what they have finished, leave the study."""
        if drive is not None:
            with contextlib.suppress(PoolError):  # a pool that dies now has called everybody back
                drive.call_back(time.monotonic() + HAND_BACK_S)
        if wanted is None:
            study = self._storage.hand_over(claim)
        else:
            state = StudyState.CANCELLED if wanted is Wanted.CANCEL else StudyState.PAUSED
            # A signal in a terminal is no word that somebody could have taken back.
            obeys = wanted if self._options.serving else Wanted.NOTHING
            study = self._storage.release(claim, state, obeys=obeys)
            leave_note(self._storage, study.name)
        if drive is not None:
            drive.show_end(study)
        return study

    def _let_go(self, claim: Claim, error: Exception) -> None:
        """Leave the study, if that can still be written, so that others may go on with it.

        On a server that is the next coordinator, unless the study file itself is what it failed by.
        """
        passing = not isinstance(error, HpoError) or isinstance(error, PoolError | StorageUnavailable)
        detail = error.detail if isinstance(error, HpoError) else None
        with contextlib.suppress(HpoError):  # the first error is the one to tell
            if not self._options.serving:
                self._storage.release(claim, StudyState.PAUSED, reason=detail)
            elif passing:
                self._storage.hand_over(claim)
            else:
                self._storage.release(claim, StudyState.FAILED, reason=detail)

    def _cancel(self, drive: Drive | None) -> None:
        """End what workers still do, for whatever reason the run ended."""
        if drive is None:
            return
        drive.proposals.close()
        with contextlib.suppress(PoolError, StorageUnavailable):
            drive.cancel_flights()
