"""What becomes of each kind of column, and which cells are refused."""

from __future__ import annotations

import numpy as np
import pytest

from hpo.dataset import ColumnInfo
from hpo.errors import DataError

N = 200
Y = [f"c{i % 2}" for i in range(N)]


def kinds(prepared):
    return {column.name: column.kind for column in prepared.info.columns}


def record(prepared):
    return prepared.scaled["none"].preprocessing[0]


def test_columns_are_told_apart_by_their_cells(bench, lines):
    prepared = bench.csv(
        lines(
            size=[i / 7 for i in range(N)],
            count=[i % 9 for i in range(N)],
            big=[f"{i}e20" for i in range(N)],
            day=[f"2020-01-{i % 28 + 1:02}" for i in range(N)],
            moment=[f"2020-01-{i % 28 + 1:02}T{i % 24:02}:00:00Z" for i in range(N)],
            german=[f"{i % 28 + 1:02}.02.2021" for i in range(N)],
            american=[f"02/{i % 28 + 1}/2021" for i in range(N)],
            colour=[("red", "blue", "green")[i % 3] for i in range(N)],
            grade=[("1", "2", "3", "K")[i % 4] for i in range(N)],
            same=[5] * N,
            word=["always"] * N,
            nothing=["NA"] * N,
            id=[f"user-{i}" for i in range(N)],
            y=Y,
        ),
        drop=("id",),
    )

    assert kinds(prepared) == {
        "size": "number", "count": "number", "big": "number", "day": "date", "moment": "date", "german": "date",
        "american": "date", "colour": "category", "grade": "category", "same": "dropped", "word": "dropped",
        "nothing": "dropped", "id": "dropped", "y": "category",
    }  # fmt: skip
    assert any("same, word" in note and "constant" in note for note in prepared.info.notes)
    assert any("nothing" in note and "empty" in note for note in prepared.info.notes)
    assert ColumnInfo(name="id", kind="dropped", note="left out as asked") in prepared.info.columns


def test_dates_become_days_since_1970(bench, lines):
    days = np.random.default_rng(0).integers(0, 20_000, N)

    prepared = bench.csv(lines(day=[np.datetime64(int(day), "D") for day in days], y=Y))

    training, validation = prepared.scaled["none"].training.folds[0]
    test = prepared.scaled["none"].test[0]
    seen = np.concatenate([training.x, validation.x, test.x])[:, 0]
    assert sorted(seen) == sorted(days.tolist())


@pytest.mark.parametrize("word", ["", "NA", "N/A", "null", "NaN", "?", " NA "])
def test_a_word_for_missing_gives_the_training_median_and_an_indicator(bench, lines, word):
    cells = [word if i % 4 == 0 else i for i in range(N)]

    prepared = bench.csv(lines(a=cells, b=range(N), y=Y))

    assert record(prepared)["features"] == ["a", "b", "a=missing"]
    training, _ = prepared.scaled["none"].training.folds[0]
    gone = training.x[:, 1] % 4 == 0
    known = training.x[~gone, 1]
    assert np.array_equal(training.x[:, 2], gone)
    assert np.array_equal(training.x[~gone, 0], known)
    assert set(training.x[gone, 0]) == {np.float32(np.median(known))}


def test_a_missing_category_has_a_column_of_its_own(bench, lines):
    prepared = bench.csv(lines(a=[("u", "v", "?")[i % 3] for i in range(N)], y=Y))

    assert record(prepared)["features"] == ["a=u", "a=v", "a (missing)"] or record(prepared)["features"] == [
        "a=v", "a=u", "a (missing)",
    ]  # fmt: skip
    assert (prepared.scaled["none"].test[0].x.sum(axis=1) == 1).all()


def test_words_to_be_kept_are_categories(bench, lines):
    cells = [("NA", "EU", "?")[i % 3] for i in range(N)]

    features = record(bench.csv(lines(region=cells, y=Y), keep_missing=("NA",)))["features"]

    assert set(features) == {"region=NA", "region=EU", "region (missing)"}


def test_a_number_column_named_in_categories_is_one(bench, lines):
    prepared = bench.csv(lines(code=[i % 3 for i in range(N)], size=range(N), y=Y), categories=("code",))

    assert kinds(prepared)["code"] == "category"
    assert set(record(prepared)["features"]) == {"size", "code=0", "code=1", "code=2"}


