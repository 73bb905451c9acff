"""Trials that were really trained to be ill are called so, and sound ones are not; several seeds of each."""

import math
import string
from array import array
from dataclasses import replace

import pytest

from hpo.analysis.diagnosis.illnesses import ILLNESSES, OF_TRIALS, Severity
from hpo.analysis.diagnosis.learning import Observed, learning_of
from hpo.analysis.diagnosis.trial import diagnose_trial
from hpo.states import TrialState
from hpo.trial import Curve, Trial
from tests.analysis.specimens import ILL, SEEDS, WELL, train


def of(code):
    return [name for name in ILL if name.partition(":")[0] == code]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ILL)
def test_a_trial_that_was_made_ill_is_found_to_be(name, seed):
    findings = diagnose_trial(train(ILL[name], seed))

    assert name.partition(":")[0] in [finding.code for finding in findings]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", WELL)
def test_a_sound_trial_is_not_called_ill(name, seed):
    assert [finding.sentence for finding in diagnose_trial(train(WELL[name], seed))] == []


@pytest.mark.parametrize("code", sorted(set(OF_TRIALS) - {"not_seen"}))
def test_every_illness_of_a_trial_has_a_network_that_was_made_to_have_it(code):
    assert of(code)


@pytest.mark.parametrize("code", ["rate_too_low", "vanishing_gradients", "diverged"])
def test_what_is_ill_for_a_reason_is_not_called_too_small_as_well(code):
    findings = diagnose_trial(train(ILL[of(code)[0]], 0))

    assert [finding.code for finding in findings] == [code]


def test_a_sentence_holds_the_numbers_and_is_about_its_trial():
    observed = train(ILL["rate_too_low: adam at 1e-6"], 0)

    [finding] = diagnose_trial(observed)

    losses = observed.curve.column("train_loss")
    assert f"from {losses[0]:.4g} to {losses[-1]:.4g} in 20 epochs" in finding.sentence
    assert "learning rate 1e-06 is too low" in finding.sentence
    assert (finding.trials, finding.severity) == ((0,), Severity.SEVERE)
    assert finding.cure == ILLNESSES["rate_too_low"].cure


def test_the_recipe_never_offers_dropout_for_what_is_bad_on_training_data():
    on_training = set(OF_TRIALS) - {"overfit"}

    assert not any(
        "dropout" in ILLNESSES[code].cure.replace("never more dropout", "") for code in on_training
    )
    assert "dropout" in ILLNESSES["overfit"].cure


@pytest.mark.parametrize("code", ILLNESSES)
def test_every_illness_says_what_it_means_where_it_begins_and_what_cures_it(code):
    illness = ILLNESSES[code]

    assert all((illness.means, illness.threshold, illness.cure, illness.step))
    assert [name for _, name, _, _ in string.Formatter().parse(illness.says) if name]


def test_validation_loss_that_rises_is_no_illness_where_early_stopping_saw_to_it():
    observed = train(ILL["overfit: mislabelled patients learned slowly by heart"], 0)
    stopped = replace(observed, trial=observed.trial._replace(reason="stopped_early@40"))

    losses = observed.curve.column("train_loss")
    half = observed.trial.facts["chance_loss"] / 2
    assert losses[-1] > half, "training did not go far; only the turn of validation loss tells"
    assert [finding.code for finding in diagnose_trial(observed)] == ["overfit"]
    assert diagnose_trial(stopped) == []


def trial(**changes):
    return Trial(number=3, state=TrialState.COMPLETE, params={}, **changes)


def untold(observed):
    [finding] = diagnose_trial(observed)
    assert finding.severity is Severity.NOTE
    return finding.code, finding.sentence


def test_where_too_little_was_measured_that_is_said_and_not_that_nothing_ails_it():
    columns = ("train_loss", "validation_loss")
    short = Curve(columns=columns, block=array("f", [2.0, 2.0] * 2))
    without_numbers = Curve(columns=columns, block=array("f", [math.nan, math.nan] * 9))

    assert untold(Observed(trial=trial())) == (
        "not_seen", "how it learned cannot be told: it ended before an epoch was over",
    )  # fmt: skip
    assert untold(Observed(trial=trial(epochs=1, facts={"chance_loss": 2.3}), curve=short)) == (
        "too_short", "1 epoch of training: too little to tell how it learned",
    )  # fmt: skip
    assert "another program" in untold(Observed(trial=trial(epochs=9), elsewhere=True))[1]
    assert "has not ended" in untold(Observed(trial=trial()._replace(state=TrialState.RUNNING)))[1]
    assert "not kept" in untold(Observed(trial=trial(epochs=9), curve=without_numbers))[1]
    for curve in (short, without_numbers):
        assert learning_of(Observed(trial=trial(facts={"chance_loss": 2.3}), curve=curve)) is None
    assert learning_of(Observed(trial=trial(facts={}), curve=without_numbers)) is None
