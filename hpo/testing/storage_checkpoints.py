"""What every Storage must do with the checkpoints of running cohorts."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import pytest

from hpo.errors import LeaseLost
from hpo.states import StudyState
from hpo.storage.base import Storage
from hpo.testing.studies import GONE, begun, complete, driver

LARGE = bytes(range(256)) * 4096 * 2 + b"end"  # over two chunks


class CheckpointsContract:
    """Where running cohorts stand."""

    def test_a_cohort_has_the_checkpoint_that_was_kept_last(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        before = storage.checkpoint(cohort.id)

        storage.save_checkpoint(claim, cohort.id, 1, b"early")
        storage.save_checkpoint(claim, cohort.id, 1, LARGE)

        assert before is None
        assert storage.checkpoint(cohort.id) == LARGE

    def test_a_checkpoint_outlives_its_attempt_and_its_driver(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.save_checkpoint(claim, cohort.id, 1, b"where it stood")
        storage.renew(claim, lease_s=GONE)

        second = storage.claim_study("wine", driver("second"))
        again = storage.start_cohort(second, cohort.id)

        assert again.attempt == 2
        assert storage.checkpoint(cohort.id) == b"where it stood"
        with pytest.raises(LeaseLost):
            storage.save_checkpoint(claim, cohort.id, 1, b"a zombie's")
        with pytest.raises(LeaseLost):
            storage.save_checkpoint(second, cohort.id, 1, b"a zombie's")
        assert storage.checkpoint(cohort.id) == b"where it stood"

    def test_a_cohort_that_is_done_keeps_none(self, storage: Storage) -> None:
        claim, cohort = begun(storage, 2)
        storage.save_checkpoint(claim, cohort.id, 1, LARGE)

        storage.finish_trials(claim, cohort.id, 1, [complete(0, 0.5), complete(1, 0.6)], done=True)

        assert storage.checkpoint(cohort.id) is None

    def test_a_study_that_has_ended_keeps_none(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.save_checkpoint(claim, cohort.id, 1, b"where it stood")

        storage.release(claim, StudyState.CANCELLED)

        assert storage.checkpoint(cohort.id) is None

    def test_a_study_that_pauses_keeps_it(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.save_checkpoint(claim, cohort.id, 1, b"where it stood")

        storage.release(claim, StudyState.PAUSED)

        assert storage.checkpoint(cohort.id) == b"where it stood"
