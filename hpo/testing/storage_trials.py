"""What every Storage must do with the trials and cohorts of a driven study."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import math
from array import array
from datetime import UTC

import pytest

from hpo.cohort import CohortPlan
from hpo.errors import (
    LeaseLost,
    TrialNotFound,
)
from hpo.states import CohortState, StudyState, TrialState
from hpo.storage.base import ScoredTest, Storage, StoredModel
from hpo.testing.studies import (
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
from hpo.trial import Curve, TrialPlan, TrialResult


class TrialsContract:
    """Trials and cohorts of a driven study."""

    def test_planned_trials_run_and_read_back_with_their_params(self, storage: Storage) -> None:
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver())
        first = TrialPlan(number=0, params={"learning_rate": 0.1 + 0.2, "optimizer": "sgd"})
        second = TrialPlan(number=1, params={"hidden_units": 17}, retry_of=0)

        [cohort] = storage.plan_trials(claim, SPACE, [first, second], [CohortPlan(numbers=(0, 1))])

        one, two = storage.trials("wine")
        assert (one.number, one.state, one.params) == (0, TrialState.RUNNING, first.params)
        assert (two.params, two.retry_of, two.cohort) == ({"hidden_units": 17}, 0, cohort.id)
        assert type(two.params["hidden_units"]) is int
        assert one.started_at is not None
        assert one.started_at.tzinfo is UTC
        assert (one.finished_at, one.value, one.reason, one.retry_of) == (None, None, None, None)
        assert counted(storage.get_study("wine").counts) == {"RUNNING": 2}

    def test_numbers_follow_the_last_and_cohorts_cover_them(self, storage: Storage) -> None:
        claim, _ = begun(storage, 2)

        for proposed, cohorts in (
            (plans(3, 1), [CohortPlan(numbers=(3,))]),
            (plans(1, 2), [CohortPlan(numbers=(1, 2))]),
            (list(reversed(plans(2, 2))), [CohortPlan(numbers=(2, 3))]),
            (plans(2, 2), [CohortPlan(numbers=(2,))]),
            (plans(2, 2), [CohortPlan(numbers=(2, 3)), CohortPlan(numbers=(3,))]),
            (plans(2, 2), [CohortPlan(numbers=(3, 2))]),
        ):
            with pytest.raises(ValueError, match=r"number|cover|ascend"):
                storage.plan_trials(claim, SPACE, proposed, cohorts)

        assert counted(storage.get_study("wine").counts) == {"RUNNING": 2}
        assert len(storage.open_cohorts("wine")) == 1

    def test_a_plan_repeated_after_its_answer_was_lost_gives_what_was_made(self, storage: Storage) -> None:
        storage.create_study(new_study(enqueue=({"hidden_units": 17},)))
        claim = storage.claim_study("wine", driver())
        [entry] = storage.queue("wine")
        said = [TrialPlan(number=0, params=entry.params, queued=entry.id, epochs=3), *plans(1, 3)]
        wanted = [CohortPlan(numbers=(0, 2), repeats=2), CohortPlan(numbers=(1, 3))]
        storage.plan_trials(claim, SPACE, [], [])
        made = storage.plan_trials(claim, SPACE, said, wanted)
        before = storage.trials("wine")

        again = storage.plan_trials(claim, SPACE, said, wanted)

        assert again == made == storage.open_cohorts("wine")
        assert storage.trials("wine") == before
        assert counted(storage.get_study("wine").counts) == {"RUNNING": 4}
        [later] = storage.plan_trials(claim, SPACE, plans(4, 1), [CohortPlan(numbers=(4,))])
        assert (later.numbers, storage.queue("wine")) == ((4,), [])

    @pytest.mark.parametrize("what", ["settings", "cohorts", "begun", "planned further"])
    def test_a_plan_of_numbers_that_are_given_to_others_is_refused(self, storage: Storage, what: str) -> None:
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver())
        said, wanted = plans(0, 2), [CohortPlan(numbers=(0, 1))]
        [made] = storage.plan_trials(claim, SPACE, said, wanted)
        if what == "settings":
            said = [said[0], TrialPlan(number=1, params={"hidden_units": 17})]
        elif what == "cohorts":
            wanted = [CohortPlan(numbers=(0,)), CohortPlan(numbers=(1,))]
        elif what == "begun":
            storage.start_cohort(claim, made.id)
        else:
            storage.plan_trials(claim, SPACE, plans(2, 1), [CohortPlan(numbers=(2,))])

        with pytest.raises(ValueError, match="next trial number"):
            storage.plan_trials(claim, SPACE, said, wanted)

    def test_cohorts_may_mix_numbers_and_have_several_lanes_a_trial(self, storage: Storage) -> None:
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver())
        wanted = [CohortPlan(numbers=(0, 2, 5), repeats=2, folds=3), CohortPlan(numbers=(1, 3, 4))]

        made = storage.plan_trials(claim, SPACE, plans(0, 6), wanted)

        assert storage.open_cohorts("wine") == made
        assert [(c.numbers, c.repeats, c.folds) for c in made] == [((0, 2, 5), 2, 3), ((1, 3, 4), 1, 1)]
        assert all(c.state is CohortState.READY and c.attempt == 0 for c in made)
        assert [t.cohort for t in storage.trials("wine")] == [made[i].id for i in (0, 1, 0, 1, 1, 0)]

    def test_each_start_of_a_cohort_is_an_attempt_that_voids_the_last(self, storage: Storage) -> None:
        claim, first = begun(storage)

        second = storage.start_cohort(claim, first.id)

        assert (first.attempt, second.attempt) == (1, 2)
        assert (second.state, second.driver) == (CohortState.RUNNING, driver())
        assert second.numbers == (0, 1, 2, 3)
        with pytest.raises(LeaseLost):
            storage.record_epochs(claim, first.id, first.attempt, 1, {})
        with pytest.raises(LeaseLost):
            storage.finish_trials(claim, first.id, first.attempt, [complete(0, 0.5)])
        assert storage.finish_trials(claim, second.id, second.attempt, [complete(0, 0.5)]) == [0]

    def test_a_cohort_that_is_not_running_takes_no_results(self, storage: Storage) -> None:
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver())
        [ready] = storage.plan_trials(claim, SPACE, plans(0, 1), [CohortPlan(numbers=(0,))])

        with pytest.raises(LeaseLost):
            storage.finish_trials(claim, ready.id, 0, [complete(0, 0.5)])
        started = storage.start_cohort(claim, ready.id)
        storage.finish_trials(claim, ready.id, started.attempt, [complete(0, 0.5)], done=True)
        with pytest.raises(LeaseLost):
            storage.start_cohort(claim, ready.id)
        assert storage.open_cohorts("wine") == []

    def test_how_far_a_cohort_is_can_be_read(self, storage: Storage) -> None:
        claim, cohort = begun(storage)

        storage.record_epochs(claim, cohort.id, cohort.attempt, 4, {0: {4: 0.5}})

        [open_one] = storage.open_cohorts("wine")
        assert (open_one.epoch, open_one.state) == (4, CohortState.RUNNING)

    def test_results_read_back_as_written(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        stopped = complete(0, 0.1 + 0.2, stderr=0.01, reason="stopped_early@5")
        diverged = TrialResult(number=1, state=TrialState.FAIL, reason="diverged@4", epochs=4)
        pruned = TrialResult(number=2, state=TrialState.PRUNED, reason="halving@3", value=0.4, epochs=3)

        ended = storage.finish_trials(claim, cohort.id, cohort.attempt, [pruned, stopped, diverged])

        assert ended == [0, 1, 2]
        one, two, three, four = storage.trials("wine")
        assert (one.state, one.reason, one.value) == (TrialState.COMPLETE, "stopped_early@5", 0.1 + 0.2)
        assert (one.stderr, one.best_epoch, one.epochs) == (0.01, 3, 5)
        assert (two.state, two.reason, two.value) == (TrialState.FAIL, "diverged@4", None)
        assert (three.state, three.reason, three.value) == (TrialState.PRUNED, "halving@3", 0.4)
        assert (four.state, four.finished_at) == (TrialState.RUNNING, None)
        assert one.finished_at is not None
        assert one.finished_at.tzinfo is UTC
        assert counted(storage.get_study("wine").counts) == {
            "RUNNING": 1,
            "COMPLETE": 1,
            "PRUNED": 1,
            "FAIL": 1,
        }
        assert numbers(storage.unfinished("wine")) == [3]

    def test_the_end_of_a_cohort_that_is_told_twice_is_one(self, storage: Storage) -> None:
        claim, cohort = begun(storage, 2)
        results = [complete(0, 0.5), complete(1, 0.25)]

        ended = [
            storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True) for _ in range(2)
        ]

        assert ended == [[0, 1], []]
        with pytest.raises(LeaseLost):
            storage.finish_trials(claim, cohort.id, cohort.attempt + 1, results, done=True)

    def test_a_finished_trial_never_changes(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5)])
        before = storage.get_trial("wine", 0)

        again = storage.finish_trials(
            claim, cohort.id, cohort.attempt, [complete(0, 0.9), complete(1, 0.6), complete(1, 0.7)]
        )
        storage.record_epochs(claim, cohort.id, cohort.attempt, 2, {0: {2: 0.9}})

        assert again == [1]
        assert storage.get_trial("wine", 0) == before
        assert storage.get_trial("wine", 1).value == 0.6
        assert counted(storage.get_study("wine").counts) == {"RUNNING": 2, "COMPLETE": 2}

    def test_a_result_of_a_foreign_trial_spoils_the_whole_call(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        storage.plan_trials(claim, SPACE, plans(4, 1), [CohortPlan(numbers=(4,))])

        for stranger in (4, 99):
            with pytest.raises(TrialNotFound, match=str(stranger)):
                storage.finish_trials(
                    claim, cohort.id, cohort.attempt, [complete(0, 0.5), complete(stranger, 0.5)]
                )

        assert counted(storage.get_study("wine").counts) == {"RUNNING": 5}

    def test_a_state_that_is_not_final_is_refused(self, storage: Storage) -> None:
        claim, cohort = begun(storage)

        with pytest.raises(ValueError, match="RUNNING"):
            storage.finish_trials(
                claim, cohort.id, cohort.attempt, [TrialResult(number=0, state=TrialState.RUNNING)]
            )

    def test_complete_without_a_number_is_a_failure_as_in_optuna(self, storage: Storage) -> None:
        claim, cohort = begun(storage)

        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, math.nan)])

        trial = storage.get_trial("wine", 0)
        assert (trial.state, trial.value, trial.reason) == (TrialState.FAIL, None, "error")

    def test_facts_read_back_and_what_is_no_number_as_none(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        facts = {
            "initial_loss": 0.1 + 0.2,
            "dead_units": None,
            "gradient_last": math.inf,
            "oscillation": math.nan,
        }

        storage.finish_trials(
            claim, cohort.id, cohort.attempt, [complete(0, 0.5, facts=facts), complete(1, 0.5)]
        )

        nothing = {"dead_units": None, "gradient_last": None, "oscillation": None}
        assert storage.get_trial("wine", 0).facts == {"initial_loss": 0.1 + 0.2, **nothing}
        assert [trial.facts for trial in storage.trials("wine")][1:3] == [{}, {}]

    def test_a_curve_reads_back_to_the_bit(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        block = array("f", [0.1, -0.0, math.inf, 1e-45, 3.0, 7.5])
        curve = Curve(columns=("train_loss", "validation_loss"), block=block)

        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5, curve=curve)])

        found = storage.curve("wine", 0)
        assert found is not None
        assert (found.columns, found.block.tobytes()) == (curve.columns, block.tobytes())
        assert found.n_epochs == 3
        assert storage.curve("wine", 1) is None
        assert storage.curves("wine", [0, 1, 9]) == {0: curve}
        with pytest.raises(TrialNotFound):
            storage.curve("wine", 9)

    def test_a_trial_that_there_is_not_is_not_found(self, storage: Storage) -> None:
        begun(storage)

        with pytest.raises(TrialNotFound, match="99"):
            storage.get_trial("wine", 99)

    def test_a_model_replaces_the_earlier_one(self, storage: Storage) -> None:
        claim = finished(storage, [0.5, 0.6])
        large = bytes(range(256)) * 4096 * 2 + b"end"  # over two chunks

        assert storage.model("wine") is None
        storage.save_model(claim, StoredModel(number=0, value=0.5, data=b"old"))
        storage.save_model(claim, StoredModel(number=1, value=0.6, data=large, meta={"epoch": 3}))

        assert storage.model("wine") == StoredModel(number=1, value=0.6, data=large, meta={"epoch": 3})

    def test_the_test_score_counts_how_often_it_was_made(self, storage: Storage) -> None:
        claim = finished(storage, [0.5])

        first = ScoredTest(number=0, scores={"accuracy": 0.4})
        assert storage.release(claim, StudyState.COMPLETED, test=first).test == {
            "number": 0,
            "accuracy": 0.4,
            "scored": 1,
        }
        storage.move_study("wine", StudyState.QUEUED)
        again = storage.claim_study("wine", claim.driver)
        second = ScoredTest(number=0, scores={"accuracy": 0.45, "f1": 0.4}, stderrs={"accuracy": 0.01})
        storage.release(again, StudyState.COMPLETED, test=second)
        assert storage.get_study("wine").test == {
            "number": 0,
            "accuracy": 0.45,
            "f1": 0.4,
            "stderr": {"accuracy": 0.01},
            "scored": 2,
        }
