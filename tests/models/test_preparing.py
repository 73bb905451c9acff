"""Raw columns become the very inputs that training had; cells that cannot be right are named."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from hpo.data import literals
from hpo.data.preprocessing import apply, read_features
from hpo.data.readers import read_source
from hpo.dataset import Task
from hpo.errors import DataError
from hpo.models import raw
from hpo.models.preparing import SCALINGS, InputColumn, prepared
from hpo.models.raw import raw_columns
from tests.models.conftest import csv_of, table

NUMBER = InputColumn(name="n", kind="number")
DAY = InputColumn(name="d", kind="date", form="%d.%m.%Y")
KIND = InputColumn(name="k", kind="category", levels=("true", "u", "3"))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_inputs_are_those_of_training(made, scaling, tmp_path):
    saved, data = made(scaling=scaling, folds=2)
    columns = table(seed=5)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    (tmp_path / "new.csv").write_text(csv_of(columns))
    new, _ = read_source("new.csv", {}, tmp_path, None)

    found = [prepared(r, *raw_columns(saved.columns, rows)) for r in saved.model.preprocessing]

    for record, x in zip(saved.model.preprocessing, found, strict=True):
        wanted = apply(record, read_features(record, new))
        exact = scaling not in ("pca", "whiten")  # whose sums may be in another order
        np.testing.assert_allclose(x, wanted, rtol=0 if exact else 1e-6, atol=0 if exact else 1e-6)
    assert data.info.n_folds == 2


def test_many_categories_are_prepared_as_in_training(made, tmp_path):
    n = 700
    columns = {
        "c": [f"k{i % 130}" for i in range(n)],
        "code": [i % 5 for i in range(n)],
        "y": ["u", "v"] * 350,
    }
    saved, _ = made(columns=columns)
    new = {"c": ["k1", "k129", "never", ""], "code": [1, 2, 9, ""]}
    (tmp_path / "new.csv").write_text(csv_of(new))
    read, _ = read_source("new.csv", {}, tmp_path, None)
    record = saved.model.preprocessing[0]

    found = prepared(record, *raw_columns(saved.columns, new))

    np.testing.assert_array_equal(found, apply(record, read_features(record, read)))
    assert found[2].sum() == 1  # in the column of the others


def test_columns_of_any_order_and_more_of_them_give_the_same(made):
    saved, _ = made()
    rows = [{"a": 1.5, "b, big": 2.0, "day": "03.05.2024", "kind": "k1", "code": 2}] * 2

    by_row = saved.probabilities(rows)
    by_column = saved.probabilities(
        {"code": [2, "2"], "other": [1, 2], "kind": ["k1", " k1 "], "a": np.array([1.5, 1.5]),
         "day": ["2024-05-03", date(2024, 5, 3)], "b, big": ["2", 2]}
    )  # fmt: skip

    np.testing.assert_array_equal(by_row, by_column)


def test_a_date_is_read_in_the_form_that_training_had():
    moment = datetime(2024, 2, 3, tzinfo=UTC)
    cells = ["03.02.2024", "2024-02-03", date(2024, 2, 3), moment, np.datetime64("2024-02-03"), 19756, None]

    found, n = raw_columns([DAY], {"d": cells})

    assert n == 7
    np.testing.assert_array_equal(found["d"], [19756.0] * 6 + [np.nan])


def test_numbers_and_truths_are_categories_as_they_are_in_files():
    columns, _ = raw_columns([KIND], {"k": [True, 3.0, 3, "u", None, "?", float("nan"), False]})

    found = [columns["k"].levels[code] if code >= 0 else None for code in columns["k"].codes]

    assert found == ["true", "3", "3", "u", None, None, None, "False"]


@pytest.mark.parametrize(
    ("wanted", "cells", "words"),
    [
        (NUMBER, [1, "x"], "column 'n' wants a number, but row 2 says 'x'"),
        (NUMBER, [1, [2]], r"column 'n' wants a number, but row 2 says \[2\]"),
        (NUMBER, ["1_000"], "column 'n' wants a number, but row 1 says '1_000'"),
        (NUMBER, [0.0, float("inf")], "column 'n' has inf in row 2"),
        (NUMBER, [10**400], "column 'n' wants a number, but row 1 says 1000"),
        (DAY, ["2024-13-01"], "column 'd' wants a date, such as 2026-01-31, but row 1 says '2024-13-01'"),
        (KIND, [{"a": 1}], "column 'k' wants a category, but row 1 says"),
        (NUMBER, [], "there are no rows to predict"),
    ],
)
def test_a_cell_that_cannot_be_right_is_named_with_its_place(wanted, cells, words):
    with pytest.raises(DataError, match=words):
        raw_columns([wanted], {wanted.name: cells})


def test_columns_that_are_missing_or_of_other_lengths_are_named():
    with pytest.raises(DataError, match="the rows lack the columns 'n', 'k'"):
        raw_columns([NUMBER, DAY, KIND], [{"d": "2024-01-01", "m": 3}])
    with pytest.raises(DataError, match=r"the rows lack the columns 'c0', .*'c9' and 2 more"):
        raw_columns([replace(NUMBER, name=f"c{i}") for i in range(12)], [{"d": 1}])
    with pytest.raises(DataError, match="column 'd' has 2 rows, others have 1"):
        raw_columns([NUMBER, DAY], {"n": [1], "d": [1, 2]})


def test_words_for_empty_cells_are_those_of_files():
    assert raw.MISSING_WORDS == literals.MISSING_WORDS


def test_values_of_a_long_table_come_in_order(made):
    saved, _ = made(Task.REGRESSION)
    values = np.arange(10_000) % 7.0
    rest = {"b, big": [1.0], "day": [19800], "kind": ["k1"], "code": [1]}

    found = saved.predict({"a": values} | {name: cells * 10_000 for name, cells in rest.items()})

    one = [saved.predict({"a": [value], **rest})[0] for value in range(7)]
    np.testing.assert_allclose(found, np.array(one)[values.astype(int)], rtol=1e-6)
