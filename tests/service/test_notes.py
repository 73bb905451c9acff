"""Notes on a valid study: what changes nothing, and what can never come true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.dataset import Task
from hpo.service.notes import notes
from hpo.service.specfile import complete, parse
from hpo.testing.small_jobs import data_of

INFO = data_of().info
REGRESSION = replace(INFO, task=Task.REGRESSION, classes=())


def notes_of(text, info=INFO):
    return notes(complete(parse(f"data: made-up\nepochs: 10\nparameters: {{{text}}}"), info), info)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "optimizer: sgd, rho: 0.9",
            "parameters.rho changes nothing: it counts where optimizer is adadelta or rmsprop, and here it is sgd",
        ),
        (
            "step_epochs: [3, 5]",
            "parameters.step_epochs changes nothing: it counts where schedule is step, and here it is constant",
        ),
        (
            "scaling: [minmax, none], pca_components: 2",
            "parameters.pca_components changes nothing: it counts where scaling is pca or whiten, "
            "and here it is minmax or none",
        ),
        (
            "init_scale: 2.0",
            "parameters.init_scale changes nothing: it counts where initializer is constant, random_uniform, "
            "random_normal, truncated_normal, orthogonal or variance_scaling, and here it is chosen by activation",
        ),
        (
            "hidden_layers: 0, dropout: 0.5",
            "parameters.dropout changes nothing: it counts where hidden_layers is 1 or more, and here it is 0",
        ),
        (
            "scaling: [minmax, whiten, pca], pca_components: [2, 3]",
            "parameters.pca_components is searched in every trial and counts where scaling is whiten or pca; "
            "when: {scaling: [whiten, pca]} keeps it out of the others",
        ),
        (
            "warmup_epochs: [0, 20]",
            "parameters.warmup_epochs goes up to 20, and a trial has at most 10 epochs: "
            "its learning rate is never reached",
        ),
    ],
)
def test_what_is_said_in_vain_gets_a_sentence(text, sentence):
    assert notes_of(text) == [sentence]


@pytest.mark.parametrize(
    "text",
    [
        "learning_rate: 0.1, warmup_epochs: 10",
        "optimizer: [sgd, rmsprop], rho: {low: 0.9, high: 0.99, when: {optimizer: [rmsprop]}}",
        "scaling: [pca, none], pca_components: 2",
        "hidden_units: samples, samples_alpha: 2",
        "beta1: 0.8",
    ],
)
def test_what_counts_gets_none(text):
    assert notes_of(text) == []


def test_a_warm_up_must_fit_into_the_first_round():
    text = "data: made-up\nepochs: 8\nsampler: coarse_to_fine\nparameters: "
    tight, fits = (text + f"{{learning_rate: {{low: 0.1, high: 1}}, warmup_epochs: {n}}}" for n in (3, 2))

    [sentence] = notes(complete(parse(tight), INFO), INFO)

    assert "and a trial of the first round has at most 2 epochs" in sentence
    assert notes(complete(parse(fits), INFO), INFO) == []


def test_a_grid_is_told_too_what_it_multiplies_for_nothing():
    text = "data: made-up\nsampler: grid\nparameters: {optimizer: [sgd, momentum], momentum: [0.5, 0.9]}"

    [sentence] = notes(complete(parse(text), INFO), INFO)

    assert "when: {optimizer: [momentum]} keeps it out of the others" in sentence


def test_the_default_loss_is_that_of_the_task():
    assert "and here it is mse" in notes_of("huber_delta: 0.5", REGRESSION)[0]
    assert notes_of("huber_delta: 0.5, loss: huber", REGRESSION) == []
