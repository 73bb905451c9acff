"""The study file: what it means, what it becomes when completed, and that writing it loses nothing."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError
from hpo.hyperparams import HYPERPARAMETERS, check_parameter
from hpo.service.specfile import (
    complete,
    from_json,
    json_schema,
    parse,
    parse_override,
    to_json,
    to_yaml,
)
from hpo.space import Choice, Fixed, Range, SearchSpace
from hpo.study import (
    DataSpec,
    Direction,
    EarlyStopping,
    Limits,
    ObjectiveSpec,
    SamplerSpec,
    SplitSpec,
    StudySpec,
)

WHOLE = """
seed: 3
name: wine-red
description: "Quality: of wine"
data:
  source: winequality-red.csv
  target: quality
  task: classification
  split: {validation: 0.1, test: 0.3, seed: 7, groups: vineyard}
  drop: [id]
  categories: [colour]
  keep_missing: ["NA"]
  positive: 1
  target_scaling: none
  options: {noise: 0.1}
objective: {metric: f1, direction: maximize, on_diverged: worst}
trials: 256
epochs: 50
sampler: {name: random, seed: 5}
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  l2: {low: 1e-6, high: 1e-2, log: true}
  dropout: {low: 0, high: 0.5, step: 0.1}
  hidden_units: {low: 16, high: 256, log: true, type: int}
  optimizer: [sgd, momentum, adam, rmsprop]
  momentum: {low: 0.8, high: 0.99, when: {optimizer: [momentum]}}
  activation: {choices: [relu, tanh], when: {hidden_layers: [2]}}
  hidden_layers: 2
  epsilon: {value: 1e-8, when: {optimizer: [adam, rmsprop]}}
