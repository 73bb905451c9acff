"""Who goes on and who ends."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.bracket import Bracket, History, history_of, single
from hpo.pruners import halving, median
from hpo.pruners.own import own_pruner
from hpo.states import TrialState
from hpo.study import Direction, PrunerSpec
from hpo.trial import Curve, TrialResult

VALUES = st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75, 1.0, math.nan])
CURVES = st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=12)


def living(values, budget=9):
    return History(values=tuple(values), last=budget - 1)


@given(CURVES, st.integers(2, 4), st.sampled_from([1, -1]))
def test_halving_keeps_whom_fewer_than_a_share_of_the_bracket_beat(curves, factor, sign):
    members = {number: living(values) for number, values in enumerate(curves)}

    out = halving.losers(3, members, sign=sign, factor=factor)

    # Counted pair by pair, without sorting: who has fewer than ceil(n / factor) ahead of it goes on.
    def best(number):
        finite = [v for v in curves[number][:3] if not math.isnan(v)]
        return (min(finite) if sign == 1 else max(finite)) if finite else None

    def ahead(one, other):
        a, b = best(one), best(other)
        if a == b:
            return one < other
        if a is None or b is None:
            return b is None
        return a < b if sign == 1 else a > b

    keeps = math.ceil(len(curves) / factor)
    for number in members:
        n_ahead = sum(ahead(other, number) for other in members if other != number)
        assert (number in out) == (n_ahead >= keeps)


@given(CURVES)
def test_the_median_rule_ends_whom_numpys_median_of_the_best_values_beats(curves):
    members = {number: living(values) for number, values in enumerate(curves)}

    out = median.losers(2, members, sign=-1)

    best = [np.nanmax([-math.inf, *values[:2]]) for values in curves]
    if not np.isfinite(best).all():  # numpy would count -inf - -inf
        return
    assert out == {n for n, value in enumerate(best) if value < np.median(best)}


def test_only_those_that_train_on_are_judged_and_no_place_is_filled_again():
    members = {
        0: living([0.5, 0.5, 0.5]),
        1: living([0.4, 0.4, 0.4]),
        2: History(values=(0.1, 0.1), last=2),  # stopped early before
        3: History(values=(0.1, 0.1, math.nan), last=2),  # diverged in this epoch
        4: History(values=(0.6, 0.6, 0.6), last=3),  # stops early in this epoch: the pruner comes first
        5: living([0.3, 0.3, 0.3], budget=3),  # this epoch is its last
        6: History(),  # lost
    }

    assert halving.losers(3, members, sign=1, factor=2) == {4}


def test_a_trial_that_ended_counts_in_the_median_with_the_best_it_had():
    members = {
        0: History(values=(0.9,), last=1),
        1: History(values=(0.8,), last=1),
        2: living([0.5, 0.4]),
        3: living([0.5, 0.5]),
    }

    assert median.losers(2, members, sign=1) == frozenset()  # among the living alone 3 would end
    assert median.losers(2, {n: members[n] for n in (2, 3)}, sign=1) == {3}


def test_best_so_far_counts_not_the_last_value():
    members = {0: living([0.1, 0.9]), 1: living([0.5, 0.5])}

    assert halving.losers(2, members, sign=1, factor=2) == {1}


def test_a_bracket_of_81_leaves_27_then_9():
    judge = own_pruner(PrunerSpec(name="halving", min_epochs=3, factor=3, bracket=81), 27, Direction.MAXIMIZE)
    bracket = judge.bracket(80)
    members = {n: living([n / 100] * 27, budget=27) for n in bracket.numbers}

    first = judge.losers(bracket, 3, members)
    left = {n: h if n not in first else History(values=h.values[:3], last=3) for n, h in members.items()}
    second = judge.losers(bracket, 9, left)

    assert bracket == Bracket(first=0, size=81, epochs=(3, 9))
    assert first == set(range(54))
    assert second == set(range(54, 72))


@pytest.mark.parametrize(
    ("state", "reason", "last"),
    [
        (TrialState.COMPLETE, None, 2),
        (TrialState.COMPLETE, "stopped_early@3", 3),
        (TrialState.PRUNED, "halving@3", 3),
        (TrialState.FAIL, "diverged@3", 2),
        (TrialState.COMPLETE, "diverged@3", 2),
    ],
)
def test_a_result_says_how_long_its_trial_was_in_the_race(state, reason, last):
    block = np.array([[9, 0.5], [9, 0.1], [9, 0.3]], dtype=np.float32).ravel()
    curve = Curve(columns=("validation_loss", "validation_f1"), block=memoryview(block))
    budget = 3 if reason is None else 8

    history = history_of(
        TrialResult(number=0, state=state, reason=reason, epochs=3, curve=curve), "f1", budget
    )

    assert history == History(values=single([0.5, 0.1, 0.3]), last=last)
    assert history_of(TrialResult(number=0, state=TrialState.FAIL, reason="lost"), "f1", 8) == History()
