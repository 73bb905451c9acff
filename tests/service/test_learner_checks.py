"""What a study file may say of its sampler: each mistake gets one sentence with its place and a cure."""

from __future__ import annotations

import pytest

from hpo.errors import SpecError
from hpo.service.specfile import parse

RATE = "learning_rate: {low: 1e-4, high: 1e-1, log: true}"


def refusal(sampler: str, parameters: str = RATE, more: str = "") -> str:
    with pytest.raises(SpecError) as error:
        parse(f"data: digits\nsampler: {sampler}\nparameters: {{{parameters}}}\n{more}".encode())
    return str(error.value)


@pytest.mark.parametrize(
    ("sampler", "sentence"),
    [
        ("{name: tpe, batch: 0}", "sampler.batch: must be >= 1, got 0"),
        ("{name: tpe, batch: 100000}", "sampler.batch: must be <= 10,000, got 100000"),
        ("{name: random, batch: 8}", "sampler.batch: counts only with tpe, cmaes, gp and nsga2, and the sampler is random"),
        ("{name: sobol, options: {scramble: true}}", "sampler.options: sobol has no options"),
        ("{name: tpe, options: {n_startup_trial: 3}}", "sampler.options.n_startup_trial: tpe has no such option; did you mean 'n_startup_trials'?"),
        ("{name: gp, options: {popsize: 3}}", "gp has no such option; there are n_startup_trials, deterministic_objective"),
        ("{name: tpe, options: {n_ei_candidates: 0}}", "sampler.options.n_ei_candidates: must be >= 1, got 0"),
        ("{name: tpe, options: {n_startup_trials: 2.5}}", "must be a whole number, got 2.5"),
        ("{name: nsga2, options: {mutation_prob: 2}}", "sampler.options.mutation_prob: must be <= 1, got 2"),
        ("{name: nsga2, options: {mutation_prob: high}}", "must be a number, got 'high'"),
        ("{name: tpe, options: {multivariate: 1}}", "must be true or false, got 1"),
        ("{name: tpe, options: {seed: 1}}", "sampler.options.seed: stands beside options; write sampler: {seed: 0}"),
        ("{name: nsga2, options: {crossover: uniform}}", "is a Python object, which a study file cannot say"),
        ("{name: cmaes, options: {sigma0: 1.0}}", "sampler.options.sigma0: is on its way out of Optuna"),
        ("{name: cmaes, options: {with_margin: true, lr_adapt: true}}", "sampler.options.lr_adapt: cannot stand beside with_margin"),
        ("{name: tpe, options: {group: true, multivariate: false}}", "sampler.options.group: needs multivariate: true"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_sampler_is_refused_with_its_place(sampler, sentence):
    assert sentence in refusal(sampler)


@pytest.mark.parametrize(
    "parameters",
    [
        "optimizer: [adam, sgd]",
        "optimizer: [adam, momentum], momentum: {low: 0.8, high: 0.9, when: {optimizer: [momentum]}}",
        "optimizer: [adam, sgd], learning_rate: {low: 0.1, high: 0.1}",
    ],
)
def test_cma_es_needs_a_number_to_move(parameters):
    assert refusal("cmaes", parameters) == (
        "sampler.name: cmaes moves numbers, and no range without a condition is searched; write sampler: tpe"
    )


def test_what_fits_is_taken():
    spec = parse(
        b"data: digits\nsampler: {name: nsga2, batch: 8, options: {population_size: 20, crossover_prob: 1}}\n"
        b"parameters: {learning_rate: {low: 0.1, high: 1.0}}"
    )

    assert (spec.sampler.batch, dict(spec.sampler.options)) == (
        8,
        {"population_size": 20, "crossover_prob": 1},
    )
