"""Which trials are judged together, and when."""

import pytest

from hpo.pruners.brackets import rungs
from hpo.pruners.own import own_pruner
from hpo.study import Direction, PrunerSpec

# Table 1 of Li et al. (JMLR 18, 2018) for R = 81 and eta = 3: n_0 of each bracket, and its r_i below R.
TABLE = [(81, (1, 3, 9, 27)), (34, (3, 9, 27)), (15, (9, 27)), (8, (27,)), (5, ())]


def pruner(name, epochs=27, **keys):
    return own_pruner(PrunerSpec(name=name, **keys), epochs, Direction.MINIMIZE)


def test_hyperbands_brackets_are_those_of_the_paper():
    judge = pruner("hyperband", 81, factor=3, min_epochs=1)

    found, number = [], 0
    for _ in TABLE:
        bracket = judge.bracket(number)
        found.append((bracket.size, bracket.epochs))
        number += bracket.size

    assert found == TABLE
    assert judge.bracket(number).epochs == TABLE[0][1]  # and again
    assert judge.bracket(number).first == number == 143
    assert judge.widest == 81


def test_hyperbands_rungs_are_whole_epochs_at_any_number_of_them():
    for epochs in range(1, 120):
        for factor in (2, 3, 4):
            number = 0
            while number < 1000:
                bracket = pruner("hyperband", epochs, factor=factor, min_epochs=2).bracket(number)
                assert list(bracket.epochs) == sorted(set(bracket.epochs))
                assert all(2 <= rung < epochs for rung in bracket.epochs)
                number += bracket.size


def test_numbers_of_a_bracket_all_say_the_same_bracket():
    for judge in (pruner("halving", bracket=9), pruner("median"), pruner("hyperband")):
        number = 0
        while number < 300:
            bracket = judge.bracket(number)
            assert bracket.first == number
            assert {judge.bracket(n) for n in bracket.numbers} == {bracket}
            number += bracket.size


@pytest.mark.parametrize(
    ("least", "factor", "epochs", "expected"),
    [(3, 3, 27, (3, 9)), (1, 3, 50, (1, 3, 9, 27)), (5, 2, 6, (5,)), (5, 2, 5, ()), (1, 2, 9, (1, 2, 4, 8))],
)
def test_rungs_lie_below_the_last_epoch(least, factor, epochs, expected):
    assert rungs(least, factor, epochs) == expected


def test_the_median_is_looked_at_after_every_epoch_past_the_warm_up():
    assert pruner("median", 6, min_epochs=2).bracket(0).epochs == (2, 3, 4, 5)
    assert pruner("median", 50).bracket(70).epochs[0] == 5
