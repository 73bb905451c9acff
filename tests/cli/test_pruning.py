"""Pruners from the command line: what validate reckons with, and what show says afterwards."""

from __future__ import annotations

import json

import pytest

HALVING = "pruner={name: halving, min_epochs: 3, factor: 3, bracket: 9}"


@pytest.fixture
def validated(hpo):
    def validate(*given):
        words = ("validate", "--data", "iris", "--trials", "18", "--epochs", "27", *given)
        return hpo(*words)[1], json.loads(hpo(*words, "-f", "json")[1])["plan"]

    return validate


def test_validate_counts_the_epochs_that_halving_leaves(validated):
    _, whole = validated()
    text, halved = validated("--set", HALVING)

    share = (9 * 3 + 3 * 6 + 1 * 18) / (9 * 27)
    assert whole["trained"] == 1
    assert halved["trained"] == pytest.approx(share)
    assert halved["seconds"] == pytest.approx(whole["seconds"] * share)
    assert "about 26% of all, since the pruner ends trials" in text


def test_validate_says_that_it_counts_no_savings_of_a_pruner_of_optuna(validated):
    _, whole = validated()
    text, pruned = validated("--set", "pruner=SuccessiveHalvingPruner")

    assert (pruned["trained"], pruned["seconds"]) == (None, pytest.approx(whole["seconds"]))
    assert "all are counted, though the pruner will save some" in text


def test_show_says_how_trials_are_pruned_and_when_the_study_ends(hpo):
    small = ("--data", "iris", "--trials", "9", "--epochs", "4", "--workers", "1", "--name", "iris")
    limits = ("--set", "limits.wall_time=5m", "--set", "stop.plateau.trials=50")
    code, _, err = hpo("run", *small, "--set", HALVING, *limits)
    shown = " ".join(hpo("show", "iris")[1].split())

    assert code == 0, err
    assert "pruner halving, min_epochs 3, factor 3, bracket 9" in shown
    assert "stop plateau trials 50" in shown
    assert "limits wall_time 5m" in shown