def test_the_hundred_most_frequent_categories_have_columns_and_the_rest_shares_one(bench, lines):
    random = np.random.default_rng(0)
    codes = np.minimum(random.geometric(0.01, 4000), 300)

    prepared = bench.csv(lines(a=[f"k{code}" for code in codes], size=codes, y=[i % 2 for i in range(4000)]))

    training, _ = prepared.scaled["none"].training.folds[0]
    levels, counts = np.unique(training.x[:, 0], return_counts=True)
    frequent = sorted(zip(-counts, (f"k{int(level)}" for level in levels), strict=True))[:100]
    assert record(prepared)["categories"][0]["levels"] == [name for _, name in frequent]
    assert prepared.info.n_features == 1 + 100 + 1
    rest = ~np.isin([f"k{int(code)}" for code in training.x[:, 0]], [name for _, name in frequent])
    assert np.array_equal(training.x[:, -1], rest)
    assert (training.x[:, 1:].sum(axis=1) == 1).all()
    assert any("the 100 most frequent" in note for note in prepared.info.notes)


def test_ten_thousand_categories_are_refused_or_share_a_column(bench, lines):
    names = [f"name {i}" for i in range(10_000)]
    y = [i % 2 for i in range(20_000)]

    with pytest.raises(
        DataError, match="10,000 different texts in 10,000 rows, which looks like an identifier"
    ):
        bench.csv(lines(a=names, y=y[:10_000]))
    assert bench.csv(lines(a=names + names, y=y)).info.n_features == 101


def test_an_identifier_is_refused_unless_it_is_named_in_categories_or_dropped(bench, lines):
    content = lines(id=[f"u{i}" for i in range(N)], a=range(N), y=Y)

    with pytest.raises(
        DataError, match=r"'id' .* data.drop: \[id\], or keep it with data.categories: \[id\]"
    ):
        bench.csv(content)
    assert bench.csv(content, drop=("id",)).info.n_features == 1
    assert bench.csv(content, categories=("id",)).info.n_features == 1 + 100 + 1


def test_half_of_the_values_distinct_is_not_yet_an_identifier(bench, lines):
    prepared = bench.csv(lines(a=[f"u{i // 2}" for i in range(N)], y=Y))

    assert kinds(prepared)["a"] == "category"


def test_text_in_a_column_of_numbers_is_refused_with_row_value_and_cure(bench, lines):
    cells = [i / 3 for i in range(1000)]
    cells[416] = "abc"

    with pytest.raises(DataError) as error:
        bench.csv(lines(a=cells, y=[i % 2 for i in range(1000)]))

    assert "column 'a' holds numbers, but row 417 says 'abc'" in error.value.detail
    assert "data.categories" in error.value.detail
    assert error.value.field == "data.source"


def test_stray_text_in_the_target_is_refused_too(bench, lines):
    cells = [i / 3 for i in range(N)]
    cells[7] = "n.a."

    with pytest.raises(DataError, match=r"'y' holds numbers, but row 8 says 'n\.a\.'"):
        bench.csv(lines(a=range(N), y=cells))


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400", "2e31"])
def test_infinite_and_huge_numbers_are_refused_with_row_and_column(bench, lines, cell):
    for name, other in (("a", "y"), ("y", "a")):
        columns = {name: [cell if i == 9 else i / 7 for i in range(N)], other: [i / 3 for i in range(N)]}

        with pytest.raises(DataError, match=f"column '{name}' has .* in row 10; correct it"):
            bench.csv(lines(**columns))


def test_a_table_without_a_usable_column_says_so(bench, lines):
    with pytest.raises(DataError, match="no column is left to learn from"):
        bench.csv(lines(a=[1] * N, y=Y))


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"target": "lable"}, "data.target", "no column is called 'lable'; did you mean 'label'?"),
        ({"target": "zzz"}, "data.target", "there are size, label"),
        (
            {"target": None},
            "data.target",
            "say which column is to be predicted (--target NAME); there are size, label",
        ),
        ({"drop": ("sise",)}, "data.drop", "did you mean 'size'?"),
        ({"drop": ("label",)}, "data.drop", "is the target"),
        ({"categories": ("sise",)}, "data.categories", "did you mean 'size'?"),
        ({"keep_missing": ("none",)}, "data.keep_missing", "never means missing"),
        ({"split": {"groups": "sise"}}, "data.split.groups", "did you mean 'size'?"),
    ],
)
def test_a_wrong_name_is_an_error_with_its_place_and_the_nearest_name(bench, lines, spec, field, words):
    with pytest.raises(DataError) as error:
        bench.csv(lines(size=range(N), label=Y), **{"target": "label", **spec})

    assert words in error.value.detail
    assert error.value.field == field


def test_a_file_without_a_header_is_recognised_as_such(bench):
    with pytest.raises(DataError, match="the first line should name the columns"):
        bench.csv("5.1,3.5,setosa\n4.9,3.0,setosa\n")
