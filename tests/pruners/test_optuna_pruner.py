"""Optuna's pruners judge a bracket as they judge trials that report side by side."""

import math

import numpy as np
import optuna
import pytest

from hpo.bracket import History, single
from hpo.pruners.optuna_pruner import OptunaPruner
from hpo.study import Direction, PrunerSpec

EPOCHS, SIZE = 9, 12
CURVES = [single(row) for row in np.random.default_rng(3).random((SIZE, EPOCHS)).cumsum(axis=1)]


def judged(name, options, curves=CURVES):
    """After which epoch each trial ends, judged epoch after epoch."""
    spec = PrunerSpec(name=name, options=options, bracket=len(curves))
    pruner = OptunaPruner(spec, EPOCHS, Direction.MAXIMIZE)
    bracket, ends = pruner.bracket(0), {}
    for epoch in bracket.epochs:
        members = {
            n: History(values=curve[: min(epoch, ends.get(n, epoch))], last=ends.get(n, EPOCHS - 1))
            for n, curve in enumerate(curves)
        }
        ends |= dict.fromkeys(pruner.losers(bracket, epoch, members), epoch)
    return ends


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SuccessiveHalvingPruner", {"min_resource": 1, "reduction_factor": 2}),
        ("ThresholdPruner", {"lower": 1.0, "n_warmup_steps": 3}),
    ],
)
def test_trials_end_as_in_an_optuna_study_in_which_they_report_in_turn(name, options):
    study = optuna.create_study(direction="maximize", pruner=getattr(optuna.pruners, name)(**options))
    trials, ends = [study.ask() for _ in CURVES], {}
    for epoch in range(1, EPOCHS):
        for n, trial in enumerate(trials):
            if n not in ends:
                trial.report(CURVES[n][epoch - 1], epoch)
                if trial.should_prune():
                    ends[n] = epoch
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    assert judged(name, options) == ends
    assert 0 < len(ends) < SIZE


def test_a_percentile_is_taken_of_those_of_lower_numbers():
    ends = judged("PercentilePruner", {"percentile": 50.0, "n_startup_trials": 4, "n_warmup_steps": 2})

    alive = list(range(SIZE))
    for epoch in range(2, EPOCHS):
        for n in list(alive):
            before = [CURVES[m][epoch - 1] for m in alive if m < n]
            if len(before) >= 4 and max(CURVES[n][:epoch]) < np.percentile(before, 50):
                alive.remove(n)
                assert ends.pop(n) == epoch
    assert ends == {}
    assert len(alive) < SIZE


def test_a_judgement_made_again_from_the_whole_histories_is_the_same():
    options = {"min_resource": 1, "reduction_factor": 2}
    ends = judged("SuccessiveHalvingPruner", options)
    pruner = OptunaPruner(
        PrunerSpec(name="SuccessiveHalvingPruner", options=options, bracket=SIZE), EPOCHS, Direction.MAXIMIZE
    )
    last = max(ends.values())
    members = {
        n: History(values=curve[: ends.get(n, last)], last=ends.get(n, EPOCHS - 1))
        for n, curve in enumerate(CURVES)
    }

    assert pruner.losers(pruner.bracket(0), last, members) == {n for n, at in ends.items() if at == last}


def test_a_value_that_is_no_number_ends_a_trial_where_optuna_says_so():
    curves = [*CURVES[:-1], (math.nan,) * EPOCHS]

    assert judged("ThresholdPruner", {"lower": -1.0}, curves) == {SIZE - 1: 1}


def test_brackets_whose_trials_have_smaller_budgets_are_let_go_of():
    spec = PrunerSpec(name="MedianPruner", bracket=4, options={"n_startup_trials": 0})
    pruner = OptunaPruner(spec, 9, Direction.MINIMIZE)

    for first in range(0, 40, 4):
        members = {first + i: History(values=(1.0, 0.5), last=2) for i in range(4)}
        for epoch in (1, 2):
            pruner.losers(pruner.bracket(first), epoch, members)

    assert pruner._races == {}
