"""What every Storage must do with studies and the claims of those who drive them."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hpo.cohort import CohortPlan
from hpo.errors import (
    IllegalMove,
    LeaseLost,
    StudyExists,
    StudyNotFound,
    StudyOwned,
)
from hpo.states import CohortState, StudyState, TrialState, Wanted
from hpo.storage.base import ScoredTest, Storage, StoredModel, StudyQuery
from hpo.study import Direction
from hpo.testing.studies import (
    GONE,
    SPACE,
    begun,
    complete,
    counted,
    driver,
    finished,
    new_study,
    numbers,
    plans,
)


class StudiesContract:
    """Studies: made, listed, wished for, moved, removed."""

    def test_a_note_is_of_a_study_and_changes_nothing_else_of_it(self, storage: Storage) -> None:
        made = storage.create_study(new_study("wine"))

        storage.set_note("wine", "seen")

        assert storage.get_study("wine") == made
        with pytest.raises(StudyNotFound):
            storage.set_note("nobody", "seen")

    def test_a_new_study_is_queued_and_reads_back_as_written(self, storage: Storage) -> None:
        labels, versions = {"course": "cs231n"}, {"hpo": "1"}
        new = new_study(labels=labels, versions=versions, folder="/data", owner="ann", priority=3)
        before = datetime.now(UTC)

        made = storage.create_study(new)

        assert made == storage.get_study("wine")
        assert (made.state, made.wanted, made.driver) == (StudyState.QUEUED, Wanted.NOTHING, None)
        assert (made.metric, made.direction, made.n_trials) == ("accuracy", Direction.MAXIMIZE, 8)
        assert (made.spec, made.data) == (new.spec, new.data)
        assert (made.labels, made.versions) == (labels, versions)
        assert (made.folder, made.owner, made.priority) == ("/data", "ann", 3)
        assert (made.test, made.started_at, made.finished_at, made.lease_left_s) == (None, None, None, None)
        assert abs(made.created_at - before) < timedelta(minutes=1)
        assert set(made.counts) == set(TrialState)
        assert made.n_planned == 0

    def test_a_name_is_taken_once(self, storage: Storage) -> None:
        storage.create_study(new_study())

        with pytest.raises(StudyExists, match="'wine'"):
            storage.create_study(new_study())

    def test_an_unknown_study_is_not_found_by_anything(self, storage: Storage) -> None:
        for call in (
            storage.get_study,
            storage.delete_study,
            storage.open_cohorts,
            storage.unfinished,
            storage.trials,
            storage.best_trials,
            storage.model,
            storage.queue,
            storage.pareto,
            lambda name: storage.enqueue(name, [({}, None)]),
            lambda name: storage.curves(name, [0]),
            lambda name: storage.want(name, Wanted.STOP),
            lambda name: storage.move_study(name, StudyState.PAUSED),
            lambda name: storage.set_trials(name, 9),
            lambda name: storage.claim_study(name, driver()),
            lambda name: storage.get_trial(name, 0),
            lambda name: storage.curve(name, 0),
        ):
            with pytest.raises(StudyNotFound, match="'nobody'"):
                call("nobody")

    def test_studies_are_listed_newest_first_by_state_and_label(self, storage: Storage) -> None:
        storage.create_study(new_study("a", labels={"course": "x"}))
        storage.create_study(new_study("b", labels={"course": "y"}))
        storage.create_study(new_study("c", labels={"course": "x"}))
        storage.move_study("c", StudyState.PAUSED)

        assert [s.name for s in storage.list_studies()] == ["c", "b", "a"]
        assert [s.name for s in storage.list_studies(StudyQuery(states=(StudyState.QUEUED,)))] == ["b", "a"]
        assert [s.name for s in storage.list_studies(StudyQuery(labels=(("course", "x"),)))] == ["c", "a"]
        assert [
            s.name
            for s in storage.list_studies(StudyQuery(states=(StudyState.PAUSED,), labels=(("course", "y"),)))
        ] == []

    def test_a_move_that_is_not_legal_is_refused_and_changes_nothing(self, storage: Storage) -> None:
        storage.create_study(new_study())

        with pytest.raises(IllegalMove, match="QUEUED"):
            storage.move_study("wine", StudyState.COMPLETED)

        assert storage.get_study("wine").state is StudyState.QUEUED

    def test_a_cancelled_study_stays_cancelled(self, storage: Storage) -> None:
        storage.create_study(new_study())
        ended = storage.move_study("wine", StudyState.CANCELLED, reason="asked")

        assert (ended.state, ended.reason) == (StudyState.CANCELLED, "asked")
        assert ended.finished_at is not None
        with pytest.raises(IllegalMove, match="for good"):
            storage.move_study("wine", StudyState.QUEUED)
        with pytest.raises(IllegalMove):
            storage.set_trials("wine", 100)

    def test_where_a_rule_ended_a_study_stays_until_it_goes_on(self, storage: Storage) -> None:
        claim = finished(storage, [0.5, 0.7, 0.9, 0.8], n_trials=8)

        stopping = storage.move_claimed(claim, StudyState.STOPPING, reason="enough", counted=2)
        taken = storage.claim_study("wine", driver("second"), dead=driver())
        before = storage.get_study("wine"), numbers(storage.best_trials("wine", 4))
        ended = storage.release(taken, StudyState.COMPLETED, reason="enough")
        after = numbers(storage.best_trials("wine", 4)), numbers(storage.pareto("wine"))
        storage.move_study("wine", StudyState.QUEUED)
        storage.claim_study("wine", driver("third"))

        again = storage.get_study("wine")
        assert (stopping.reason, stopping.counted, stopping.since) == ("enough", 2, 0)
        assert (before[0].state, before[0].reason, before[0].counted) == (StudyState.STOPPING, "enough", 2)
        assert before[1] == after[0] == [1, 0]
        assert after[1] == [1]
        assert (ended.counted, ended.since) == (2, 4)
        assert (again.reason, again.counted, again.since) == (None, None, 4)
        assert numbers(storage.best_trials("wine", 4)) == [2, 3, 1, 0]

    def test_the_total_of_trials_only_goes_up(self, storage: Storage) -> None:
        storage.create_study(new_study())

        assert storage.set_trials("wine", 9).n_trials == 9
        with pytest.raises(IllegalMove, match="9"):
            storage.set_trials("wine", 8)

        assert storage.get_study("wine").n_trials == 9

    def test_a_study_that_is_handed_over_is_queued_with_its_work_and_its_wish(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.want("wine", Wanted.CANCEL)

        left = storage.hand_over(claim)
        taken = storage.claim_study("wine", driver("second"))

        assert (left.state, left.driver, left.wanted) == (StudyState.QUEUED, None, Wanted.CANCEL)
        assert storage.renew(taken) is Wanted.CANCEL
        assert [c.state for c in storage.open_cohorts("wine")] == [CohortState.READY]
        assert storage.start_cohort(taken, cohort.id).attempt == 2
        with pytest.raises(LeaseLost):
            storage.hand_over(claim)

    def test_a_study_that_is_handed_over_while_it_stops_has_still_to_end(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        storage.move_claimed(claim, StudyState.STOPPING, reason="enough", counted=2)

        left = storage.hand_over(claim)
        storage.claim_study("wine", driver("second"))

        assert (left.state, left.driver, left.reason) == (StudyState.STOPPING, None, "enough")
        assert storage.get_study("wine").counted == 2
        assert [c.state for c in storage.open_cohorts("wine")] == [CohortState.RUNNING]

    def test_a_removed_study_leaves_nothing_and_its_name_is_free(self, storage: Storage) -> None:
        storage.create_study(new_study("other"))
        claim = finished(storage, [0.5, 0.7])
        storage.save_model(claim, StoredModel(number=1, value=0.7, data=b"w"))
        storage.release(claim, StudyState.COMPLETED)

        storage.delete_study("wine")

        assert [s.name for s in storage.list_studies()] == ["other"]
        again = storage.create_study(new_study())
        assert again.n_planned == 0
        assert storage.trials("wine") == []
        assert storage.model("wine") is None

    def test_a_driven_study_is_neither_moved_nor_removed(self, storage: Storage) -> None:
        begun(storage)

        with pytest.raises(StudyOwned, match="process 7 on node"):
            storage.delete_study("wine")
        for state in (StudyState.PAUSED, StudyState.QUEUED):  # the one legal, the other not
            with pytest.raises(StudyOwned, match="process 7 on node"):
                storage.move_study("wine", state)

    def test_a_study_whose_driver_died_can_be_moved(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        storage.renew(claim, lease_s=GONE)

        moved = storage.move_study("wine", StudyState.CANCELLED)

        assert (moved.state, moved.driver) == (StudyState.CANCELLED, None)
        assert counted(moved.counts) == {"FAIL": 4}
        with pytest.raises(LeaseLost):
            storage.renew(claim)


class ClaimsContract:
    """Driving a study: one driver at a time, and no write after it has been replaced."""

    def test_a_claimed_study_runs_and_names_its_driver(self, storage: Storage) -> None:
        storage.create_study(new_study())

        claim = storage.claim_study("wine", driver(), lease_s=60.0)

        study = storage.get_study("wine")
        assert (study.state, study.driver) == (StudyState.RUNNING, driver())
        assert (claim.study, claim.name, claim.driver) == (study.id, "wine", driver())
        assert study.started_at is not None
        assert study.lease_left_s is not None
        assert 50 < study.lease_left_s <= 60

    def test_a_second_claim_is_refused_while_the_first_holds(self, storage: Storage) -> None:
        claim, _ = begun(storage)

        with pytest.raises(StudyOwned, match="process 7 on node"):
            storage.claim_study("wine", driver("second"))

        storage.renew(claim)

    def test_a_lapsed_lease_gives_the_study_away_and_the_late_one_can_write_nothing(
        self, storage: Storage
    ) -> None:
        claim, cohort = begun(storage)
        storage.renew(claim, lease_s=GONE)

        second = storage.claim_study("wine", driver("second"))

        assert second.attempt == claim.attempt + 1
        for write in (
            lambda: storage.renew(claim),
            lambda: storage.release(claim, StudyState.PAUSED),
            lambda: storage.move_claimed(claim, StudyState.STOPPING),
            lambda: storage.plan_trials(claim, SPACE, plans(4, 1), [CohortPlan(numbers=(4,))]),
            lambda: storage.start_cohort(claim, cohort.id),
            lambda: storage.record_epochs(claim, cohort.id, cohort.attempt, 1, {0: {1: 0.5}}),
            lambda: storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5)]),
            lambda: storage.save_model(claim, StoredModel(number=0, value=0.5, data=b"")),
            lambda: storage.set_notes(claim, {"rounds": 1}),
            lambda: storage.release(claim, StudyState.COMPLETED),
        ):
            with pytest.raises(LeaseLost):
                write()
        assert counted(storage.get_study("wine").counts) == {"RUNNING": 4}

    def test_a_dead_driver_is_taken_over_at_once_but_not_another(self, storage: Storage) -> None:
        begun(storage)

        with pytest.raises(StudyOwned):
            storage.claim_study("wine", driver("second"), dead=driver("third"))
        storage.claim_study("wine", driver("second"), dead=driver())

        assert storage.get_study("wine").driver == driver("second")

    def test_a_claim_made_anew_by_the_same_driver_voids_the_old_one(self, storage: Storage) -> None:
        claim, _ = begun(storage)

        again = storage.claim_study("wine", driver(), dead=driver())

        with pytest.raises(LeaseLost):
            storage.renew(claim)
        storage.renew(again)

    def test_a_late_driver_that_nobody_replaced_goes_on(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.renew(claim, lease_s=GONE)

        storage.record_epochs(claim, cohort.id, cohort.attempt, 1, {})

        with pytest.raises(StudyOwned):
            storage.claim_study("wine", driver("second"))

    def test_a_paused_study_is_not_claimed_before_it_is_queued(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        storage.release(claim, StudyState.PAUSED)

        with pytest.raises(IllegalMove, match="PAUSED"):
            storage.claim_study("wine", driver("second"))
        storage.move_study("wine", StudyState.QUEUED)
        storage.claim_study("wine", driver("second"))

    def test_a_stopping_study_taken_over_goes_on_stopping_and_heeds_the_wish(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        assert storage.move_claimed(claim, StudyState.STOPPING).state is StudyState.STOPPING
        storage.want("wine", Wanted.CANCEL)

        second = storage.claim_study("wine", driver("second"), dead=driver())

        assert storage.get_study("wine").state is StudyState.STOPPING
        assert storage.renew(second) is Wanted.CANCEL

    def test_pausing_hands_cohorts_back_and_their_trials_go_on_later(self, storage: Storage) -> None:
        claim, cohort = begun(storage)

        paused = storage.release(claim, StudyState.PAUSED, reason="ctrl-c")

        assert (paused.state, paused.reason, paused.driver) == (StudyState.PAUSED, "ctrl-c", None)
        assert paused.finished_at is None
        [ready] = storage.open_cohorts("wine")
        assert (ready.id, ready.state, ready.numbers) == (cohort.id, CohortState.READY, (0, 1, 2, 3))
        assert numbers(storage.unfinished("wine")) == [0, 1, 2, 3]

    @pytest.mark.parametrize("dies", [False, True])
    def test_resuming_a_study_keeps_what_was_open(self, storage: Storage, dies: bool) -> None:
        claim, cohort = begun(storage)
        if dies:
            storage.renew(claim, lease_s=GONE)
            storage.move_study("wine", StudyState.PAUSED)
        else:
            storage.release(claim, StudyState.PAUSED)

        storage.move_study("wine", StudyState.QUEUED)
        second = storage.claim_study("wine", driver("second"))

        assert numbers(storage.unfinished("wine")) == [0, 1, 2, 3]
        again = storage.start_cohort(second, cohort.id)
        assert (again.attempt, again.driver, again.numbers) == (2, driver("second"), (0, 1, 2, 3))
        results = [complete(n, 0.5) for n in again.numbers]
        assert storage.finish_trials(second, again.id, 2, results, done=True) == [0, 1, 2, 3]

    @pytest.mark.parametrize("state", [StudyState.CANCELLED, StudyState.COMPLETED, StudyState.FAILED])
    def test_ending_fails_what_still_runs_as_cancelled(self, storage: Storage, state: StudyState) -> None:
        claim, cohort = begun(storage)
        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(1, 0.5)])

        ended = storage.release(claim, state)

        assert ended.finished_at is not None
        assert counted(ended.counts) == {"COMPLETE": 1, "FAIL": 3}
        assert storage.open_cohorts("wine") == []
        trials = storage.trials("wine")
        assert [t.reason for t in trials] == ["cancelled", None, "cancelled", "cancelled"]
        assert all(t.finished_at is not None for t in trials)

    def test_a_study_left_twice_since_an_answer_was_lost_is_left_once(self, storage: Storage) -> None:
        claim = finished(storage, [0.5])
        test = ScoredTest(number=0, scores={"accuracy": 0.25})
        left = storage.release(claim, StudyState.COMPLETED, reason="enough", test=test)

        again = storage.release(claim, StudyState.COMPLETED, reason="enough", test=test)

        assert again == left == storage.get_study("wine")
        assert left.test is not None
        assert left.test["scored"] == 1
        with pytest.raises(LeaseLost):
            storage.release(claim, StudyState.FAILED)
        storage.move_study("wine", StudyState.QUEUED)
        storage.release(storage.claim_study("wine", driver("second")), StudyState.COMPLETED)
        with pytest.raises(LeaseLost):
            storage.release(claim, StudyState.COMPLETED)

    def test_an_illegal_end_is_refused_and_the_claim_holds(self, storage: Storage) -> None:
        claim, _ = begun(storage)

        with pytest.raises(IllegalMove):
            storage.release(claim, StudyState.QUEUED)

        storage.renew(claim)

    def test_seconds_count_running_only_and_survive_renewals(self, storage: Storage) -> None:
        claim, _ = begun(storage)
        storage.renew(claim)
        first = storage.get_study("wine").seconds
        ended = storage.release(claim, StudyState.PAUSED).seconds

        assert 0 <= first <= ended < 60
        assert storage.get_study("wine").seconds == ended

    def test_a_completed_study_that_is_queued_again_has_not_finished(self, storage: Storage) -> None:
        storage.release(finished(storage, [0.5]), StudyState.COMPLETED)

        assert storage.move_study("wine", StudyState.QUEUED).finished_at is None
