"""What every Storage must do with the words that are left for a study's driver."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import pytest

from hpo.states import CohortState, StudyState, Wanted
from hpo.storage.base import Storage
from hpo.testing.studies import begun, driver, new_study


class WishesContract:
    """Pause, stop and cancel: left, obeyed, taken back."""

    def test_a_wish_reaches_the_driver_and_ends_with_its_work(self, storage: Storage) -> None:
        claim, _ = begun(storage)

        assert storage.renew(claim) is Wanted.NOTHING
        assert storage.want("wine", Wanted.PAUSE).wanted is Wanted.PAUSE
        assert storage.renew(claim) is Wanted.PAUSE
        assert storage.release(claim, StudyState.PAUSED).wanted is Wanted.NOTHING
        assert storage.want("wine", Wanted.STOP).wanted is Wanted.NOTHING  # nobody to heed it

    def test_a_study_to_be_cancelled_while_it_is_being_paused_is_cancelled(self, storage: Storage) -> None:
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver("one"))
        storage.want("wine", Wanted.PAUSE)
        storage.want("wine", Wanted.CANCEL)  # its driver has heard of the first alone

        left = storage.release(claim, StudyState.PAUSED)

        assert (left.state, left.wanted, left.driver) == (StudyState.CANCELLED, Wanted.NOTHING, None)

    @pytest.mark.parametrize(
        ("later", "state"),
        [
            (Wanted.NOTHING, StudyState.QUEUED),
            (Wanted.PAUSE, StudyState.PAUSED),
            (Wanted.STOP, StudyState.COMPLETED),
            (Wanted.CANCEL, StudyState.CANCELLED),
        ],
    )
    def test_of_two_words_the_later_holds_though_the_driver_has_heard_of_the_first_alone(
        self, storage: Storage, later: Wanted, state: StudyState
    ) -> None:
        claim, cohort = begun(storage)
        storage.want("wine", Wanted.PAUSE)
        heard = storage.renew(claim)
        storage.want("wine", later)

        left = storage.release(claim, StudyState.PAUSED, obeys=heard)

        assert (left.state, left.wanted, left.driver) == (state, Wanted.NOTHING, None)
        open_ = [] if left.finished_at else [(cohort.id, CohortState.READY)]
        assert [(c.id, c.state) for c in storage.open_cohorts("wine")] == open_

    def test_a_pause_that_nobody_left_word_of_was_not_taken_back(self, storage: Storage) -> None:
        claim, _ = begun(storage)

        assert storage.release(claim, StudyState.PAUSED).state is StudyState.PAUSED

    @pytest.mark.parametrize("said", [Wanted.STOP, Wanted.CANCEL])
    def test_only_the_word_that_is_meant_is_taken_back(self, storage: Storage, said: Wanted) -> None:
        claim, _ = begun(storage)
        storage.want("wine", Wanted.PAUSE)

        assert storage.want("wine", Wanted.NOTHING, instead_of=Wanted.PAUSE).wanted is Wanted.NOTHING
        storage.want("wine", said)
        assert storage.want("wine", Wanted.NOTHING, instead_of=Wanted.PAUSE).wanted is said
        assert storage.renew(claim) is said
