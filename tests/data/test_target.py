"""The task and its reason, classes of any type, the scaling of a regression target."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from hpo.data.target import fit_target_scaling, scale_target
from hpo.dataset import Task
from hpo.errors import DataError

N = 120
A = [i * 37 % 101 for i in range(N)]


@pytest.mark.parametrize(
    ("cells", "task", "reason"),
    [
        (["no", "yes"] * 60, Task.CLASSIFICATION, "y is text"),
        (["True", "False"] * 60, Task.CLASSIFICATION, "y is text"),
        ([i % 20 for i in range(N)], Task.CLASSIFICATION, "20 distinct whole numbers"),
        ([i % 21 for i in range(N)], Task.REGRESSION, "21 distinct whole numbers, more than 20"),
        ([float(i % 3) for i in range(N)], Task.REGRESSION, "not all whole"),
        ([f"2020-01-{i % 28 + 1:02}" for i in range(N)], Task.REGRESSION, "dates"),
    ],
)
def test_the_task_is_inferred_with_its_reason(bench, lines, cells, task, reason):
    info = bench.csv(lines(a=A, y=cells)).info

    assert info.task is task
    assert reason in info.task_reason


def test_the_task_that_is_asked_for_is_taken(bench, lines):
    content = lines(a=A, y=[i % 3 for i in range(N)])

    assert bench.csv(content, task="regression").info.task is Task.REGRESSION
    assert bench.csv(content, task="classification").info.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["b", "a", " a "] * 40, ("a", "b")),
        ([10, 9, 2] * 40, ("2", "9", "10")),
        ([0.5, -1.0, 0.5] * 40, ("-1", "0.5")),
        ([">50K", "<=50K", "?"] * 40, ("<=50K", ">50K")),
    ],
)
def test_classes_of_any_type_are_strings_in_order(bench, lines, cells, classes):
    prepared = bench.csv(lines(a=A, y=cells), task="classification")

    assert prepared.info.classes == classes
    training, _ = prepared.scaled["none"].training.folds[0]
    assert training.y.dtype == np.float32
    assert set(training.y) == set(map(float, range(len(classes))))


def test_class_numbers_are_those_of_the_rows(bench, lines):
    prepared = bench.csv(lines(a=A, y=["high" if a > 50 else "low" for a in A]))

    for rows in (*prepared.scaled["none"].training.folds[0], prepared.scaled["none"].test[0]):
        assert np.array_equal(rows.y, (rows.x[:, 0] <= 50).astype(np.float32))


def test_rows_without_a_target_are_left_out_and_counted(bench, lines):
    prepared = bench.csv(lines(a=range(N), y=["" if i < 20 else i % 2 for i in range(N)]))

    assert prepared.info.n_rows == 100
    assert "20 rows have no target and are left out." in prepared.info.notes
    training, validation = prepared.scaled["none"].training.folds[0]
    seen = np.concatenate([training.x, validation.x, prepared.scaled["none"].test[0].x])
    assert sorted(seen[:, 0]) == list(range(20, N))


@pytest.mark.parametrize(("positive", "number"), [("yes", 1), ("no", 0), (None, None)])
def test_the_positive_class_is_found_by_name(bench, lines, positive, number):
    prepared = bench.csv(lines(a=A, y=["no", "yes"] * 60), positive=positive)

    assert prepared.scaled["none"].training.positive == number


@pytest.mark.parametrize(("cells", "positive"), [([0, 1], 1), ([0, 1], 1.0), (["false", "true"], True)])
def test_the_positive_class_may_be_a_number_or_true(bench, lines, cells, positive):
    assert bench.csv(lines(a=A, y=cells * 60), positive=positive).scaled["none"].training.positive == 1


def test_a_regression_target_is_standardized_on_training_rows(bench, lines):
    prepared = bench.csv(lines(a=range(N), y=[i * i / 7 for i in range(N)]))

    scaled = prepared.scaled["none"]
    training, validation = scaled.training.folds[0]
    oracle = StandardScaler().fit(training.x.astype(np.float64) ** 2 / 7)
    for rows in (training, validation, scaled.test[0]):
        expected = oracle.transform(rows.x.astype(np.float64) ** 2 / 7)[:, 0]
        np.testing.assert_allclose(rows.y, expected, rtol=1e-6, atol=1e-6)
    assert scaled.training.target_scaling(0).kind == "standardize"
    np.testing.assert_allclose(scaled.training.target_scaling(0).scale, oracle.scale_[0])


def test_log1p_scales_the_logarithm_and_none_leaves_the_target_alone(bench, lines):
    content = lines(a=range(N), y=[i * i / 7 for i in range(N)])

    by_log = bench.csv(content, target_scaling="log1p").scaled["none"].training
    plain = bench.csv(content, target_scaling="none").scaled["none"].training

    x = by_log.folds[0][0].x[:, 0].astype(np.float64)
    log = np.log1p(x * x / 7)
    np.testing.assert_allclose(by_log.folds[0][0].y, (log - log.mean()) / log.std(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(plain.folds[0][0].y, x * x / 7, rtol=1e-6)


def test_scaling_is_undone_by_its_numbers():
    values = np.array([0.0, 1.0, 10.0])
    from_numbers = fit_target_scaling("log1p", values, "y")

    scaled = scale_target(from_numbers, values).astype(np.float64)

    np.testing.assert_allclose(np.expm1(scaled * from_numbers.scale + from_numbers.mean), values, atol=1e-5)


@pytest.mark.parametrize(
    ("cells", "spec", "field", "words"),
    [
        (["a"] * N, {}, "data.target", "'a' in every row; two classes are needed"),
        ([3] * N, {}, "data.target", "'3' in every row"),
        ([3.5] * N, {}, "data.target", "is 3.5 in every training row; there is nothing to learn"),
        (["NA"] * N, {}, "data.target", "is empty in every row"),
        ([f"k{i % 60}" for i in range(N)], {"task": "regression"}, "data.task", "regression needs numbers"),
        ([1, 2] * 60, {"task": "clasification"}, "data.task", "did you mean 'classification'?"),
        ([1, 2] * 60, {"positive": "3"}, "data.positive", "no class is called '3'; there are 1, 2"),
        ([1.5, 2] * 60, {"positive": "3"}, "data.positive", "only a classification"),
        ([-1.5, 2] * 60, {"target_scaling": "log1p"}, "data.target_scaling", "above -1, but row 1 has -1.5"),
        ([1.5, 2] * 60, {"target_scaling": "log"}, "data.target_scaling", "did you mean 'log1p'?"),
        ([1, 2] * 60, {"target_scaling": "log1p"}, "data.target_scaling", "only a regression target"),
    ],
)
def test_a_target_that_is_of_no_use_says_why(bench, lines, cells, spec, field, words):
    with pytest.raises(DataError) as error:
        bench.csv(lines(a=A, y=cells), **spec)

    assert words in error.value.detail
    assert error.value.field == field


def test_more_than_a_thousand_classes_are_refused(bench, lines):
    content = lines(a=[i % 7 for i in range(3003)], y=[i % 1001 for i in range(3003)])

    with pytest.raises(DataError, match=r"1,001 classes, at most 1,000 are possible; is it a regression"):
        bench.csv(content, task="classification")
