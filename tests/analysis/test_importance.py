"""Importances: the parameter that decides is found, and one that cannot be judged says why."""

import random

import pytest

from hpo.analysis.importance import FEWEST, MOST, importances
from hpo.space import Choice, Range

DISTRIBUTIONS = {
    "a": Range(low=0.0, high=1.0, type="float").distribution_json(),
    "b": Range(low=0.0, high=1.0, type="float").distribution_json(),
    "kind": Choice(choices=("x", "y")).distribution_json(),
    "of_y": Range(low=0.0, high=1.0, type="float").distribution_json(),
}


def drawn(n, value, *, share_of_y=0.5):
    draw = random.Random(1)
    for _ in range(n):
        kind = "y" if draw.random() < share_of_y else "x"
        params = {"a": draw.random(), "b": draw.random(), "kind": kind}
        if kind == "y":
            params["of_y"] = draw.random()
        yield params, value(params)


def shares(found):
    return {one.name: one.share for one in found}


@pytest.mark.parametrize("minimize", [True, False])
def test_the_parameter_that_decides_has_most_of_the_share(minimize):
    sign = 1 if minimize else -1
    trials = list(drawn(400, lambda params: sign * (params["a"] - 0.2) ** 2))

    found = importances(trials, DISTRIBUTIONS, minimize=minimize)

    assert found[0].name == "a"
    assert found[0].share > 0.8
    assert sum(one.share for one in found) == pytest.approx(1)


@pytest.mark.parametrize(("minimize", "decides"), [(False, "a"), (True, "b")])
def test_what_decides_is_what_the_good_trials_have_in_common(minimize, decides):
    def value(params):  # a alone makes the highest values, b alone the lowest
        return 10 * (params["a"] > 0.9) - 10 * (params["b"] > 0.9) + params["a"] / 100

    assert importances(list(drawn(400, value)), DISTRIBUTIONS, minimize=minimize)[0].name == decides


def test_a_parameter_that_counts_only_in_some_trials_is_judged_by_those():
    def value(params):
        return abs(params["of_y"] - 0.5) if params["kind"] == "y" else 1.0

    found = importances(list(drawn(400, value)), DISTRIBUTIONS, minimize=True)

    assert shares(found)["of_y"] > shares(found)["b"]


@pytest.mark.parametrize(
    ("n", "value", "share_of_y", "name", "reason"),
    [
        (FEWEST - 1, lambda params: params["a"], 0.5, "a", "needs at least 20 finished trials"),
        (40, lambda _: 0.5, 0.5, "a", "all trials have the same value"),
        (40, lambda params: params["a"], 0.0, "of_y", "counts in 0 of 40 trials, too few to say"),
        (40, lambda params: params["a"], 0.0, "kind", "has the same value in all of these trials"),
    ],
)
def test_a_parameter_that_cannot_be_judged_says_why(n, value, share_of_y, name, reason):
    found = importances(list(drawn(n, value, share_of_y=share_of_y)), DISTRIBUTIONS, minimize=True)

    judged = next(one for one in found if one.name == name)
    assert judged.share is None
    assert reason in judged.reason


def test_no_trials_and_values_that_are_no_numbers_are_no_trials():
    trials = [({"a": 0.5}, float("nan")), ({"a": 0.5}, float("inf"))]

    found = importances(trials, {"a": DISTRIBUTIONS["a"]}, minimize=True)

    assert found[0].reason.endswith("there are 0")


@pytest.mark.slow
def test_many_trials_are_looked_at_evenly():
    trials = list(drawn(3 * MOST, lambda params: params["a"]))

    assert importances(trials, DISTRIBUTIONS, minimize=True)[0].name == "a"
