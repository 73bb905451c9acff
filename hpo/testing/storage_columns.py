"""What every Storage must give of a study in columns: the same as trial by trial."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hpo.cohort import CohortPlan
from hpo.errors import StudyNotFound
from hpo.space import Choice, Range
from hpo.states import TrialState
from hpo.storage.base import Storage
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.studies import SPACE, begun, complete, driver, finished, new_study, plans
from hpo.trial import TrialPlan, TrialResult

# 1, 1.0, true and null are four choices.
CHOICES = Choice(choices=(None, 1, True, 1.0, "1"))


class ColumnsContract:
    """Columns agree with the records of trials."""

    def test_columns_say_of_every_trial_what_its_record_says(self, storage: Storage) -> None:
        claim, cohort = begun(storage, 5)
        results = [
            complete(3, 0.5),
            TrialResult(number=0, state=TrialState.FAIL, reason="diverged@1"),
            TrialResult(number=4, state=TrialState.PRUNED, value=0.25),
            complete(1, 0.75, feasible=False),
        ]
        storage.finish_trials(claim, cohort.id, cohort.attempt, results)

        found = storage.trial_columns("wine")

        trials = storage.trials("wine")
        assert found.numbers.tolist() == [trial.number for trial in trials] == [0, 1, 2, 3, 4]
        assert found.states.tolist() == [trial.state.value for trial in trials]
        assert found.feasible.tolist() == [trial.feasible for trial in trials]
        values = [math.nan if trial.value is None else trial.value for trial in trials]
        np.testing.assert_array_equal(found.values, [[value] for value in values])

    def test_of_several_objectives_each_has_a_column(self, storage: Storage) -> None:
        objectives = tuple(ObjectiveSpec(metric=m, direction=Direction.MINIMIZE) for m in ("mae", "epochs"))
        claim, cohort = begun(storage, 3, objectives=objectives)
        results = [
            TrialResult(number=1, state=TrialState.COMPLETE, values=(0.5, 7.0)),
            TrialResult(number=2, state=TrialState.FAIL, reason="error"),
        ]
        storage.finish_trials(claim, cohort.id, cohort.attempt, results)

        found = storage.trial_columns("wine").values

        np.testing.assert_array_equal(found, [[math.nan] * 2, [0.5, 7.0], [math.nan] * 2])

    def test_settings_are_the_numbers_that_optuna_keeps(self, storage: Storage) -> None:
        space = replace(SPACE, parameters={"rate": Range(low=0.0, high=1.0, type="float"), "kind": CHOICES})
        settings = [{"rate": n / 8, "kind": choice} for n, choice in enumerate(CHOICES.choices)] + [
            {"rate": 1.0},
            {},
        ]
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver())
        many = [TrialPlan(number=number, params=params) for number, params in enumerate(settings)]
        storage.plan_trials(claim, space, many, [CohortPlan(numbers=tuple(range(len(many))))])
        numbers = np.array([0, 2, 3, 4, 5, 6, 99])

        found = storage.trial_params("wine", space.searched, numbers)

        np.testing.assert_array_equal(found["rate"], [0, 2 / 8, 3 / 8, 4 / 8, 1.0, math.nan, math.nan])
        np.testing.assert_array_equal(found["kind"], [0, 2, 3, 4, math.nan, math.nan, math.nan])
        assert storage.trial_params("wine", space.searched, numbers[:0])["rate"].tolist() == []

    def test_settings_of_more_trials_than_one_statement_names_are_read_in_chunks(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hpo.storage.columns.NAMED", 2)
        monkeypatch.setattr("hpo.storage.reading.NAMED", 2)
        begun(storage, 9)
        only = {"hidden_units": SPACE.searched["hidden_units"]}

        few = storage.trial_params("wine", only, np.array([8, 9]))
        many = storage.trial_params("wine", only, np.array([1, 2, 5, 7, 12]))

        np.testing.assert_array_equal(few["hidden_units"], [24, math.nan])
        np.testing.assert_array_equal(many["hidden_units"], [17, 18, 21, 23, math.nan])

    def test_a_cohort_spans_its_trials_once_it_was_begun(self, storage: Storage) -> None:
        storage.create_study(new_study())
        claim = storage.claim_study("wine", driver())
        cohorts = [
            CohortPlan(numbers=(0, 1)),
            CohortPlan(numbers=(2,), repeats=3, folds=2),
            CohortPlan(numbers=(3,)),
        ]
        first, second, _ = storage.plan_trials(claim, SPACE, plans(0, 4), cohorts)
        first, second = (storage.start_cohort(claim, one.id) for one in (first, second))
        done = [complete(0, 0.5), complete(1, 0.5)]
        storage.finish_trials(claim, first.id, first.attempt, done, done=True)

        spans = storage.cohort_spans("wine")

        assert [(span.cohort, span.lanes) for span in spans] == [(first.id, 2), (second.id, 6)]
        trials = storage.trials("wine")
        assert [span.started_at for span in spans] == [first.started_at, second.started_at]
        assert first.started_at is not None
        assert trials[0].started_at is not None
        assert spans[0].finished_at is not None
        assert trials[0].started_at <= first.started_at <= spans[0].finished_at
        assert spans[0].finished_at == max(t.finished_at for t in trials[:2] if t.finished_at is not None)
        assert spans[1].finished_at is None

    def test_an_empty_study_has_empty_columns_and_no_study_is_an_error(self, storage: Storage) -> None:
        storage.create_study(new_study())

        assert storage.trial_columns("wine").values.shape == (0, 1)
        assert storage.cohort_spans("wine") == []
        for ask in (storage.trial_columns, storage.cohort_spans):
            with pytest.raises(StudyNotFound):
                ask("nobody")
        with pytest.raises(StudyNotFound):
            storage.trial_params("nobody", {}, np.array([0]))

    def test_a_trial_of_another_study_is_in_no_column(self, storage: Storage) -> None:
        finished(storage, [0.5, 0.75], name="other")
        finished(storage, [0.25])

        assert storage.trial_columns("wine").values.tolist() == [[0.25]]
        assert len(storage.cohort_spans("wine")) == 1
