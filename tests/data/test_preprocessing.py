"""Scalings equal scikit-learn's, are fitted on training rows only, and are repeated by their record."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

from hpo.data import preprocessing, scalings
from hpo.data.columns import Features
from hpo.data.prepare import prepare
from hpo.data.preprocessing import apply, fit, padded, read_features, with_components, with_scaling
from hpo.data.readers import read_source
from hpo.errors import DataError, UnknownName
from hpo.study import DataSpec, SplitSpec

ORACLES = {
    "none": lambda: StandardScaler(with_mean=False, with_std=False),
    "center": lambda: StandardScaler(with_std=False),
    "standardize": StandardScaler,
    "minmax": MinMaxScaler,
    "quantile": lambda: QuantileTransformer(n_quantiles=100, subsample=None),
}


def numbers(matrix):
    return Features(numbers=matrix, number_names=tuple(f"x{i}" for i in range(matrix.shape[1])))


@pytest.mark.parametrize("kind", ORACLES)
@pytest.mark.parametrize("load", [load_wine, load_digits])
def test_a_scaling_equals_scikit_learns_fitted_on_the_same_rows(kind, load, monkeypatch):
    x = load().data
    training = np.random.default_rng(0).permutation(len(x))[:100]
    images = load is load_digits
    monkeypatch.setattr(preprocessing, "_CHUNK_CELLS", 1000)  # many chunks, as for a large table

    record = with_scaling(fit(numbers(x), training, images=images), numbers(x), training, kind)
    ours = apply(record, numbers(x))

    theirs = ORACLES[kind]().fit(x[training]).transform(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous


@pytest.mark.parametrize("small_cells", [10**7, 1])
@pytest.mark.parametrize("kind", ["pca", "whiten"])
@pytest.mark.parametrize("load", [load_wine, load_digits])
def test_principal_components_equal_scikit_learns(kind, load, small_cells, monkeypatch):
    x = load().data
    training = np.random.default_rng(0).permutation(len(x))[:150]
    images = load is load_digits
    monkeypatch.setattr(preprocessing, "_CHUNK_CELLS", 1000)
    monkeypatch.setattr(scalings, "_SMALL_CELLS", small_cells)  # both ways of finding them

    full = with_scaling(fit(numbers(x), training, images=images), numbers(x), training, kind)
    few = with_components(full, 7)

    oracle = PCA(7, whiten=kind == "whiten", svd_solver="full").fit(x[training])
    np.testing.assert_allclose(apply(few, numbers(x)), oracle.transform(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(apply(few, numbers(x)), apply(full, numbers(x))[:, :7])
    assert few["features"] == [f"component {i}" for i in range(1, 8)]
    # Pixels that are dark in all training images have no variance and make no component.
    assert full["n_features"] == np.linalg.matrix_rank(x[training] - x[training].mean(0))


def test_whitened_training_rows_are_uncorrelated_with_variance_1():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 6)) @ random.normal(size=(6, 6)) * [1e6, 1, 1e-3, 1, 50, 1]
    rows = np.arange(80)

    scaled = apply(with_scaling(fit(numbers(x), rows), numbers(x), rows, "whiten"), numbers(x))

    np.testing.assert_allclose(np.cov(scaled.T.astype(np.float64)), np.eye(6), atol=1e-4)


def test_more_rows_than_quantiles_are_transformed_as_scikit_learn_does(monkeypatch):
    random = np.random.default_rng(0)
    x = np.column_stack(
        [random.exponential(size=5000), random.integers(0, 4, 5000), random.normal(size=5000)]
    )
    training = np.arange(4000)
    monkeypatch.setattr(scalings, "_SMALL_CELLS", 500)  # one column at a time

    ours = apply(with_scaling(fit(numbers(x), training), numbers(x), training, "quantile"), numbers(x))

    oracle = QuantileTransformer(n_quantiles=1000, subsample=None).fit(x[training])
    np.testing.assert_allclose(ours, oracle.transform(x), rtol=1e-6, atol=1e-6)


def test_components_stand_before_indicators_and_categories(bench, lines):
    random = np.random.default_rng(0)
    content = lines(
        a=["" if i % 5 == 0 else i for i in range(90)],
        b=random.normal(size=90),
        c=random.normal(size=90),
        d=["u" if i % 3 else "v" for i in range(90)],
        y=[i % 2 for i in range(90)],
    )

    prepared = bench.csv(content, scaling="pca-2")

    record = prepared.scaled["pca-2"].preprocessing[0]
    assert record["features"] == ["component 1", "component 2", "a=missing", "d=u", "d=v"]
    assert prepared.scaled["pca-2"].training.n_features == prepared.info.inputs_under("pca-2") == 5
    assert prepared.info.n_features == prepared.info.inputs_under("standardize") == 6
    assert set(np.unique(prepared.scaled["pca-2"].training.folds[0][0].x[:, 2:])) == {0.0, 1.0}


def test_more_components_than_there_are_is_refused_with_the_number_that_is_possible(bench, lines):
    content = lines(
        a=range(90), b=[i * i for i in range(90)], d=["u", "v"] * 45, y=[i % 2 for i in range(90)]
    )

    with pytest.raises(DataError, match=r"5 components .* only 2 .*write at most 2") as caught:
        bench.csv(content, scaling="whiten-5")

    assert caught.value.field == "parameters.pca_components"


def test_folds_of_different_rank_have_equally_many_features(bench, lines):
    content = lines(
        time=range(90),
        a=[i * i % 17 for i in range(90)],
        b=[0] * 50 + list(range(40)),  # constant in the first fold's training rows
        y=[i % 2 for i in range(90)],
    )

    prepared = bench.csv(content, scaling="pca", split={"folds": 3, "order": "time", "test": 0})

    folds = prepared.scaled["pca"].training.folds
    assert {rows.x.shape[1] for fold in folds for rows in fold} == {2}
    assert not folds[0][0].x[:, 1].any()
    assert folds[2][0].x[:, 1].any()


def test_bytes_of_images_are_scaled_as_floats_are():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 12), dtype=np.uint8)
    rows = np.arange(40)

    records = [
        with_scaling(fit(numbers(x), rows, images=True), numbers(x), rows, "standardize")
        for x in (pixels, pixels.astype(np.float64))
    ]

    assert np.array_equal(
        apply(records[0], numbers(pixels)), apply(records[1], numbers(pixels.astype(float)))
    )


def test_values_of_other_rows_change_nothing_in_the_record():
    random = np.random.default_rng(0)
    x = random.normal(size=(100, 4))
    training = np.arange(60)
    other = x.copy()
    other[60:] = random.normal(50, 20, (40, 4))

    records = [
        with_scaling(fit(numbers(m), training), numbers(m), training, "standardize") for m in (x, other)
    ]

    assert records[0] == records[1]


def test_a_large_offset_does_not_spoil_the_deviation():
    x = 1.7e9 + np.random.default_rng(0).normal(size=(1000, 1))

    scaled = apply(
        with_scaling(fit(numbers(x), np.arange(1000)), numbers(x), np.arange(1000), "standardize"), numbers(x)
    )

    assert abs(scaled.std() - 1) < 1e-5


def test_values_far_outside_of_training_stay_finite():
    x = np.array([[0.0], [1e-200], [1e30]])

    scaled = apply(
        with_scaling(fit(numbers(x), np.arange(2)), numbers(x), np.arange(2), "minmax"), numbers(x)
    )

    assert np.isfinite(scaled).all()


def test_indicators_and_categories_stay_zero_and_one_under_every_scaling(bench, lines):
    n = 90
    content = lines(
        a=["" if i % 5 == 0 else i for i in range(n)],
        b=["u" if i % 3 else "v" for i in range(n)],
        y=[i % 2 for i in range(n)],
    )

    for kind in ORACLES:
        x = bench.csv(content, scaling=kind).scaled[kind].training.folds[0][0].x
        assert set(np.unique(x[:, 1:])) == {0.0, 1.0}


def test_a_column_that_is_constant_where_present_leaves_its_indicator(bench, lines):
    prepared = bench.csv(
        lines(a=["" if i % 3 else 7 for i in range(90)], b=range(90), y=[i % 2 for i in range(90)])
    )

    assert prepared.scaled["none"].preprocessing[0]["features"] == ["b", "a=missing"]


def test_columns_constant_in_training_only_are_left_out(bench, lines):
    part = ["train"] * 50 + ["validation"] * 20 + ["test"] * 20
    content = lines(
        a=[0] * 50 + list(range(40)),
        b=range(90),
        c=["u"] * 50 + ["v"] * 40,
        part=part,
        y=[i % 2 for i in range(90)],
    )

    prepared = bench.csv(content, split={"column": "part"})

    assert prepared.scaled["none"].preprocessing[0]["features"] == ["b"]
    notes = {column.name: column.note for column in prepared.info.columns}
    assert notes["a"] == notes["c"] == "constant in training"
    assert notes["part"] == "says how rows are divided"


def test_categories_that_training_has_not_are_in_no_column_or_in_the_rest(bench, lines):
    part = ["train"] * 60 + ["validation"] * 15 + ["test"] * 15
    few = lines(
        a=[("u", "v")[i % 2] for i in range(60)] + ["new"] * 30,
        b=range(90),
        part=part,
        y=[i % 2 for i in range(90)],
    )

    x = bench.csv(few, split={"column": "part"}).scaled["none"].test[0].x

    assert (x[:, 1:] == 0).all()


def test_the_record_is_json_and_repeats_the_preparation_on_new_rows(bench, lines):
    random = np.random.default_rng(0)
    n = 120
    content = lines(
        a=["" if i % 7 == 0 else value for i, value in enumerate(random.normal(size=n).round(4))],
        day=[f"2020-{i % 12 + 1:02}-03" for i in range(n)],
        b=[("u", "v", "?")[i % 3] for i in range(n)],
        code=[i % 4 for i in range(n)],
        y=[f"c{i % 2}" for i in range(n)],
    )
    prepared = bench.csv(content, categories=("code",), scaling="standardize")
    record = json.loads(json.dumps(prepared.scaled["standardize"].preprocessing[0]))

    table, _ = read_source("data.csv", {}, bench.folder, None)
    x = apply(record, read_features(record, table))

    rows = {row.tobytes() for row in x}
    training, validation = prepared.scaled["standardize"].training.folds[0]
    assert {
        row.tobytes()
        for part in (training, validation, prepared.scaled["standardize"].test[0])
        for row in part.x
    } == rows
    assert record["target"] == {
        "name": "y", "task": "classification", "classes": ["c0", "c1"],
        "scaling": {"kind": "none", "mean": 0.0, "scale": 1.0},
    }  # fmt: skip
    assert len(record["features"]) == record["n_features"] == prepared.info.n_features


def test_new_rows_without_a_column_or_with_text_for_numbers_are_refused(bench, lines):
    record = (
        bench.csv(lines(a=range(40), b=range(40), y=[i % 2 for i in range(40)]))
        .scaled["none"]
        .preprocessing[0]
    )
    for content, words in (
        ("a,c\n1,2\n", "no column is called 'b'"),
        ("a,b\nx,2\n", "column 'a' wants a number, but row 1 says 'x'"),
    ):
        table, _ = read_source(bench.write(content, "new.csv"), {}, bench.folder, None)

        with pytest.raises(DataError, match=words):
            read_features(record, table)


def test_dates_of_new_rows_are_read_as_training_wrote_them(bench, lines):
    days = [f"{i % 28 + 1:02}/{i % 12 + 1:02}/2020" for i in range(60)]  # the day first: some are above 12
    prepared = bench.csv(lines(day=days, y=[i % 2 for i in range(60)]))
    record = json.loads(json.dumps(prepared.scaled["none"].preprocessing[0]))

    table, _ = read_source(
        bench.write('day\n03/04/2020\n2020-04-03\n""\n', "new.csv"), {}, bench.folder, None
    )
    x = apply(record, read_features(record, table))

    assert x[:2, 0].tolist() == [18355.0, 18355.0]  # the third of April
    with pytest.raises(DataError, match="column 'day' wants a date, but row 1 says '04/13/2020'"):
        read_features(
            record, read_source(bench.write("day\n04/13/2020\n", "us.csv"), {}, bench.folder, None)[0]
        )


def test_new_rows_may_be_one_row_with_everything_missing(bench, lines):
    content = lines(a=range(40), b=["u", "v"] * 20, y=[i % 2 for i in range(40)])
    prepared = bench.csv(content)
    record = prepared.scaled["none"].preprocessing[0]

    table, _ = read_source(bench.write("b,a\nnew,\n", "new.csv"), {}, bench.folder, None)
    x = apply(record, read_features(record, table))

    assert x.tolist() == [
        [np.float32(np.median(prepared.scaled["none"].training.folds[0][0].x[:, 0])), 0.0, 0.0]
    ]


def test_folds_of_different_width_are_filled_up_with_zeros():
    record = fit(numbers(np.arange(12.0).reshape(6, 2)), np.arange(6))

    x = apply(
        padded(with_scaling(record, numbers(np.ones((6, 2))), np.arange(6), "none"), 5),
        numbers(np.ones((3, 2))),
    )

    assert x.tolist() == [[1, 1, 0, 0, 0]] * 3


def test_an_unknown_scaling_is_an_error_with_the_nearest_name(tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'standardize'"):
        prepare(DataSpec(source="iris", split=SplitSpec()), scalings=["standardise"], folder=tmp_path, seed=0)
