"""The whole preparation: parts that do not overlap, test rows that no worker sees, the same bits each time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from hpo.data.prepare import describe, prepare
from hpo.dataset import PreparedData, Task
from hpo.errors import DataError
from hpo.study import DataSpec, SplitSpec

N = 150


def content(lines):
    """A number per row in column `row`, so that rows can be told apart in the arrays."""
    return lines(
        row=range(N), group=[i // 10 for i in range(N)], colour=["red" if i % 3 else "blue" for i in range(N)],
        part=[("train", "train", "train", "validation", "test")[i % 5] for i in range(N)], y=[f"c{i * 7 % 3}" for i in range(N)],
    )  # fmt: skip


SPLITS = [
    {},
    {"test": 0.0},
    {"folds": 4},
    {"folds": 3, "groups": "group"},
    {"groups": "group"},
    {"order": "group"},
    {"folds": 3, "order": "group"},
    {"column": "part"},
    {"column": "part", "folds": 3},
]


@pytest.mark.parametrize("split", SPLITS)
def test_training_data_never_contains_a_test_row(bench, lines, split):
    scaled = bench.csv(content(lines), split=split).scaled["none"]

    test = set() if scaled.test is None else set(scaled.test[0].x[:, 0].tolist())
    assert (scaled.test is None) == (split.get("test") == 0.0)
    for training, validation in scaled.training.folds:
        seen = [*training.x[:, 0].tolist(), *validation.x[:, 0].tolist()]
        assert len(seen) == len(set(seen))
        assert not test & set(seen)
        if "order" not in split:
            assert sorted([*seen, *test]) == list(range(N))


@pytest.mark.parametrize("split", SPLITS)
def test_every_fold_has_arrays_that_fit_together(bench, lines, split):
    prepared = bench.csv(content(lines), split=split, scaling="standardize")

    scaled = prepared.scaled["standardize"]
    assert len(scaled.training.folds) == len(scaled.preprocessing) == split.get("folds", 1)
    assert scaled.test is None or len(scaled.test) == len(scaled.training.folds)
    assert scaled.training.n_features == prepared.info.n_features
    for training, validation in scaled.training.folds:
        np.testing.assert_allclose(training.x[:, 0].mean(), 0, atol=1e-5)
        assert len(validation.x) > 0
        check(training, prepared)
        check(validation, prepared)


def test_the_columns_that_divide_rows_are_no_features(bench, lines):
    for key, column in (("groups", "group"), ("order", "group"), ("column", "part")):
        record = bench.csv(content(lines), split={key: column}).scaled["none"].preprocessing[0]
        assert column not in record["numbers"] + [entry["name"] for entry in record["categories"]]


def test_the_order_of_dates_and_text_is_followed(bench, lines):
    days = [f"{i % 28 + 1:02}.{i % 12 + 1:02}.2020" for i in range(84)]
    prepared = bench.csv(lines(a=range(84), day=days, y=[i % 2 for i in range(84)]), split={"order": "day"})

    last = sorted(days, key=lambda day: day.split(".")[::-1])[-17:]
    assert sorted(days[int(i)] for i in prepared.scaled["none"].test[0].x[:, 0]) == sorted(last)


def test_a_row_without_a_group_is_refused_with_its_number(bench):
    rows = "\n".join(f"{i},{'' if i == 4 else i // 3},{i % 2}" for i in range(30))

    with pytest.raises(DataError, match="column 'g' is empty in row 5") as error:
        bench.csv("a,g,y\n" + rows, split={"groups": "g"})

    assert error.value.field == "data.split.groups"


def test_the_same_spec_gives_the_same_bits(bench, lines):
    first, second = (bench.csv(content(lines), scaling="standardize").scaled["standardize"] for _ in range(2))

    for ours, theirs in zip(
        (*first.training.folds[0], *first.test), (*second.training.folds[0], *second.test), strict=True
    ):
        assert ours.x.tobytes() == theirs.x.tobytes()
        assert ours.y.tobytes() == theirs.y.tobytes()
    assert first.preprocessing == second.preprocessing


def test_the_arrays_are_pinned_so_that_a_change_of_the_preparation_is_noticed(tmp_path):
    prepared = prepare(
        DataSpec(source="wine", split=SplitSpec(seed=0)), scalings=["minmax"], folder=tmp_path, seed=5
    )

    digest = hashlib.sha256()
    for rows in (*prepared.scaled["minmax"].training.folds[0], *prepared.scaled["minmax"].test):
        digest.update(rows.x.tobytes())
        digest.update(rows.y.tobytes())
    assert digest.hexdigest()[:16] == "23d13214cf1977cb"


def test_all_scalings_asked_for_are_there_and_the_default_has_its_name(tmp_path):
    def names(source):
        spec = DataSpec(source=source)
        return set(prepare(spec, scalings=[None, "none", "minmax"], folder=tmp_path, seed=0).scaled)

    assert names("iris") == {"standardize", "none", "minmax"}
    assert names("digits") == {"none", "minmax"}


def test_a_description_says_what_a_preparation_says(bench, lines):
    prepared = bench.csv(content(lines))

    info = describe(DataSpec(source="data.csv", target="y"), bench.folder)

    assert info == prepared.info
    assert (info.n_rows, info.task, info.target, info.classes) == (
        N,
        Task.CLASSIFICATION,
        "y",
        ("c0", "c1", "c2"),
    )
    assert (info.n_train, info.n_validation, info.n_test) == (90, 30, 30)


def test_the_hash_follows_the_content(bench):
    frame = load_iris(as_frame=True).frame
    first = bench.csv(frame.to_csv(index=False), target="target").info.sha256
    frame.iloc[0, 0] += 0.1

    assert bench.csv(frame.to_csv(index=False), target="target").info.sha256 != first


CELLS = st.one_of(
    st.sampled_from(
        [
            "1",
            "2.5",
            "-3",
            "NA",
            "",
            "?",
            "inf",
            "1e999",
            "nan",
            "a",
            "b",
            "true",
            "2020-01-01",
            "1,5",
            '"x',
            "0",
        ]
    ),
    st.integers(-5, 5).map(str),
    st.floats(width=32).map(str),
    st.text(max_size=4),
)


POOLS = st.one_of(
    st.lists(st.integers(-3, 9).map(str), min_size=2, max_size=8),
    st.lists(st.sampled_from(["u", "v", "NA", "w x"]), min_size=2, max_size=4),
    st.lists(st.floats(-1e6, 1e6, width=32).map(str), min_size=2, max_size=12),
    st.lists(CELLS, min_size=1, max_size=6),
)


@st.composite
def tables(draw):
    """Something like a CSV file: mostly even, with columns of one sort or of all sorts."""
    width = draw(st.integers(2, 4))
    pools = draw(st.lists(POOLS, min_size=width, max_size=width))
    least = draw(st.sampled_from([0, 12, 30]))
    rows = draw(st.lists(st.tuples(*(st.sampled_from(pool) for pool in pools)), min_size=least, max_size=40))
    delimiter, ends = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n"]))
    text = ends.join(delimiter.join(row) for row in [["y", "a", "b", "c"][:width], *rows])
    return text.encode(draw(st.sampled_from(["utf-8", "utf-16"])), "replace")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=tables() | st.binary(max_size=80).map(lambda tail: b"y,a\n" + tail) | st.binary(max_size=40),
    task=st.sampled_from([None, "classification", "regression"]),
    split=st.sampled_from([{}, {"folds": 2, "test": 0.0}, {"groups": "a"}, {"order": "a"}, {"column": "b"}]),
    scaling=st.sampled_from(["none", "standardize", "minmax"]),
    name=st.sampled_from(["f.csv", "f.tsv", "f.parquet", "f.npz", "f"]),
)
def test_any_bytes_give_a_data_error_or_valid_arrays(bench, data, task, split, scaling, name):
    try:
        prepared = bench.csv(data, name=name, task=task, split=split, scaling=scaling)
    except DataError as error:
        refused = error
    else:
        check_all(prepared, scaling)
        return

    assert refused.field
    assert refused.detail.strip()


def check_all(prepared: PreparedData, scaling: str):
    scaled = prepared.scaled[scaling]
    for training, validation in scaled.training.folds:
        check(training, prepared)
        check(validation, prepared)
        if prepared.info.classes:
            assert set(training.y) == set(range(len(prepared.info.classes)))
    for rows in scaled.test or ():
        check(rows, prepared)


def check(rows, prepared: PreparedData):
    assert rows.x.shape == (len(rows.y), prepared.info.n_features)
    assert rows.x.dtype == rows.y.dtype == np.float32
    assert rows.x.flags.c_contiguous
    assert np.isfinite(rows.x).all()
    assert np.isfinite(rows.y).all()
    if prepared.info.classes:
        assert set(rows.y) <= set(range(len(prepared.info.classes)))


def test_a_target_is_scaled_with_each_folds_own_training_rows(bench, lines):
    content = lines(time=range(90), a=[i * i % 17 for i in range(90)], y=[i * i for i in range(90)])

    prepared = bench.csv(content, split={"folds": 3, "order": "time"}, task="regression")

    data = prepared.scaled["none"].training
    for fold, (training, _) in enumerate(data.folds):
        assert abs(training.y.astype(np.float64).mean()) < 1e-6
        assert abs(training.y.astype(np.float64).std() - 1) < 1e-6
        assert data.target_scaling(fold) == data.target_scalings[fold]
    assert len(set(data.target_scalings)) == 3


@pytest.mark.parametrize("split", [{}, {"folds": 4}, {"folds": 3, "order": "a"}, {"test": 0.0}])
def test_rows_of_a_refit_are_all_but_the_test_rows_prepared_anew(bench, lines, split):
    n = 90
    prepared = bench.csv(
        lines(a=range(n), b=[i * 7 % n for i in range(n)], y=[i % 2 for i in range(n)]),
        split=split,
        scaling="standardize",
    )

    refit = prepared.refit["standardize"]
    ((training, validation),) = refit.training.folds
    assert len(training.x) == n - prepared.info.n_test
    assert validation.x.shape == (0, refit.training.n_features)
    np.testing.assert_allclose(training.x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(training.x.std(axis=0), 1, atol=1e-6)
    assert (refit.test is None) == (prepared.info.n_test == 0)
