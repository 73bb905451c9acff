"""What a study file may say of its sampler."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpo.errors import SpecError
from hpo.service.sampler_checks import check_sampler
from hpo.service.specfile import parse
from hpo.study import PrunerSpec

RATE = "parameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}}"


def spec_of(*lines):
    return parse(
        "\n".join(["data: digits", *(lines if any("parameters" in x for x in lines) else (RATE, *lines))])
    )


def error_of(*lines):
    with pytest.raises(SpecError) as caught:
        spec_of(*lines)
    return caught.value


def test_a_search_in_rounds_may_have_options_and_widen():
    spec = spec_of("sampler: {name: coarse_to_fine, widen: true, options: {rounds: 4, keep: 0.2, growth: 3}}")

    assert (spec.sampler.widen, dict(spec.sampler.options)) == (True, {"rounds": 4, "keep": 0.2, "growth": 3})


@pytest.mark.parametrize("name", ["random", "grid"])
def test_only_coarse_to_fine_widens(name):
    error = error_of(f"sampler: {{name: {name}, widen: true}}", "parameters: {learning_rate: [0.1, 0.2]}")

    assert error.field == "sampler.widen"
    assert f"only coarse_to_fine goes beyond the written ranges, not {name}" in error.detail


@pytest.mark.parametrize("name", ["random", "grid"])
def test_samplers_without_options_say_so(name):
    error = error_of(
        f"sampler: {{name: {name}, options: {{rounds: 3}}}}", "parameters: {learning_rate: [0.1, 0.2]}"
    )

    assert (error.field, error.detail) == ("sampler.options", f"{name} has no options; leave it out")


def test_an_option_that_is_none_gets_the_nearest():
    error = error_of("sampler: {name: coarse_to_fine, options: {round: 3}}")

    assert error.field == "sampler.options.round"
    assert "did you mean 'rounds'" in error.detail


def test_too_few_trials_for_the_rounds_are_one_sentence():
    error = error_of("sampler: coarse_to_fine", "trials: 10")

    assert error.field == "trials"
    assert "10 are too few for 3 rounds of at least 8 trials" in error.detail


def test_there_must_be_something_to_narrow():
    error = error_of("sampler: coarse_to_fine", "parameters: {learning_rate: 0.1}")

    assert (error.field, "at least one parameter" in error.detail) == ("parameters", True)


def test_rounds_and_a_pruners_brackets_would_wait_for_one_another():
    spec = replace(spec_of("sampler: coarse_to_fine"), pruner=PrunerSpec(name="halving"))

    with pytest.raises(SpecError, match="leave the pruner out") as caught:
        check_sampler(spec)

    assert caught.value.field == "pruner"
