"""The built-in sets are scikit-learn's and the Playground's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn import datasets

from hpo.data.registry import BUILT_IN, load_built_in
from hpo.dataset import Task
from hpo.errors import DataError

BUNDLED = {
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": lambda: datasets.load_diabetes(scaled=False),
}
PLAYGROUND = ("spiral", "circle", "xor", "gauss", "plane")


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_set_equals_what_scikit_learn_loads(name):
    oracle = BUNDLED[name]()

    table, _ = load_built_in(name, {})

    assert np.array_equal(table.block, oracle.data)
    assert list(table.block_names) == list(oracle.feature_names)
    assert np.array_equal(table.column("target").values, oracle.target)


def test_classes_have_the_names_and_the_order_they_have_in_scikit_learn(bench):
    assert bench.prepare("breast_cancer").info.classes == ("malignant", "benign")
    assert bench.prepare("iris").info.classes == tuple(datasets.load_iris().target_names)
    assert bench.prepare("digits").info.classes == tuple("0123456789")


def test_digits_are_images_scaled_by_minmax_with_all_64_pixels(bench):
    prepared = bench.prepare("digits", scaling=None)

    assert prepared.info.images
    assert prepared.info.n_features == 64
    training, _ = prepared.scaled["minmax"].training.folds[0]
    assert (training.x.min(), training.x.max()) == (0.0, 1.0)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_set_is_prepared_without_naming_a_target(bench, name):
    prepared = bench.prepare(name, scaling=None)

    assert prepared.info.n_train + prepared.info.n_validation + prepared.info.n_test == prepared.info.n_rows
    assert len(prepared.info.sha256) == 64


def test_built_in_sets_load_neither_pandas_nor_scikit_learn_nor_pyarrow():
    code = (
        "import sys; from pathlib import Path; from hpo.data.prepare import prepare; from hpo.study import DataSpec\n"
        "for name in ('digits', 'spiral'): prepare(DataSpec(source=name), scalings=[None], folder=Path(), seed=0)\n"
        "print([m for m in ('pandas', 'sklearn', 'pyarrow', 'torch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", PLAYGROUND)
def test_a_playground_set_has_the_seven_inputs_computed_from_the_point(name):
    table, _ = load_built_in(name, {"noise": 0.2, "rows": 101})

    x, y = table.block[:, 0], table.block[:, 1]

    expected = np.stack([x, y, x**2, y**2, x * y, np.sin(x), np.sin(y)], axis=1)
    np.testing.assert_allclose(table.block, expected)
    assert table.block.shape == (101, 7)
    assert table.task is (Task.REGRESSION if name == "plane" else Task.CLASSIFICATION)


def test_without_noise_labels_follow_the_playgrounds_rules():
    def points(name):
        table, _ = load_built_in(name, {})
        return table.block[:, 0], table.block[:, 1], table.column("label").values

    x, y, label = points("xor")
    assert np.array_equal(label, np.where(x * y >= 0, 1, -1))
    assert min(abs(x).min(), abs(y).min()) >= 0.3
    x, y, label = points("circle")
    assert np.array_equal(label, np.where(np.hypot(x, y) < 2.5, 1, -1))
    x, y, label = points("plane")
    np.testing.assert_allclose(label, (x + y) / 10)
    x, y, label = points("gauss")
    assert abs(x[label == 1].mean() - 2) < 0.2
    assert abs(x[label == 1].var() - 0.5) < 0.15
    x, y, label = points("spiral")
    for sign, shift in ((1, 0.0), (-1, np.pi)):
        share = np.arange(250) / 250
        angle = 1.75 * share * 2 * np.pi + shift
        np.testing.assert_allclose(x[label == sign], 5 * share * np.sin(angle), atol=1e-9)
        np.testing.assert_allclose(y[label == sign], 5 * share * np.cos(angle), atol=1e-9)


def test_noise_and_seed_change_the_points_and_nothing_else_does():
    plain, with_noise, other_seed, again = (
        load_built_in("spiral", options)[1]
        for options in ({}, {"noise": 0.1}, {"noise": 0.1, "seed": 1}, {"noise": 0.0})
    )

    assert plain == again
    assert len({plain, with_noise, other_seed}) == 3


def test_chosen_features_come_in_the_order_asked_for():
    table, _ = load_built_in("circle", {"features": "x2, x1^2 sin(x1)"})

    assert table.block_names == ("x2", "x1²", "sin(x1)")


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"noise": 25}, "data.options.noise", "0.25"),
        ({"noise": True}, "data.options.noise", "must be a number"),
        ({"rows": 2}, "data.options.rows", "whole number from 10"),
        ({"rows": 20.5}, "data.options.rows", "whole number"),
        ({"nois": 0.1}, "data.options.nois", "did you mean 'noise'?"),
        ({"features": "x3"}, "data.options.features", "there are x1, x2"),
        ({"features": 7}, "data.options.features", "names such as"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_place(options, field, words):
    with pytest.raises(DataError, match=words.replace("?", r"\?")) as error:
        load_built_in("spiral", options)

    assert error.value.field == field


def test_sets_of_scikit_learn_and_files_have_no_options(bench):
    with pytest.raises(DataError, match="digits has no options"):
        bench.prepare("digits", options={"noise": 0.1})
    with pytest.raises(DataError, match="only the built-in sets of the Playground"):
        bench.prepare(bench.write("a,y\n1,2\n"), options={"noise": 0.1})


def test_another_column_of_a_built_in_set_can_be_the_target(bench):
    info = bench.prepare("iris", target="petal width (cm)").info

    assert info.task is Task.REGRESSION
    assert {column.name: column.kind for column in info.columns}["target"] == "category"