early_stopping: {patience: 10, min_delta: 1e-3}
limits: {retries: 1}
priority: 2
labels: {course: cs231n, year: "2026"}
"""


def whole():
    """The same study as WHOLE, made by hand."""
    return StudySpec(
        seed=3,
        name="wine-red",
        description="Quality: of wine",
        data=DataSpec(
            source="winequality-red.csv",
            target="quality",
            task="classification",
            split=SplitSpec(validation=0.1, test=0.3, seed=7, groups="vineyard"),
            drop=("id",),
            categories=("colour",),
            keep_missing=("NA",),
            positive=1,
            target_scaling="none",
            options={"noise": 0.1},
        ),
        objective=ObjectiveSpec(metric="f1", direction=Direction.MAXIMIZE, on_diverged="worst"),
        trials=256,
        epochs=50,
        sampler=SamplerSpec(name="random", seed=5),
        parameters=SearchSpace(
            {
                "learning_rate": Range(low=1e-4, high=1e-1, log=True, type="float"),
                "l2": Range(low=1e-6, high=1e-2, log=True, type="float"),
                "dropout": Range(low=0.0, high=0.5, step=0.1, type="float"),
                "hidden_units": Range(low=16, high=256, log=True, type="int"),
                "optimizer": Choice(choices=("sgd", "momentum", "adam", "rmsprop")),
                "momentum": Range(low=0.8, high=0.99, type="float", when={"optimizer": ("momentum",)}),
                "activation": Choice(choices=("relu", "tanh"), when={"hidden_layers": (2,)}),
                "hidden_layers": Fixed(value=2),
                "epsilon": Fixed(value=1e-8, when={"optimizer": ("adam", "rmsprop")}),
            }
        ),
        early_stopping=EarlyStopping(patience=10, min_delta=1e-3),
        limits=Limits(retries=1),
        priority=2,
        labels={"course": "cs231n", "year": "2026"},
    )


def test_a_study_file_becomes_the_study_it_describes():
    assert parse(WHOLE) == whole()


def test_json_is_the_same_thing_as_yaml():
    text = json.dumps(to_json(whole()))

    assert parse(text) == parse(text.encode()) == parse(WHOLE)


def test_the_smallest_study_has_the_vocabularys_defaults():
    spec = parse("{data: digits, parameters: {dropout: [0, 0.5]}}")

    assert spec == StudySpec(
        data=DataSpec(source="digits"),
        parameters=SearchSpace({"dropout": Choice(choices=(0.0, 0.5))}),
    )


def test_whole_numbers_of_a_float_hyperparameter_become_floats_in_conditions_too():
    spec = parse(
        "{data: digits, parameters: {dropout: [0, 0.5], l2: {low: 1e-3, high: 1, when: {dropout: [0]}}}}"
    )

    assert spec.parameters.is_active("l2", {"dropout": 0.0})
    assert [type(c) for c in spec.parameters.parameters["dropout"].choices] == [float, float]


def test_a_named_search_space_is_taken_by_its_name_and_may_be_changed():
    plain = parse("{data: digits, parameters: mlp-default}")
    changed = parse(
        "{data: digits, parameters: mlp-default}",
        overrides={"parameters.dropout": 0.5, "parameters.l2.high": 1, "trials": 7, "seed": 4},
    )

    assert changed.parameters.parameters["dropout"] == Fixed(value=0.5)
    assert changed.parameters.parameters["l2"].high == 1
    assert (changed.trials, changed.seed) == (7, 4)
    assert list(changed.parameters.parameters) == list(plain.parameters.parameters)


def test_a_study_can_be_made_of_overrides_alone():
    spec = parse("", overrides={"data.source": "digits", "parameters": "learning-rate", "sampler": "random"})

    assert spec.data == DataSpec(source="digits")
    assert list(spec.parameters.parameters) == ["learning_rate"]


def test_overrides_change_neither_the_callers_mapping_nor_the_tree_given():
    overrides = {"parameters": {"dropout": [0.1]}, "parameters.dropout": 0.5}
    tree = {"data": "digits", "parameters": {"dropout": 0.1}}

    parse("data: digits", overrides=overrides)
    from_json(tree)

    assert overrides == {"parameters": {"dropout": [0.1]}, "parameters.dropout": 0.5}
    assert tree == {"data": "digits", "parameters": {"dropout": 0.1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parameters.dropout=0.5", ("parameters.dropout", 0.5)),
        ("trials=1e3", ("trials", 1000.0)),
        ("name=a=b", ("name", "a=b")),
        ("parameters.optimizer=[sgd, adam]", ("parameters.optimizer", ["sgd", "adam"])),
        ("parameters.l2={low: 1e-4, high: 1}", ("parameters.l2", {"low": 1e-4, "high": 1})),
        ("refit=false", ("refit", False)),
        ("objective=", ("objective", None)),
    ],
)
def test_a_set_option_is_read_as_yaml(text, expected):
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["dropout", "=3", "a..b=3", "a=[1", "a=*x", "a=.nan"])
def test_a_set_option_that_cannot_be_read_says_so(text):
    with pytest.raises(SpecError):
        parse_override(text)


# Completing


def info(task=Task.CLASSIFICATION, **rest):
    classes = ("a", "b", "c") if task is Task.CLASSIFICATION else ()
    given = {"source": "x", "sha256": "0", "task": task, "task_reason": "", "target": "y", "n_rows": 100}
    return DatasetInfo(**(given | {"n_features": 4, "classes": classes, "n_test": 20} | rest))


def completed(
    text="", task=Task.CLASSIFICATION, space="{dropout: [0.0, 0.5], l2: {low: 0, high: 1, num: 3}}", **rest
):
    return complete(parse(f"data: digits\nparameters: {space}\n{text}"), info(task, **rest))


def test_a_completed_study_has_the_contracts_defaults():
    spec = completed("seed: 9")

    assert spec.data.split == SplitSpec(validation=0.2, test=0.2, seed=9)
    assert (spec.data.task, spec.data.target) == ("classification", "y")
    assert spec.objective == ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE)
    assert (spec.trials, spec.epochs, spec.sampler.seed, spec.limits.retries) == (100, 50, 9, 2)


def test_what_is_given_is_kept():
    text = "seed: 1\ntrials: 5\nepochs: 6\nobjective: log_loss\nsampler: {seed: 2}\nlimits: {retries: 0}"

    spec = completed(text)

    assert (spec.trials, spec.epochs, spec.sampler.seed, spec.limits.retries) == (5, 6, 2, 0)
    assert spec.objective == ObjectiveSpec(metric="log_loss", direction=Direction.MINIMIZE)


def test_a_regression_is_judged_by_rmse_on_a_standardized_target():
    spec = completed(task=Task.REGRESSION)

    assert spec.objective == ObjectiveSpec(metric="rmse", direction=Direction.MINIMIZE)
    assert spec.data.target_scaling == "standardize"


def test_a_grid_has_all_its_points_as_trials_and_never_more():
    assert completed("sampler: grid").trials == 6
    assert completed("sampler: grid\ntrials: 4").trials == 4
    with pytest.raises(SpecError, match="6 points") as caught:
        completed("sampler: grid\ntrials: 7")
    assert caught.value.field == "trials"


def test_searched_epochs_set_the_studys():
    assert completed(space="{epochs: [5, 20, 10]}").epochs == 20
    with pytest.raises(SpecError, match="20"):
        completed("epochs: 10", space="{epochs: {low: 5, high: 20}}")


def test_a_split_by_column_gets_no_shares():
    text = "data: {source: x.csv, split: {column: part}}\nparameters: {dropout: [0.1]}"

    assert complete(parse(text), info()).data.split == SplitSpec(column="part", seed=0)


@pytest.mark.parametrize(
    ("text", "task", "space", "field"),
    [
        ("objective: rmse", Task.CLASSIFICATION, "{dropout: 0}", "objective.metric"),
        ("objective: f1", Task.REGRESSION, "{dropout: 0}", "objective.metric"),
        ("", Task.REGRESSION, "{loss: cross_entropy}", "parameters.loss"),
        ("", Task.CLASSIFICATION, "{loss: [cross_entropy, binary_cross_entropy]}", "parameters.loss"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_at_its_place(text, task, space, field):
    with pytest.raises(SpecError) as caught:
        completed(text, task, space)

    assert caught.value.field == field


@pytest.mark.parametrize("text", ["", "sampler: grid", "seed: 4\nearly_stopping: {patience: 3}"])
@pytest.mark.parametrize("task", list(Task))
def test_completing_twice_or_after_a_trip_through_the_database_changes_nothing(text, task):
    spec = completed(text, task)

    assert complete(spec, info(task)) == spec
    assert from_json(json.loads(json.dumps(to_json(spec)))) == spec
    assert parse(to_yaml(spec)) == spec


# Writing and reading back

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
TRICKY = st.sampled_from(
    ["1e-4", "yes", "null", "~", "", " ", "true", "0x1F", "2026-01-01", "a: b", "- a", "#", "a #b", "'", '"', "...",
     "---", "%x", "@x", "\n", "\t", "a\nb", "\x85", "\u2028", "\ufeff", "é", "😀", "[", "{", "*a", "&a", "!t", ".inf"]
)  # fmt: skip
WORDS = TEXT | TRICKY
SHARES = st.none() | st.floats(0.01, 0.39)


@st.composite
def parameters(draw):
    """Any parameters a study may have, but conditions and names that exclude each other."""
    space = {}
    for name in draw(st.sets(st.sampled_from(sorted(HYPERPARAMETERS)), max_size=6)):
        h = HYPERPARAMETERS[name]
        if name in ("epochs", "patience", "min_delta", "hidden_layers", "maxout_pieces"):
            continue
        if h.kind in ("choice", "flag"):
            choices = draw(st.lists(st.sampled_from(h.choices or (True, False)), min_size=1, unique=True))
            space[name] = draw(st.sampled_from([Choice(choices=tuple(choices)), Fixed(value=choices[0])]))
        else:
            whole = h.kind != "float"
            numbers = st.integers(1, 50) if whole else st.floats(max(h.low, 0.001), max(h.low + 0.9, 0.9))
            low, high = sorted((draw(numbers), draw(numbers)))
            space[name] = draw(
                st.sampled_from(
                    [
                        Range(low=low, high=high, log=True, num=4, type="int" if whole else "float"),
                        Range(low=low, high=high, step=low, type="int" if whole else "float"),
                        Choice(choices=tuple(dict.fromkeys((low, high)))),
                        Fixed(value=high),
                    ]
                )
            )
    space["optimizer"] = Choice(choices=("sgd", "adam"))
    space["momentum"] = Range(low=0.1, high=0.5, type="float", when={"optimizer": ("sgd",)})
    for name, parameter in space.items():
        check_parameter(name, parameter)
    return SearchSpace(space)


@st.composite
def specs(draw):
    return StudySpec(
        seed=draw(st.integers(0, 2**63 - 1)),
        name=draw(st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)),
        description=draw(WORDS),
        data=DataSpec(
            source=draw(WORDS.filter(str.strip)),
            target=draw(st.none() | WORDS),
            split=SplitSpec(validation=draw(SHARES), test=draw(SHARES), order=draw(st.none() | WORDS)),
            drop=tuple(draw(st.lists(WORDS, max_size=3))),
            positive=draw(st.none() | st.booleans() | st.integers(-9, 9) | WORDS | st.floats(-1, 1)),
            options=draw(
                st.dictionaries(WORDS, st.booleans() | st.integers(0, 9) | st.floats(0, 1), max_size=3)
            ),
        ),
        parameters=draw(parameters()),
        trials=draw(st.none() | st.integers(1, 10_000_000)),
        epochs=draw(st.none() | st.integers(1, 100_000)),
        early_stopping=draw(
            st.none() | st.builds(EarlyStopping, patience=st.integers(1, 99), min_delta=st.floats(0, 1))
        ),
        labels=draw(st.dictionaries(WORDS, WORDS, max_size=3)),
        priority=draw(st.integers(-9, 9)),
    )


@given(specs())
def test_what_is_written_as_yaml_or_json_reads_back_the_same(spec):
    assert parse(to_yaml(spec)) == spec
    assert from_json(json.loads(json.dumps(to_json(spec)))) == spec


def test_a_written_study_is_short_and_readable():
    text = to_yaml(completed("name: demo"))

    assert "  dropout: [0.0, 0.5]\n  l2: {low: 0.0, high: 1.0, num: 3}\n" in text
    assert "objective: {metric: accuracy, direction: maximize, on_diverged: fail}\n" in text


def test_the_json_schema_names_every_key_of_a_study():
    keys = set(json_schema()["properties"])

    assert keys == {field.name for field in dataclasses.fields(StudySpec)} - {"objectives"}
    assert [way["type"] for way in json_schema()["properties"]["objective"]["anyOf"] if "type" in way] == [
        "null",
        "array",
    ]


def test_ends_of_whole_numbers_are_written_as_whole_numbers():
    spec = parse("{data: iris, parameters: {hidden_units: {low: 16, high: 64, step: 16}}}")

    assert "hidden_units: {low: 16, high: 64, step: 16}" in to_yaml(spec)
