"""A study file that asks for a population: what it means, and the one sentence when it cannot be one."""

import json

import pytest

from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError
from hpo.service import specfile
from hpo.service.submit import sentence

GOOD = {
    "data": {"source": "digits"},
    "trials": 40,
    "epochs": 30,
    "pruner": "population",
    "parameters": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "optimizer": ["momentum", "adam"],
        "batch_size": 32,
    },
}
INFO = DatasetInfo(
    source="digits",
    sha256="0" * 64,
    task=Task.CLASSIFICATION,
    task_reason="",
    target="target",
    n_rows=1797,
    n_features=64,
    classes=tuple(map(str, range(10))),
)
WHEN = {"optimizer": ["adam"]}
REPLAY = {"name": "population", "options": {"schedule": [{"epoch": 6, "learning_rate": 0.01}], "until": 20}}


def changed(**keys):
    tree = json.loads(json.dumps(GOOD))
    parameters = keys.pop("parameters", {})
    tree |= {key.replace("__", "."): value for key, value in keys.items()}
    tree["parameters"] |= parameters
    return tree


def pruner(**keys):
    return {"pruner": {"name": "population", **keys}}


def completed(tree):
    return specfile.complete(specfile.from_json(tree), INFO)


def test_size_generation_and_options_are_filled_in_and_filling_in_twice_changes_nothing():
    small, large = completed(changed()), completed(changed(trials=1000, epochs=5))

    assert (small.pruner.bracket, small.pruner.min_epochs) == (40, 3)
    assert (large.pruner.bracket, large.pruner.min_epochs) == (64, 1)
    assert small.pruner.options == {"quantile": 0.2, "perturb": [0.8, 1.2], "resample": 0.1}
    again = specfile.parse(specfile.to_yaml(small))
    assert again == small
    assert specfile.complete(again, INFO) == small


def test_what_is_given_stays():
    given = completed(changed(**pruner(bracket=20, min_epochs=7, options={"quantile": 0.5})))

    assert (given.pruner.bracket, given.pruner.min_epochs, given.pruner.options["quantile"]) == (20, 7, 0.5)


def test_what_will_run_is_said():
    assert "40 random trials of at most 30 epochs, in populations of 40, " in sentence(completed(changed()))


def test_a_replay_is_not_filled_in():
    assert completed(changed(trials=1, pruner=REPLAY)).pruner.bracket is None


BAD_SCHEDULES = [
    ([3], "0", "needs the epoch"),
    ([{"learning_rate": 0.1}], "0", "needs the epoch"),
    ([{"epoch": 6}, {"epoch": 6}], "1.epoch", "after the one before"),
    ([{"epoch": 30, "dropout": 0.1}], "0.epoch", "below epochs"),
    ([{"epoch": 3, "learning_rat": 0.1}], "0.learning_rat", "did you mean 'learning_rate'"),
    ([{"epoch": 3, "learning_rate": -1}], "0.learning_rate", "must be > 0"),
    ([{"epoch": 3, "batch_size": 8}], "0.batch_size", "cannot change"),
    ([{"epoch": 3, "epochs": 8}], "0.epochs", "cannot change"),
]


@pytest.mark.parametrize(
    ("tree", "field", "sentence"),
    [
        (changed(**pruner(bracket=1)), "pruner.bracket", "nobody to learn from"),
        (changed(**pruner(bracket=5000)), "pruner.bracket", "between 2 and"),
        (changed(**pruner(bracket=13)), "pruner.bracket", "leave one alone"),
        (changed(trials=65), "pruner.bracket", "write trials: 64, or pruner.bracket: 65"),
        (changed(trials=1), "trials", "nobody to learn from"),
        (changed(epochs=1), "epochs", "at least 2"),
        (changed(limits={"parallel": 39}), "limits.parallel", "all of its 40 trials at once"),
        (changed(**pruner(min_epochs=30)), "pruner.min_epochs", "must be below epochs (30)"),
        (changed(**pruner(min_epochs=0)), "pruner.min_epochs", "must be >= 1"),
        (changed(**pruner(factor=3)), "pruner.factor", "counts only for halving"),
        (changed(**pruner(options={"quantil": 0.1})), "pruner.options.quantil", "did you mean 'quantile'"),
        (changed(**pruner(options={"quantile": 0.6})), "pruner.options.quantile", "at most 0.5"),
        (changed(**pruner(options={"resample": True})), "pruner.options.resample", "probability"),
        (changed(**pruner(options={"perturb": [1.2, 0.8]})), "pruner.options.perturb", "one below 1"),
        (
            changed(parameters={"batch_size": [16, 32]}),
            "parameters.batch_size",
            "must share it; give one value",
        ),
        (
            changed(parameters={"hidden_units": {"low": 8, "high": 64}}),
            "parameters.hidden_units",
            "must share it",
        ),
        (
            changed(parameters={"batch_norm": {"value": True, "when": WHEN}}),
            "parameters.batch_norm",
            "without when",
        ),
        (changed(parameters={"patience": {"low": 3, "high": 9}}), "parameters.patience", "for as long"),
        (changed(parameters={"activation": ["relu", "prelu"]}), "parameters.activation", "prelu has weights"),
        (changed(parameters={"learning_rate": 0.1}), "parameters", "none of them may change"),
        (
            changed(constraints={"learning_rate": "< 0.01"}),
            "constraints.learning_rate",
            "bound it by low and high",
        ),
        (changed(objective=[{"metric": "accuracy"}, {"metric": "log_loss"}]), "objective", "give one"),
        (changed(pruner=REPLAY | {"bracket": 3}), "pruner.bracket", "without a schedule"),
        (changed(**pruner(options={"until": 3})), "pruner.options.schedule", "must be a list"),
        (
            changed(**pruner(options=REPLAY["options"] | {"until": 31})),
            "pruner.options.until",
            "from 1 to epochs",
        ),
        *(
            (changed(**pruner(options={"schedule": schedule})), f"pruner.options.schedule.{place}", sentence)
            for schedule, place, sentence in BAD_SCHEDULES
        ),
    ],
)
def test_what_cannot_be_is_one_sentence_with_its_place(tree, field, sentence):
    with pytest.raises(SpecError) as caught:
        completed(tree)

    assert caught.value.field == field
    assert sentence in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("name", ["random", "grid"])
def test_samplers_that_wait_for_nobody_may_begin_a_population(name):
    tree = changed(
        sampler=name, parameters={"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True, "num": 9}}
    )
    if name == "grid":
        del tree["trials"]

    assert completed(tree).pruner.bracket in (18, 40)
