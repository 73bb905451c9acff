"""One error for a wrong study file: its place, one sentence, a cure; and nothing but SpecError, whatever comes in."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpo.errors import SpecError
from hpo.samplers.points import grid_size
from hpo.service.specfile import from_json, parse
from hpo.study import COSTS, StudySpec

GOOD = {
    "data": {"source": "digits", "split": {"test": 0.2}},
    "trials": 256,
    "parameters": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "optimizer": ["sgd", "momentum", "adam"],
        "momentum": {"low": 0.8, "high": 0.99, "when": {"optimizer": ["momentum"]}},
        "hidden_units": {"choices": [32, "64-32"]},
        "dropout": 0.5,
    },
}


def changed(path, value):
    """The good study with one thing changed."""
    tree = json.loads(json.dumps(GOOD))
    *sections, last = path.split(".")
    place = tree
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    return tree


def error_of(tree, kind=SpecError):
    with pytest.raises(kind) as caught:
        from_json(tree)
    return caught.value


def test_the_good_study_is_good():
    assert isinstance(from_json(GOOD), StudySpec)


# (what is changed, to what, the place shown, what the sentence says)
WRONG = [
    ("trails", 3, "trails", "did you mean 'trials'"),
    ("data.sorce", "x", "data.sorce", "did you mean 'source'"),
    ("data.split.tset", 0.1, "data.split.tset", "did you mean 'test'"),
    ("parameters.dropuot", 0.1, "parameters.dropuot", "did you mean 'dropout'"),
    ("parameters.learning_rate.hihg", 1, "parameters.learning_rate.hihg", "did you mean 'high'"),
    ("learning_rate", 0.1, "learning_rate", "under parameters"),
    ("split", {"test": 0.1}, "split", "under data"),
    ("data.trials", 5, "data.trials", "top level"),
    ("zzz", 5, "zzz", "there are data"),
    ("labels", {"year": 2026}, "labels.year", 'got 2026; put it in quotes: "2026"'),
    ("trials", "64", "trials", "leave the quotes out"),
    ("trials", 1000.0, "trials", "write 1000"),
    ("early_stopping", 10, "early_stopping", "write early_stopping: {patience: 10}"),
    ("parameters.momentum.when", {"optimizer": "adam"}, "parameters.momentum.when.optimizer", "write [adam]"),
    ("parameters.learning_rate.low", -0.001, "parameters.learning_rate.low", "must be > 0"),
    ("parameters.learning_rate.low", 1, "parameters.learning_rate.high", "must be >= low"),
    ("parameters.learning_rate.low", "1", "parameters.learning_rate.low", "must be a number"),
    ("parameters.dropout", {}, "parameters.dropout.low", "is needed"),
    ("parameters.dropout", {"low": 0.5, "high": 0.1}, "parameters.dropout.high", "must be >= low (0.5), got 0.1"),
    ("parameters.l2", {"low": 0, "high": 1, "log": True}, "parameters.l2.low", "must be > 0 when log is true"),
    ("parameters.learning_rate", {"low": 1}, "parameters.learning_rate.high", "is needed"),
    ("parameters.learning_rate", [], "parameters.learning_rate", "at least one choice"),
    ("parameters.learning_rate", None, "parameters.learning_rate", "needs a value"),
    ("parameters.learning_rate", "fast", "parameters.learning_rate", "must be a number"),
    ("parameters.learning_rate", {"low": -1, "high": 1}, "parameters.learning_rate.low", "must be > 0, got -1"),
    ("parameters.optimizer", ["sgd", "admm"], "parameters.optimizer.1", "did you mean 'adam'"),
    ("parameters.optimizer", {"choices": ["admm"]}, "parameters.optimizer.choices.0", "'adam'"),
    ("parameters.optimizer", {"value": "admm"}, "parameters.optimizer", "did you mean 'adam'"),
    ("parameters.optimizer", ["sgd", "sgd"], "parameters.optimizer", "twice"),
    ("parameters.optimizer", {"low": 0, "high": 1}, "parameters.optimizer.low", "must be a name"),
    ("parameters.optimizer", [["sgd"]], "parameters.optimizer.0", "must be text, a number"),
    ("parameters.dropout", [0.5, 1.0], "parameters.dropout.1", "must be < 1"),
    ("parameters.dropout", True, "parameters.dropout", "must be a number"),
    ("parameters.batch_size", 0.5, "parameters.batch_size", "whole number"),
    ("parameters.batch_size", {"low": 1.5, "high": 3}, "parameters.batch_size.low", "whole number"),
    ("parameters.batch_size", {"low": 1, "high": 3, "type": "float"}, "parameters.batch_size.low", "whole"),
    ("parameters.batch_size", {"low": 1, "high": 3, "type": "str"}, "parameters.batch_size.type", "'int'"),
    ("parameters.momentum.when", {"optimizer": ["rmsprop"]}, "parameters.momentum.when.optimizer", "never"),
    ("parameters.momentum.when", {"optimiser": ["sgd"]}, "parameters.momentum.when.optimiser", "no parameter"),
    ("parameters.hidden_layers", 2, "parameters.hidden_units", "leave hidden_layers out"),
    ("parameters.min_delta", 0.1, "parameters.min_delta", "beside patience"),
    ("parameters", "mlp-defualt", "parameters", "did you mean 'mlp-default'"),
    ("parameters", [1], "parameters", "must be a mapping"),
    ("data", None, "data", "is needed"),
    ("data", 3, "data", "must be a mapping"),
    ("data.source", "", "data.source", "built-in name"),
    ("data.task", "clustering", "data.task", "classification or regression"),
    ("data.target_scaling", "log", "data.target_scaling", "standardize or none or log1p"),
    ("data.drop", "id", "data.drop", "must be a list"),
    ("data.drop", [1], "data.drop.0", "must be text"),
    ("data.split", {"test": 0.9}, "data.split.test", "no rows to train on"),
    ("data.split", {"validation": 0.5, "test": 0.5}, "data.split.validation", "no rows to train on"),
    ("data.split", {"validation": 0}, "data.split.validation", "must be > 0"),
    ("data.split", {"test": -0.1}, "data.split.test", "share"),
    ("data.split", {"column": "p", "test": 0.1}, "data.split.test", "beside column"),
    ("data.split", {"column": "p", "order": "d"}, "data.split.order", "beside column"),
    ("objective", "acuracy", "objective.metric", "did you mean 'accuracy'"),
    ("objective", {"direction": "maximize"}, "objective.metric", "is needed"),
    ("objective", {"metric": "f1", "direction": "max"}, "objective.direction", "'minimize' or 'maximize'"),
    ("objective", {"metric": "f1", "on_diverged": "ignore"}, "objective.on_diverged", "fail or worst"),
    ("trials", "64", "trials", "must be a whole number"),
    ("trials", True, "trials", "must be a whole number"),
    ("trials", 0, "trials", "must be >= 1"),
    ("trials", 10_000_001, "trials", "must be <= 10,000,000"),
    ("epochs", 100_001, "epochs", "must be <= 100,000"),
    ("repeats", 0, "repeats", "must be >= 1"),
    ("repeats", 101, "repeats", "must be <= 100"),
    ("refit", "maybe", "refit", "true or false"),
    ("data.split", {"folds": 1}, "data.split.folds", "must be >= 2"),
    ("data.split", {"folds": 51}, "data.split.folds", "must be <= 50"),
    ("data.split", {"folds": 5, "validation": 0.2}, "data.split.validation", "cannot stand beside folds"),
    ("seed", -1, "seed", "must be >= 0"),
    ("seed", 2**63, "seed", "too large"),
    ("name", "-x", "name", "letters"),
    ("name", "a" * 65, "name", "1 to 64"),
    ("labels", {"year": 2026}, "labels.year", "must be text"),
    ("labels", {"course": "x" * 1_000_000}, "labels", "at most 255 characters each, got 6 and 1,000,000"),
    ("labels", {"x" * 256: "1"}, "labels", "at most 255 characters"),
    ("limits", {"retries": 101}, "limits.retries", "<= 100"),
    ("limits", {"wall_time": []}, "limits.wall_time", "must be text or a number"),
    ("limits", {"wall_time": "ten minutes"}, "limits.wall_time", "must be a time like 10m, 1h30m"),
    ("limits", {"wall_time": 0}, "limits.wall_time", "above 0, got 0"),
    ("limits", {"wall_time": "5m2h"}, "limits.wall_time", "must be a time like 10m, 1h30m"),
    ("limits", {"parallel": 0}, "limits.parallel", "must be >= 1"),
    ("limits", {"max_failed": -1}, "limits.max_failed", "must be >= 0"),
    ("stop", {"vaule": 1}, "stop.vaule", "did you mean 'value'"),
    ("stop", {"value": "high"}, "stop.value", "must be a number"),
    ("stop", {"plateau": 100}, "stop.plateau", "must be a mapping"),
    ("stop", {"plateau": {}}, "stop.plateau.trials", "write plateau: {trials: 100}"),
    ("stop", {"plateau": {"trails": 9}}, "stop.plateau.trails", "did you mean 'trials'"),
    ("stop", {"plateau": {"trials": 0}}, "stop.plateau.trials", "must be between 1 and 10,000,000"),
    ("early_stopping", {"patience": 0}, "early_stopping.patience", ">= 1"),
    ("early_stopping", {"min_delta": 1}, "early_stopping.patience", "is needed"),
    ("sampler", "randm", "sampler.name", "did you mean 'random'"),
    ("sampler", "grid", "parameters.learning_rate.num", "write num: 5"),
    ("pruner", "halvin", "pruner.name", "did you mean 'halving'"),
    ("pruner", "MedianPrunr", "pruner.name", "did you mean 'MedianPruner'"),
    ("pruner", {"name": "MedianPruner", "options": {"n_warmup": 3}}, "pruner.options.n_warmup", "did you mean"),
    ("pruner", {"name": "MedianPruner", "options": {"n_warmup_steps": -1}}, "pruner.options", "Optuna says"),
    ("pruner", {"name": "PercentilePruner"}, "pruner.options.percentile", "is needed by PercentilePruner"),
    ("pruner", {"name": "PatientPruner"}, "pruner.name", "which a study file cannot say"),
    ("pruner", {"name": "MedianPruner", "factor": 3}, "pruner.factor", "does not read it"),
    ("pruner", {"name": "none", "factor": 3}, "pruner.factor", "counts only with a pruner"),
    ("pruner", {"name": "halving", "factor": 1}, "pruner.factor", "must be >= 2, got 1"),
    ("pruner", {"name": "halving", "min_epochs": 0}, "pruner.min_epochs", "must be >= 1, got 0"),
    ("pruner", {"name": "halving", "bracket": 1}, "pruner.bracket", "must be >= 2, got 1"),
    ("pruner", {"name": "median", "bracket": 5000}, "pruner.bracket", "must be <= 4,096"),
    ("pruner", {"name": "median", "factor": 3}, "pruner.factor", "median does not read it"),
    ("pruner", {"name": "hyperband", "bracket": 64}, "pruner.bracket", "makes its own brackets"),
    ("pruner", {"name": "halving", "options": {"rate": 2}}, "pruner.options.rate", "halving has no options"),
    ("constraints", {"n_parameters": 200000}, "constraints.n_parameters", 'must be text, got 200000; write constraints: {n_parameters: "<= 200000"}'),
    ("constraints", ["n_parameters <= 5"], "constraints", "must be a mapping"),
    ("constraints", {"n_parametrs": "<= 5"}, "constraints.n_parametrs", "did you mean 'n_parameters'"),
    ("constraints", {"hidden_units *": "<= 5"}, "constraints.hidden_units *", "is no arithmetic"),
    *[("objective", cost, "objective.metric", f"objective: [accuracy, {cost}], or bound it with constraints") for cost in COSTS],
    ("objective", [], "objective", "needs at least one metric"),
    ("objective", ["n_parameters", "accuracy"], "objective.0.metric", "is a cost"),
    ("objective", ["accuracy", "acuracy"], "objective.1.metric", "did you mean 'accuracy'"),
    ("objective", ["accuracy", "f1", "accuracy"], "objective.2.metric", "stands in the list twice"),
    ("objective", ["accuracy", {"metric": "f1", "on_diverged": "worst"}], "objective.1.on_diverged", "stands with the first"),
    ("objective", ["accuracy", {"metrc": "f1"}], "objective.1.metrc", "did you mean 'metric'"),
    ("objective", ["accuracy", {"direction": "minimize"}], "objective.1.metric", "is needed; write objective"),
    ("objective", ["accuracy", 5], "objective.1", "must be a mapping"),
    ("objective", {"metric": "accuracy", "on_diverged": "nan"}, "objective.on_diverged", "must be fail or worst"),
    ("objectives", ["accuracy", "f1"], "objectives", "a list under objective"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "field", "sentence"), WRONG)
def test_a_wrong_study_gets_one_sentence_with_its_place(path, value, field, sentence):
    error = error_of(changed(path, value))

    assert error.field == field
    assert sentence in error.detail
    assert "\n" not in str(error)


def test_the_place_stands_before_the_sentence():
    error = error_of(changed("parameters.learning_rate", {"low": -0.001, "high": 1, "log": True}))

    assert str(error) == "parameters.learning_rate.low: must be > 0 when log is true, got -0.001"


def test_an_unknown_key_is_shown_before_what_else_is_wrong():
    tree = changed("trials", "many") | {"epohcs": 3}

    assert error_of(tree).field == "epohcs"


def test_patience_cannot_stand_in_two_places():
    tree = changed("parameters.patience", [3, 5]) | {"early_stopping": {"patience": 4}}

    assert error_of(tree).field == "early_stopping.patience"


def test_a_grid_may_have_conditions():
    tree = changed("parameters.learning_rate", [0.1, 0.2]) | {"sampler": "grid"}
    tree["parameters"]["momentum"]["num"] = 3

    assert grid_size(from_json(tree).parameters) == (1 + 3 + 1) * 2 * 2


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pruner", "none"),
        ("pruner", {"name": "none"}),
        ("repeats", 1),
        ("refit", False),
        ("stop", None),
        ("stop", {}),
        ("early_stopping", None),
        ("early_stopping", "none"),
        ("enqueue", []),
        ("constraints", {}),
        ("warm_start", []),
        ("trainer", "mlp"),
        ("limits", {"wall_time": None, "parallel": None}),
        ("sampler", {"batch": None, "widen": False, "options": {}}),
        ("data.split", {"folds": None}),
        ("objective", None),
        ("name", None),
    ],
)
def test_saying_the_default_changes_nothing(path, value):
    assert from_json(changed(path, value)).parameters == from_json(GOOD).parameters


def test_a_key_that_overrides_cannot_reach_says_so():
    with pytest.raises(SpecError, match=r"parameters\.dropout is not a mapping"):
        parse(json.dumps(GOOD), overrides={"parameters.dropout.low": 1})


# Anything at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PATHS = sorted(
    {path for path, *_ in WRONG}
    | {
        "parameters.dropout.low",
        "parameters.momentum.when.optimizer",
        "data.options",
        "data.positive",
        "sampler.seed",
    }
)


def outcome(read, given_):
    """StudySpec or the sentence of a SpecError; anything else is raised."""
    try:
        return type(read(given_)).__name__
    except SpecError as error:
        return str(error)


@given(st.binary(max_size=200) | st.text(max_size=200))
@example(b'"\\UFFFFFFFF"')
@example(b"\xff\xfe")
@example('{"a": "\\ud800"}')
@example("{" * 3000)
@example("[" * 3000)
@example("%YAML 9")
@example("? [a]: b")
@example("&a [*a]")
@example("1" * 5000)
@example('{"a": ' + "1" * 5000 + "}")
def test_any_text_gives_a_study_or_a_spec_error(text):
    assert "\n" not in outcome(parse, text).strip()


@given(st.sampled_from(PATHS), TREES)
def test_anything_at_any_place_gives_a_study_or_a_spec_error(path, value):
    tree = changed("trials", 1)
    *sections, last = path.split(".")
    place = tree
    for section in sections:
        place = place.setdefault(section, {}) if isinstance(place.get(section, {}), dict) else {}
    place[last] = value

    assert outcome(from_json, tree)


YAML_BITS = st.sampled_from(
    ["parameters", "data", "digits", ": ", ":\n", "\n", "  ", "- ", "{", "}", "[", "]", ", ", "low", "high", "1e-4",
     "&a", "*a", "!!int", "|\n", ">", "'", '"', "#", "---", "...", "? ", "<<", "\t", "~", ".inf", "dropout", "%TAG", "@"]
)  # fmt: skip


@given(st.lists(YAML_BITS, max_size=25).map("".join))
def test_pieces_of_yaml_in_any_order_give_a_study_or_a_spec_error(text):
    assert outcome(parse, text)
