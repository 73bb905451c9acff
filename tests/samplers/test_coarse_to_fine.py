"""Coarse to fine: rounds that wait for one another, boxes from told trials alone, and Optuna's own suites."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, SingleOnlySamplerTestCase

from hpo.samplers.coarse_to_fine import CoarseToFineSampler
from hpo.samplers.random import RandomSampler
from hpo.samplers.rounds import RoundOptions, Rounds
from hpo.space import Choice, Fixed, Range, SearchSpace
from hpo.states import TrialState
from hpo.study import Direction
from hpo.trial import Trial

SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-6, high=1e-1, log=True, type="float"),
        "optimizer": Choice(choices=("sgd", "momentum", "adam")),
        "momentum": Range(low=0.5, high=0.99, when={"optimizer": ("momentum",)}, type="float"),
        "hidden_units": Range(low=8, high=64, type="int"),
        "batch_size": Fixed(value=32),
    }
)
ROUNDS = Rounds(trials=60, epochs=20)


def loss(params):
    """Best at a rate of 1e-3, with momentum."""
    return abs(math.log10(params["learning_rate"]) + 3) + 0.3 * (params["optimizer"] != "momentum")


def sampler_of(**changes):
    return CoarseToFineSampler(**{"seed": 0, "space": SPACE, "rounds": ROUNDS} | changes)


def done(plan, value=None, **changes):
    columns = {"state": TrialState.COMPLETE, "value": loss(plan.params) if value is None else value} | changes
    nothing = dict.fromkeys(
        ("reason", "stderr", "best_epoch", "retry_of", "cohort", "started_at", "finished_at")
    )
    return Trial(**nothing | {"number": plan.number, "params": plan.params, "epochs": 1} | columns)


def run(sampler, n=60, at_most=1000):
    """All plans of a study whose trials end at once, asked for at most so many at a time."""
    plans = []
    while len(plans) < n:
        asked = sampler.ask(len(plans), min(at_most, n - len(plans)))
        assert asked
        sampler.tell([done(plan) for plan in asked])
        plans += asked
    return plans


def test_the_first_round_is_random_search_with_few_epochs():
    plans = sampler_of().ask(0, 60)

    assert [plan.params for plan in plans] == [plan.params for plan in RandomSampler(0, SPACE).ask(0, 20)]
    assert {plan.epochs for plan in plans} == {5}


def test_later_rounds_are_longer_narrower_and_better():
    plans = run(sampler_of())
    first, second, third = plans[:20], plans[20:40], plans[40:]

    assert [r[0].epochs for r in (first, second, third)] == [5, 10, None]
    spans = [
        max(math.log10(p.params["learning_rate"]) for p in r)
        - min(math.log10(p.params["learning_rate"]) for p in r)
        for r in (first, second, third)
    ]
    assert spans[0] > 1.5 * spans[1] > 2 * spans[2]
    assert sum(loss(p.params) for p in third) < 0.5 * sum(loss(p.params) for p in first)


def test_a_direction_of_large_values_is_searched_the_other_way():
    up = sampler_of(direction=Direction.MAXIMIZE)
    plans = up.ask(0, 20)
    up.tell([done(plan, value=-loss(plan.params)) for plan in plans])
    down = sampler_of()
    down.tell([done(plan) for plan in plans])

    assert up.ask(20, 20) == down.ask(20, 20)


def test_a_round_waits_until_every_trial_before_it_is_told():
    sampler = sampler_of()
    plans = sampler.ask(0, 60)
    sampler.tell([done(plan) for plan in plans[:-1]])

    waiting = sampler.ask(20, 40)
    sampler.tell([done(plans[-1])])

    assert (waiting, len(sampler.ask(20, 40))) == ([], 20)


def test_a_round_waits_for_enqueued_trials_of_lower_numbers_too():
    sampler = sampler_of()
    plans = sampler.ask(0, 20)
    sampler.tell([done(plan) for plan in plans])

    assert sampler.ask(23, 40, place=20) == []
    sampler.tell([done(replace(plans[0], number=20 + i), value=9.0, sampled=False) for i in range(3)])
    assert [plan.number for plan in sampler.ask(23, 40, place=20)] == list(range(23, 43))


def test_enqueued_trials_take_no_place_but_what_they_teach_counts():
    plans = sampler_of().ask(0, 20)
    good = {"learning_rate": 1e-6, "optimizer": "sgd", "hidden_units": 8}
    with_them, without = sampler_of(), sampler_of()

    with_them.tell(
        [done(replace(plans[0], number=i, params=good), value=-1.0, sampled=False) for i in range(5)]
    )
    with_them.tell([done(replace(plan, number=plan.number + 5)) for plan in plans])
    without.tell([done(plan) for plan in plans])

    assert [p.number for p in with_them.ask(25, 60, place=20)] == list(range(25, 45))
    lowest = [min(p.params["learning_rate"] for p in s) for s in (
        with_them.ask(25, 60, place=20), without.ask(20, 60)
    )]  # fmt: skip
    assert lowest[0] < 1e-5 < lowest[1]


@pytest.mark.parametrize("at_most", [1, 7])
def test_plans_do_not_depend_on_how_many_are_asked_for_at_a_time(at_most):
    assert run(sampler_of(), at_most=at_most) == run(sampler_of())


@pytest.mark.parametrize("n_told", [5, 19, 20, 33, 40, 47])
def test_rounds_are_the_same_after_a_restart_from_told_trials_alone(n_told):
    whole = sampler_of()
    plans = run(whole)
    again = sampler_of()

    again.tell([done(plan) for plan in plans[:n_told]])
    end = ROUNDS.at(n_told).end

    assert again.ask(n_told, 60) == plans[n_told:end]
    again.tell([done(plan) for plan in plans[n_told:]])
    assert again.notes() == whole.notes()


def test_a_restart_in_the_middle_of_a_round_goes_on_though_its_first_trial_still_runs():
    plans = run(sampler_of())
    again = sampler_of()

    again.tell([done(plan) for plan in plans[:20]])

    assert again.ask(31, 60) == plans[31:40]


def test_trials_lost_or_cancelled_teach_nothing_and_those_that_diverged_are_the_worst():
    sampler = sampler_of()
    plans = sampler.ask(0, 20)
    ends = [{"reason": "lost"}, {"reason": "diverged@3"}]
    sampler.tell(
        [done(plan)._replace(state=TrialState.FAIL, value=None, **ends[plan.number % 2]) for plan in plans]
    )

    [_, coming] = sampler.notes()["rounds"]
    assert coming["why"] == "no trial so far has a value, so the ranges stay as they were"
    assert [p.params for p in sampler.ask(20, 20)] == [p.params for p in RandomSampler(0, SPACE).ask(20, 20)]


@pytest.mark.parametrize(
    ("state", "reason", "dropped"),
    [
        (TrialState.FAIL, "diverged@3", True),
        (TrialState.FAIL, "infeasible", True),
        (TrialState.PRUNED, "halving@3", True),
        (TrialState.PRUNED, "wall_time@3", False),
        (TrialState.FAIL, "lost", False),
        (TrialState.FAIL, "error", False),
    ],
)
def test_a_choice_that_fails_by_its_own_fault_is_dropped_and_bad_luck_is_no_evidence(state, reason, dropped):
    sampler = sampler_of(rounds=Rounds(trials=180))
    fails = {"state": state, "reason": reason, "value": None}
    sampler.tell(
        [
            done(plan)._replace(**fails) if plan.params["optimizer"] == "sgd" else done(plan)
            for plan in sampler.ask(0, 60)
        ]
    )

    coming = sampler.notes()["rounds"][1]["box"]["optimizer"]["choices"]
    assert ("sgd" not in coming) == dropped


def test_a_trial_that_breaks_a_constraint_is_never_among_the_best():
    sampler, without = sampler_of(), sampler_of()
    plans = sampler.ask(0, 20)
    best = min(plans, key=lambda plan: loss(plan.params)).number

    sampler.tell([done(plan)._replace(feasible=plan.number != best) for plan in plans])
    without.tell([done(plan) for plan in plans])

    assert sampler.notes()["rounds"][0]["best_number"] != best
    assert sampler.ask(20, 20) != without.ask(20, 20)


# Notes


def test_a_round_ends_with_its_own_trials_whatever_was_enqueued():
    sampler = sampler_of()
    plans = sampler.ask(0, 20)
    sampler.tell([done(replace(plans[0], number=i), sampled=False) for i in range(5)])
    sampler.tell([done(replace(plan, number=plan.number + 5)) for plan in plans[:19]])
    before = sampler.notes()

    sampler.tell([done(replace(plans[19], number=24))])

    assert before == {}
    assert sampler.notes()["rounds"][1]["why"].endswith("best of 25 trials")


def test_there_are_no_notes_before_a_round_has_ended():
    sampler = sampler_of()
    sampler.tell([done(plan) for plan in sampler.ask(0, 19)])

    assert sampler.notes() == {}


def test_notes_tell_of_rounds_boxes_and_why_in_json():
    sampler = sampler_of()
    plans = run(sampler)
    notes = json.loads(json.dumps(sampler.notes()))

    first, second, third = notes["rounds"]
    assert [(r["round"], r["trials"], r["epochs"], r["ended"]) for r in notes["rounds"]] == [
        (1, 20, 5, True), (2, 20, 10, True), (3, 20, 20, True),
    ]  # fmt: skip
    assert first["box"]["learning_rate"] == {"low": 1e-6, "high": 1e-1}
    assert first["why"] == "the study file's ranges"
    low, high = third["box"]["learning_rate"].values()
    assert all(low <= plan.params["learning_rate"] <= high for plan in plans[40:])
    assert second["why"].startswith("spanned by the 5 best of 20 trials")
    best = min(plans[:20], key=lambda plan: loss(plan.params))
    assert (first["best_number"], first["best_value"]) == (best.number, loss(best.params))
    assert notes["sentences"][0].startswith(
        "coarse to fine: 3 rounds at 5, 10, 20 epochs narrowed learning_rate"
    )


def test_between_two_rounds_the_coming_box_is_told():
    sampler = sampler_of()
    sampler.tell([done(plan) for plan in sampler.ask(0, 20)])

    ended, coming = sampler.notes()["rounds"]
    assert (ended["ended"], coming["ended"], coming["best_number"]) == (True, False, None)


# Edges and widening

SHORT = SearchSpace(
    {
        "learning_rate": Range(low=1e-6, high=1e-4, log=True, type="float"),
        "l2": Range(low=1e-5, high=1e5, log=True, type="float"),
    }
)


def rate_loss(params):
    """Best at a rate of 1e-3, beyond SHORT."""
    return abs(math.log10(params["learning_rate"]) + 3) + 0.02 * abs(math.log10(params["l2"]))


def run_short(**changes):
    sampler = sampler_of(space=SHORT, **changes)
    plans = []
    while len(plans) < 60:
        asked = sampler.ask(len(plans), 60)
        sampler.tell([done(plan, value=rate_loss(plan.params)) for plan in asked])
        plans += asked
    return sampler, plans


def test_a_best_at_the_end_of_a_written_range_is_told():
    sampler, plans = run_short()

    assert max(plan.params["learning_rate"] for plan in plans) <= 1e-4
    [edge] = sampler.notes()["edges"]
    assert (edge["parameter"], edge["end"], edge["at"], edge["passed"]) == (
        "learning_rate",
        "high",
        1e-4,
        False,
    )
    assert (
        "upper end of learning_rate, 0.0001: better values may lie beyond" in sampler.notes()["sentences"][1]
    )
    assert "widen: true" in sampler.notes()["sentences"][1]


def test_with_widen_the_rounds_go_beyond_it_a_decade_at_most_and_say_so():
    sampler, plans = run_short(widen=True)

    rates = [plan.params["learning_rate"] for plan in plans]
    assert max(rates[:20]) <= 1e-4 < max(rates[20:]) <= 1e-3
    assert min(map(rate_loss, (p.params for p in plans))) < 0.2
    first = sampler.notes()["edges"][0]
    assert (first["round"], first["at"], first["passed"]) == (1, 1e-4, True)
    assert "0.0001: round 2 goes beyond it" in sampler.notes()["sentences"][1]


def test_an_end_that_is_as_far_as_a_value_may_go_is_said_to_be():
    space = SearchSpace({"dropout": Range(low=0.0, high=0.5, type="float")})
    sampler = sampler_of(space=space, widen=True)
    plans = []
    while len(plans) < 60:
        asked = sampler.ask(len(plans), 60)
        sampler.tell([done(plan, value=plan.params["dropout"]) for plan in asked])
        plans += asked

    assert min(plan.params["dropout"] for plan in plans) >= 0.0
    assert sampler.notes()["sentences"][-1].endswith("lower end of dropout, 0, as far as it may go")


# Optuna's own interface


class TestOptunasBasicSuite(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: CoarseToFineSampler(seed=0, rounds=Rounds(trials=9, options=RoundOptions(rounds=3)))


class TestOptunasSuiteOfSamplersForOneObjective(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: CoarseToFineSampler(seed=0)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_optunas_own_loop_draws_what_ask_proposes(direction):
    sign = 1 if direction == "minimize" else -1
    study = optuna.create_study(sampler=sampler_of(space=None), direction=direction)

    def objective(trial):
        params = {"learning_rate": trial.suggest_float("learning_rate", 1e-6, 1e-1, log=True)}
        params["optimizer"] = trial.suggest_categorical("optimizer", ["sgd", "momentum", "adam"])
        if params["optimizer"] == "momentum":
            trial.suggest_float("momentum", 0.5, 0.99)
        trial.suggest_int("hidden_units", 8, 64)
        return sign * loss(params)

    study.optimize(objective, n_trials=60)

    assert [trial.params for trial in study.trials] == [dict(plan.params) for plan in run(sampler_of())]
