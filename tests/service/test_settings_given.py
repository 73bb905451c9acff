"""Settings that a user gives: values of the parameter's kind, or one sentence with its place and a cure."""

import pytest

from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError, UnknownName
from hpo.service import specfile, submit
from hpo.service.settings_given import setting_of

FILE = """
data: digits
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  dropout: {low: 0.0, high: 0.55, step: 0.1}
  hidden_units: {low: 16, high: 256}
  optimizer: [sgd, momentum, nesterov, adam]
  momentum: {low: 0.8, high: 0.99, when: {optimizer: [momentum, nesterov]}}
  hidden_layers: 2
  batch_norm: [true, false]
  l2: [0.0, 0.1]
"""
SPACE = specfile.parse(FILE).parameters
GRID = "data: digits\nparameters: {dropout: [0.1, 0.2], l2: [0.0, 0.1, 0.2]}\nsampler: grid\n"
INFO = DatasetInfo(
    source="digits",
    sha256="ab" * 32,
    task=Task.CLASSIFICATION,
    task_reason="built in",
    target="digit",
    classes=("0", "1"),
    n_rows=100,
    n_features=3,
    n_train=60,
    n_validation=20,
    n_test=20,
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {}),
        ({"learning_rate": 1e-3}, {"learning_rate": 1e-3}),
        ({"hidden_units": 64.0, "l2": 0}, {"hidden_units": 64, "l2": 0.0}),
        ({"dropout": 0}, {"dropout": 0.0}),
        ({"dropout": 0.1 + 0.2}, {"dropout": 0.1 + 0.2}),
        ({"hidden_layers": 2, "batch_norm": True}, {"batch_norm": True}),
        ({"momentum": 0.9, "optimizer": "nesterov"}, {"momentum": 0.9, "optimizer": "nesterov"}),
    ],
)
def test_a_setting_has_values_of_the_parameters_kinds_and_no_fixed_ones(given, kept):
    found = setting_of(SPACE, given)

    assert found == kept
    assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in kept.items()}


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"lr": 1e-3}, "lr", "the study has no parameter 'lr'; there are learning_rate, dropout"),
        ({"learnin_rate": 1e-3}, "learnin_rate", "did you mean 'learning_rate'"),
        ({"learning_rate": 0.5}, "learning_rate", "must be between 0.0001 and 0.1, got 0.5"),
        ({"learning_rate": "adam"}, "learning_rate", "must be a number, got adam"),
        ({"learning_rate": True}, "learning_rate", "must be a number, got true"),
        ({"learning_rate": None}, "learning_rate", "must be a number, got null"),
        ({"hidden_units": 16.5}, "hidden_units", "must be a whole number, got 16.5"),
        ({"dropout": 0.25}, "dropout", "must be 0 and a multiple of the step 0.1, got 0.25"),
        ({"optimizer": "rmsprop"}, "optimizer", "must be one of sgd, momentum, nesterov, adam, got rmsprop"),
        ({"batch_norm": 1}, "batch_norm", "must be one of true, false, got 1"),
        ({"hidden_layers": 3}, "hidden_layers", "is 2 in every trial of the study, got 3"),
        (
            {"momentum": 0.9},
            "momentum",
            "counts only where optimizer is momentum or nesterov; give optimizer",
        ),
        ({"momentum": 0.9, "optimizer": "adam"}, "momentum", "and here it is adam; leave it out"),
    ],
)
def test_what_no_trial_could_have_is_refused_with_a_cure(given, field, sentence):
    with pytest.raises(SpecError) as caught:
        setting_of(SPACE, given)

    assert caught.value.field == field
    assert sentence in caught.value.detail


def test_a_study_file_is_told_which_of_its_settings_is_wrong():
    text = f"{FILE}enqueue: [{{dropout: 0.1}}, {{learning_rate: 5}}]"
    with pytest.raises(SpecError) as caught:
        specfile.parse(text)
    assert caught.value.field == "enqueue[1].learning_rate"

    with pytest.raises(UnknownName) as caught:
        specfile.parse(f"{FILE}enqueue: [{{droput: 0.1}}]")
    assert caught.value.field == "enqueue[0].droput"

    with pytest.raises(SpecError) as caught:
        specfile.parse(f"{FILE}enqueue: [{{dropout: [0.1]}}]")
    assert caught.value.field == "enqueue[0].dropout"


def test_a_new_study_begins_with_the_settings_of_its_file(storage, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(f"{FILE}trials: 5\nenqueue: [{{hidden_units: 64, hidden_layers: 2}}, {{}}]")

    study, spec = submit.create(storage, submit.draft_of_file(path), INFO)

    assert study.n_trials == 5
    assert [dict(entry.params) for entry in storage.queue(study.name)] == [{"hidden_units": 64}, {}]
    assert submit.sentence(spec).startswith("5 random trials (2 enqueued) of")
    assert specfile.from_json(study.spec) == spec


@pytest.mark.parametrize(
    ("text", "trials"),
    [
        (f"{GRID}enqueue: [{{dropout: 0.2}}]", 7),
        (f"{GRID}enqueue: [{{dropout: 0.2}}]\ntrials: 4", 4),
        (f"{FILE}enqueue: [{', '.join(['{}'] * 120)}]", 120),
        (f"{FILE}enqueue: [{{}}]", 100),
    ],
)
def test_the_total_counts_enqueued_settings_and_a_grid_is_not_cut_by_them(text, trials):
    assert specfile.complete(specfile.parse(text), INFO).trials == trials


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{GRID}enqueue: [{{}}]\ntrials: 8", "6 points and 1 enqueued settings, so at most 7 trials"),
        (f"{FILE}enqueue: [{{}}, {{}}]\ntrials: 1", "must be >= 2, the number of settings under enqueue"),
    ],
)
def test_a_total_that_does_not_fit_the_settings_is_refused(text, sentence):
    with pytest.raises(SpecError, match=sentence) as caught:
        specfile.complete(specfile.parse(text), INFO)

    assert caught.value.field == "trials"
