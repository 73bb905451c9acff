"""What a study file may say of a pruner, and what it means when it says less."""

from dataclasses import replace

import pytest

from hpo.errors import SpecError
from hpo.service.completion import complete
from hpo.service.pruners import check_pruner
from hpo.study import ObjectiveSpec, PrunerSpec, SamplerSpec
from hpo.testing.small_jobs import data_of, spec_of

INFO = data_of().info


def completed(pruner, **rest):
    return complete(spec_of(epochs=50, pruner=pruner, **rest), INFO)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("halving", {"min_epochs": 1, "factor": 3, "bracket": 64}),
        ("hyperband", {"min_epochs": 1, "factor": 3}),
        ("median", {"min_epochs": 5, "bracket": 64}),
    ],
)
def test_a_name_is_enough_and_the_rest_is_filled_in_once(name, keys):
    spec = completed(PrunerSpec(name=name))

    assert spec.pruner == PrunerSpec(name=name, **keys)
    assert complete(spec, INFO) == spec
    assert completed(PrunerSpec()).pruner == PrunerSpec()


def test_who_would_never_judge_is_refused():
    with pytest.raises(SpecError, match=r"must be below epochs \(50\)") as caught:
        completed(PrunerSpec(name="halving", min_epochs=50))

    assert caught.value.field == "pruner.min_epochs"


def test_a_bracket_of_hyperband_may_not_be_endless():
    with pytest.raises(SpecError, match="largest bracket would have"):
        complete(spec_of(epochs=100_000, pruner=PrunerSpec(name="hyperband", factor=2)), INFO)


def test_several_objectives_have_no_order_to_be_judged_by():
    two = (ObjectiveSpec(metric="accuracy"), ObjectiveSpec(metric="n_parameters"))

    with pytest.raises(SpecError, match="judges by one metric"):
        check_pruner(replace(completed(PrunerSpec(name="median")), objectives=two))


def test_a_sampler_that_waits_for_results_asks_for_whole_brackets():
    spec = replace(spec_of(epochs=50), sampler=SamplerSpec(name="tpe"), pruner=PrunerSpec(name="halving"))
    whole = complete(spec, INFO)

    with pytest.raises(SpecError, match="as many trials as are judged together") as caught:
        complete(replace(spec, sampler=SamplerSpec(name="tpe", batch=16)), INFO)

    assert whole.sampler.batch == 64
    assert caught.value.field == "sampler.batch"
