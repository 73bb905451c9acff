"""How rows are divided: every row in one part, classes by their share, groups whole, the last rows last."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.data.splits import Rulers, divide
from hpo.errors import DataError
from hpo.study import SplitSpec


def all_rows(parts, fold=0):
    training, validation = parts.folds[fold]
    return np.concatenate([training, validation, parts.test])


def labels_of(*counts, seed=0):
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(labels)


def test_a_split_is_a_function_of_its_seed():
    first, again, other, own = (
        divide(SplitSpec(seed=own), 100, Rulers(), seed=seed)
        for own, seed in ((None, 0), (None, 0), (None, 1), (0, 7))
    )

    assert np.array_equal(first.test, again.test)
    assert np.array_equal(first.test, own.test)
    assert not np.array_equal(first.test, other.test)


@given(
    n=st.integers(10, 300),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.0, 0.4),
    counts=st.none() | st.lists(st.integers(4, 40), min_size=2, max_size=6),
)
def test_every_row_is_in_exactly_one_part_of_about_the_size_asked_for(n, validation, test, counts):
    labels = None if counts is None else labels_of(*counts)
    n = n if labels is None else len(labels)

    parts = divide(
        SplitSpec(validation=validation, test=test),
        n,
        Rulers(labels=labels),
        seed=3,
        classes=[] if counts is None else [str(i) for i in range(len(counts))],
    )

    assert sorted(all_rows(parts)) == list(range(n))
    assert abs(len(parts.test) - n * test) <= 1
    assert abs(len(parts.folds[0][1]) - n * validation) <= 1.5


@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=8))
def test_classes_are_divided_by_their_share_and_all_are_in_training(counts):
    labels = labels_of(*counts, *[30])
    classes = [str(label) for label in range(len(counts) + 1)]

    parts = divide(SplitSpec(), len(labels), Rulers(labels=labels), seed=1, classes=classes)

    in_training = Counter(labels[parts.folds[0][0]].tolist())
    in_test = Counter(labels[parts.test].tolist())
    for label, count in enumerate([*counts, 30]):
        assert in_training[label] >= 1
        assert abs(in_test[label] - 0.2 * count) <= 1 or count < 5


def test_the_only_rows_of_rare_classes_are_training_rows():
    labels = labels_of(200, 100, 1, 1, 1)

    for seed in range(20):
        parts = divide(SplitSpec(seed=seed), 303, Rulers(labels=labels), seed=0, classes="abcde")
        assert {2, 3, 4} <= set(labels[parts.folds[0][0]].tolist())


def test_a_class_keeps_a_training_row_however_much_is_asked_for():
    parts = divide(
        SplitSpec(validation=0.9, test=0.0), 8, Rulers(labels=labels_of(4, 2, 2)), seed=0, classes="abc"
    )

    assert len(parts.folds[0][0]) == 3


def test_groups_are_never_divided():
    groups = np.random.default_rng(0).integers(0, 30, 400)

    parts = divide(SplitSpec(groups="g"), 400, Rulers(groups=groups), seed=0)

    training, validation = (set(groups[rows].tolist()) for rows in parts.folds[0])
    test = set(groups[parts.test].tolist())
    assert not training & validation
    assert not (training | validation) & test
    assert training | validation | test == set(range(30))
    assert 60 <= len(parts.test) <= 100
    assert 60 <= len(parts.folds[0][1]) <= 100


def test_the_last_rows_are_test_and_those_before_them_validation():
    order = np.random.default_rng(0).permutation(100)

    parts = divide(SplitSpec(order="t", validation=0.3, test=0.1), 100, Rulers(order=order), seed=0)

    training, validation = parts.folds[0]
    assert sorted(order[parts.test]) == list(range(90, 100))
    assert sorted(order[validation]) == list(range(60, 90))
    assert sorted(order[training]) == list(range(60))


def test_a_column_may_name_the_parts():
    words = np.array(["train", "test", "validation", "train", "train"] * 4)

    parts = divide(SplitSpec(column="part"), 20, Rulers(words=words), seed=0)

    assert set(words[parts.test]) == {"test"}
    assert [set(words[rows]) for rows in parts.folds[0]] == [{"train"}, {"validation"}]
    assert len(all_rows(parts)) == 20


def test_a_column_without_validation_rows_gives_some_of_its_training_rows():
    words = np.array(["train"] * 80 + ["test"] * 20)

    parts = divide(SplitSpec(column="part"), 100, Rulers(words=words), seed=0)

    assert parts.test.tolist() == list(range(80, 100))
    assert len(parts.folds[0][1]) == 16


def test_official_test_rows_stay_test_rows_unless_there_shall_be_none():
    official = np.arange(100) >= 70

    kept = divide(SplitSpec(), 100, Rulers(official=official), seed=0)
    none = divide(SplitSpec(test=0.0), 100, Rulers(official=official), seed=0)

    assert kept.test.tolist() == list(range(70, 100))
    assert max(none.folds[0][0].max(), none.folds[0][1].max()) < 70
    assert len(none.test) == 0


@pytest.mark.parametrize(
    "rulers",
    [
        Rulers(),
        Rulers(labels=labels_of(50, 30, 17)),
        Rulers(groups=np.arange(97) % 12),
    ],
)
def test_folds_validate_every_row_once_and_never_the_test_rows(rulers):
    parts = divide(SplitSpec(folds=5), 97, rulers, seed=0, classes="abc" if rulers.labels is not None else "")

    validated = np.concatenate([validation for _, validation in parts.folds])
    assert len(parts.folds) == 5
    assert sorted(np.concatenate([validated, parts.test])) == list(range(97))
    for training, validation in parts.folds:
        assert sorted(np.concatenate([training, validation])) == sorted(validated)
        if rulers.labels is not None:
            share = np.bincount(rulers.labels[validation], minlength=3) / len(validation)
            np.testing.assert_allclose(share, np.array([50, 30, 17]) / 97, atol=0.06)
        if rulers.groups is not None:
            assert not set(rulers.groups[training]) & set(rulers.groups[validation])


def test_the_only_row_of_a_class_trains_in_every_fold():
    labels = labels_of(40, 40, 1)

    parts = divide(SplitSpec(folds=4, test=0.0), 81, Rulers(labels=labels), seed=0, classes="abc")

    assert all(2 in labels[training] for training, _ in parts.folds)


def test_ordered_folds_validate_on_what_comes_after():
    order = np.random.default_rng(0).permutation(60)

    parts = divide(SplitSpec(folds=3, test=0.2, order="t"), 60, Rulers(order=order), seed=0)

    for training, validation in parts.folds:
        assert order[training].max() < order[validation].min()
        assert order[validation].max() < order[parts.test].min()


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"validation": 1.0}, "data.split.validation", "below 1"),
        ({"test": -0.1}, "data.split.test", "from 0"),
        ({"test": 0.6, "validation": 0.4}, "data.split", "leave no rows"),
        ({"folds": 1}, "data.split.folds", "from 2 to 50"),
        ({"groups": "a", "order": "b"}, "data.split", "not by several"),
        ({"validation": 0.0}, "data.split", "0 for validation"),
        ({"folds": 3, "validation": 0.2}, "data.split.validation", "folds take the place"),
        ({"folds": 40}, "data.split.folds", "24 rows are too few for 40 folds"),
    ],
)
def test_a_split_that_cannot_be_made_says_why(spec, field, words):
    with pytest.raises(DataError, match=words) as error:
        divide(SplitSpec(**spec), 30, Rulers(), seed=0)

    assert error.value.field == field


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_rows_for_a_split_are_counted(n):
    with pytest.raises(DataError, match="more rows are needed"):
        divide(SplitSpec(), n, Rulers(), seed=0)


def test_too_few_groups_for_a_split_are_an_error():
    with pytest.raises(DataError, match="0 for training"):
        divide(SplitSpec(groups="g"), 30, Rulers(groups=np.arange(30) % 2), seed=0)
    with pytest.raises(DataError, match="2 groups are too few for 5 folds"):
        divide(SplitSpec(groups="g", folds=5, test=0.0), 30, Rulers(groups=np.arange(30) % 2), seed=0)


def test_a_word_that_names_no_part_is_refused_with_its_row():
    with pytest.raises(DataError, match="row 2 says 'tset'"):
        divide(SplitSpec(column="c"), 3, Rulers(words=np.array(["train", "tset", "test"])), seed=0)


def test_a_class_without_training_rows_is_refused_by_name():
    words = np.array(["train"] * 10 + ["validation"] * 5 + ["test"] * 5)
    labels = np.array([0, 1] * 5 + [2] * 5 + [0] * 5)

    with pytest.raises(DataError, match="no training row is of class 'rare'"):
        divide(
            SplitSpec(column="c"), 20, Rulers(words=words, labels=labels), seed=0, classes=["a", "b", "rare"]
        )
