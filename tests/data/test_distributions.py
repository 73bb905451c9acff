"""Columns at a glance: histograms and frequent categories, told as pandas and NumPy tell them of the same file."""

import numpy as np
import pandas as pd
import pytest

from hpo.data import distributions
from hpo.data.distributions import BARS, LEVELS, distribution
from hpo.data.prepare import look
from hpo.data.summary import DISTRIBUTIONS, summarized
from hpo.data.table import Column, Kind, Table, number_column
from hpo.study import DataSpec


@pytest.fixture
def looked(bench):
    """looked(text): the distributions of a CSV file by column."""

    def at(text, **spec):
        summary, _ = look(DataSpec(source=bench.write(text), **spec), bench.folder)
        return {one.name: one for one in summary.distributions}

    return at


def numbers(values, whole=False):
    return distribution(
        Column(name="x", kind=Kind.NUMBER, values=np.array(values, dtype=np.float64), whole=whole)
    )


def test_numbers_are_told_as_pandas_and_numpy_tell_them(looked, bench):
    drawn = np.random.default_rng(0)
    cells = [f"{x:.3f}" if i % 7 else ("NA", "", "?")[i % 3] for i, x in enumerate(drawn.normal(5, 2, 500))]
    cells[3] = "inf"

    found = looked("x,y\n" + "".join(f"{cell},{i % 2}\n" for i, cell in enumerate(cells)))["x"]

    read = pd.read_csv(bench.folder / "data.csv", na_values=["?"])["x"]
    finite = read[np.isfinite(read)]
    counts, edges = np.histogram(finite, bins=BARS)
    assert (found.n_values, found.n_missing, found.n_infinite) == (len(finite), read.isna().sum(), 1)
    assert (found.minimum, found.median, found.maximum) == (finite.min(), finite.median(), finite.max())
    assert found.edges == pytest.approx(edges)
    assert found.counts == tuple(counts)
    assert found.levels == ()


def test_categories_are_counted_as_pandas_counts_them_the_most_frequent_first(looked, bench):
    drawn = np.random.default_rng(1)
    cells = [f"ward {n}" if n else "" for n in drawn.geometric(0.15, 800) - 1]

    found = looked("ward,y\n" + "".join(f"{cell},1\n" for cell in cells))["ward"]

    read = pd.read_csv(bench.folder / "data.csv")["ward"]
    wanted = read.value_counts()
    assert wanted.size > LEVELS
    assert found.counts == tuple(wanted[:LEVELS])
    assert dict(zip(found.levels, found.counts, strict=True)).items() <= wanted.to_dict().items()
    assert (found.n_values, found.n_missing, found.n_levels) == (read.count(), read.isna().sum(), wanted.size)
    assert (found.edges, found.minimum) == ((), None)


@pytest.mark.parametrize(
    ("low", "high", "width"), [(3, 8, 1), (0, 19, 1), (0, 20, 2), (-7, 1000, 51), (1, 60_000, 3000)]
)
def test_each_bar_of_whole_numbers_holds_equally_many_of_them(low, high, width):
    values = np.arange(low, high + 1)

    found = numbers(values, whole=True)

    assert set(np.diff(found.edges)) == {width}
    assert set(found.counts[:-1]) <= {width}
    assert (sum(found.counts), len(found.counts) <= BARS) == (len(values), True)
    assert (np.array(found.edges) % 1 == 0.5).all()


def test_dates_are_written_as_dates(looked):
    days = pd.date_range("2026-01-01", periods=21)

    found = looked("day,y\n" + "".join(f"{day:%d.%m.%Y},1\n" for day in days))["day"]

    assert (found.minimum, found.median, found.maximum) == ("2026-01-01", "2026-01-11", "2026-01-21")
    assert found.edges == tuple(day.strftime("%Y-%m-%d") for day in days)
    assert found.counts == (1,) * 19 + (2,)


def test_true_and_false_are_two_categories():
    values = np.array([1, 0, 1, np.nan, 1])

    found = distribution(Column(name="b", kind=Kind.BOOLEAN, values=values))

    assert dict(zip(found.levels, found.counts, strict=True)) == {"True": 3, "False": 1}
    assert (found.n_values, found.n_missing, found.n_levels) == (4, 1, 2)


@pytest.mark.parametrize("values", [[], [np.nan] * 3, [np.inf, -np.inf]])
def test_a_column_without_a_number_has_no_bars(values):
    found = numbers(values)

    assert (found.n_values, found.counts, found.edges, found.median) == (0, (), (), None)
    assert found.n_missing + found.n_infinite == len(values)


WHOLE, BROKEN = True, False
AT_THE_ENDS = [
    ([2.5] * 4, BROKEN),
    ([7.0] * 4, WHOLE),
    ([-1.7e308, 1.7e308, 0.0], BROKEN),
    ([-1.7e308, 1.7e308, 0.0], WHOLE),
    ([1.7e308, 1.6e308, 1.7e308, 1.6e308], BROKEN),
    ([0.0, 5e-324], BROKEN),
    ([5e-324, 1e-323], BROKEN),
    ([1.0, 1.0 + 2**-52], BROKEN),
    ([2.0**60, 2.0**60 + 256], WHOLE),
    ([2.0**51, 2.0**51 + 1], WHOLE),
]


@pytest.mark.parametrize(("values", "whole"), AT_THE_ENDS)
def test_numbers_at_the_ends_of_what_there_is_are_all_in_a_bar(values, whole):
    found = numbers(values, whole)

    assert sum(found.counts) == found.n_values == len(values)
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert whole or (found.edges[0], found.edges[-1]) == (min(values), max(values))
    assert (len(found.counts) == 1) == (found.minimum == found.maximum)
    assert np.isfinite(found.edges).all()
    assert list(found.edges) == sorted(found.edges)
    assert found.minimum <= found.median <= found.maximum


def test_a_long_category_is_cut():
    text = "x" * 10_000

    found = distribution(Column(name="c", kind=Kind.TEXT, values=np.zeros(3, dtype=np.int64), levels=(text,)))

    assert found.levels == (text[: distributions.LONGEST],)


def test_of_a_wide_table_the_first_columns_and_the_target_are_told():
    wide = Table(
        block=np.ones((4, 5_000), np.uint8),
        block_names=tuple(f"pixel{i}" for i in range(5_000)),
        columns=(number_column("label", np.arange(4)),),
    )

    found = [one.name for one in summarized(wide, "0" * 64, "label").distributions]

    assert found == [*wide.block_names[:DISTRIBUTIONS], "label"]
