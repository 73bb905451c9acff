"""Study files whose trials are trained elsewhere."""

import pytest

from hpo.errors import DataError, SpecError, UnknownName
from hpo.service import datasets, specfile, submit
from hpo.service.submit import Draft
from hpo.storage.open import open_storage
from hpo.study import Direction

LEAST = """
trainer: external
objective: {metric: seconds per query, direction: minimize}
parameters:
  cache/size: {low: 1, high: 4096, log: true, type: int}
  index: [hash, tree]
  index.fanout: {low: 2, high: 64, type: int, when: {index: [tree]}}
"""


def completed(text):
    return specfile.complete(specfile.parse(text), None)


def changed(line):
    """A valid study file with a line more, or another one."""
    text = {"trainer": "external", "objective": "accuracy", "parameters": "{a: {low: 0, high: 1}}"}
    key, _, value = line.partition(":")
    return "\n".join(f"{key}: {value}" for key, value in (text | {key: value}).items())


def test_parameters_have_any_names_and_the_metric_any_name():
    spec = completed(LEAST)

    assert spec.objective.direction is Direction.MINIMIZE
    assert spec.parameters.searched["cache/size"].is_int
    assert (spec.trials, spec.epochs, spec.limits.lease, spec.limits.retries) == (100, None, "60s", 2)


def test_a_completed_file_reads_back_as_itself():
    spec = completed(LEAST)

    assert specfile.parse(specfile.to_yaml(spec)) == spec
    assert specfile.complete(spec, None) == spec


def test_a_metric_that_hpo_knows_needs_no_direction():
    assert completed(changed("objective: log_loss")).objective.direction is Direction.MINIMIZE


def test_a_grid_has_all_of_its_points_as_trials():
    text = changed("parameters: {a: [1, 2, 3], b: {low: 1, high: 4, type: int}}") + "\nsampler: grid"

    assert completed(text).trials == 12


@pytest.mark.parametrize("name", ["halving", "hyperband", "median"])
def test_pruners_have_their_defaults_but_no_brackets(name):
    pruner = completed(changed(f"pruner: {name}") + "\nepochs: 81").pruner

    assert pruner.min_epochs == (8 if name == "median" else 1)
    assert pruner.bracket is None


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("objective: my loss", "objective.direction", "minimize or maximize"),
        ("objective: [accuracy, speed]", "objective.1.direction", "minimize or maximize"),
        ("objective: [accuracy, accuracy]", "objective.1.metric", "twice"),
        ("objective: {metric: '', direction: minimize}", "objective.metric", "1 to 64"),
        ("objective: {metric: accuracy, on_diverged: worst}", "objective.on_diverged", "diverged"),
        ("data: digits", "data", "leave it out"),
        ("repeats: 3", "repeats", "mean"),
        ("refit: true", "refit", "leave it out"),
        ("early_stopping: {patience: 3}", "early_stopping", "pruner"),
        ("constraints: {n_parameters: '<= 3'}", "constraints", "infeasible"),
        ("pruner: population", "pruner.name", "median, halving, hyperband or none"),
        ("pruner: {name: MedianPruner}", "pruner.name", "median, halving, hyperband or none"),
        ("pruner: halving", "epochs", "is needed by halving"),
        ("pruner: {min_epochs: 3}", "pruner.min_epochs", "leave it out"),
        ("limits: {lease: 0.5}", "limits.lease", "between 1s and 7d"),
        ("limits: {lease: soon}", "limits.lease", "must be a time"),
        ("parameters: {'a b': [1, 2]}", "parameters.a b", "letters"),
        (f"parameters: {{{'a' * 129}: [1, 2]}}", f"parameters.{'a' * 129}", "1 to 128"),
        ("sampler: {name: coarse_to_fine}\npruner: median", "epochs", "is needed"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place_and_a_cure(line, place, words):
    with pytest.raises(SpecError) as refused:
        completed(changed(line))

    assert refused.value.field == place
    assert words in refused.value.detail


def test_an_objective_is_needed():
    with pytest.raises(SpecError) as refused:
        completed("trainer: external\nparameters: {a: [1, 2]}")

    assert refused.value.field == "objective"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("pruner: {name: halving, bracket: 8}", "pruner.bracket"),
        ("pruner: {name: median, factor: 2}", "pruner.factor"),
        ("pruner: {name: halving, factor: 1}", "pruner.factor"),
        ("pruner: {name: halving, min_epochs: 9}", "pruner.min_epochs"),
        ("pruner: {name: halving, options: {a: 1}}", "pruner.options"),
    ],
)
def test_a_pruner_reads_only_its_keys(line, place):
    with pytest.raises(SpecError) as refused:
        completed(changed(line) + "\nepochs: 9")

    assert refused.value.field == place


def test_a_trainer_that_there_is_not_is_told_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'external'"):
        completed(changed("trainer: extern"))


def test_a_lease_counts_only_where_trials_are_trained_elsewhere():
    with pytest.raises(SpecError) as refused:
        specfile.parse("data: digits\nparameters: {l1: [0.1, 0.2]}\nlimits: {lease: 60s}")

    assert refused.value.field == "limits.lease"


def test_nothing_here_can_train_it(tmp_path):
    spec = completed(LEAST)

    with pytest.raises((SpecError, DataError), match="over REST"):
        datasets.prepared(spec, scalings=(None,), folder=tmp_path, storage=lambda: None)


def test_it_is_stored_with_its_metric_and_without_data(tmp_path):
    storage = open_storage("memory://")
    draft = Draft(spec=specfile.parse(LEAST), folder=tmp_path, stem="cache")

    study, spec = submit.create(storage, draft, None)

    assert (study.name, study.metric, study.direction) == ("cache", "seconds per query", Direction.MINIMIZE)
    assert study.external
    assert dict(study.data) == {}
    assert submit.sentence(spec).startswith("100 random trials, trained by whoever asks for them, minimize")
