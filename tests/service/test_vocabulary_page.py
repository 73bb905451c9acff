"""The reference page of hyperparameters: whole, and as it stands in the repository the newest."""

from __future__ import annotations

from pathlib import Path

import pytest

import hpo
from hpo.dataset import Task
from hpo.hyperparams import (
    ACTIVATIONS,
    HYPERPARAMETERS,
    INITIALIZERS,
    LOSSES,
    OPTIMIZERS,
    SCALINGS,
    SCHEDULES,
)
from hpo.service.vocabulary_page import DERIVED, GROUPS, page, values_in_words
from hpo.study import METRICS, Direction
from hpo.training import settings_of

PAGE = Path(hpo.__file__).parent.parent / "docs" / "reference" / "hyperparameters.md"


def test_the_page_in_the_repository_is_what_the_tables_give():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_hyperparameter_stands_in_one_group():
    named = [name for names in GROUPS.values() for name in names]

    assert sorted(named) == sorted(HYPERPARAMETERS)


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_every_hyperparameter_has_a_whole_row(name):
    (row,) = [
        line for line in page().splitlines() if line.startswith(f"| `{name}` |") and line.count("|") == 6
    ]

    values, default, cohort, meaning = (cell.strip() for cell in row.split("|")[2:6])

    assert values == values_in_words(HYPERPARAMETERS[name])
    assert default
    assert cohort == ("own" if HYPERPARAMETERS[name].fusible else "shared")
    assert meaning == HYPERPARAMETERS[name].doc


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("rho", "| `rho` | 0 to 1 | 0.9 for adadelta; 0.99 for rmsprop | own |"),
        ("weight_decay", "| `weight_decay` | at least 0 | 0; 0.01 for adamw | own |"),
        ("decay", "| `decay` | above 0, at most 1 | 0.1 for step; 0.95 for exponential | own |"),
        ("hidden_layers", "| `hidden_layers` | whole, 0 to 16 | 2 | shared |"),
    ],
)
def test_limits_and_defaults_are_said_in_words(name, row):
    assert row in page()


def test_only_defaults_that_no_table_holds_are_written_by_hand():
    assert all(HYPERPARAMETERS[name].default is None for name in DERIVED)


def test_the_default_initializer_is_the_one_that_settings_have():
    others = {
        "selu": "lecun_normal",
        "linear": "glorot_uniform",
        "sigmoid": "glorot_uniform",
        "tanh": "glorot_uniform",
    }
    for activation in ACTIVATIONS:
        lane = settings_of({"activation": activation}, task=Task.CLASSIFICATION, n_classes=3)[1]
        assert lane.initializer == others.get(activation, "he_normal")


@pytest.mark.parametrize("name", [*OPTIMIZERS, *SCHEDULES])
def test_every_optimizer_and_schedule_says_what_it_reads(name):
    assert sum(line.startswith(f"| {name} |") for line in page().splitlines()) == 1


def test_the_readme_names_every_choice_there_is():
    readme = (PAGE.parents[2] / "README.md").read_text(encoding="utf-8").split("## What can be searched")[1]
    words = set(readme.split("\n## ")[0].replace(",", " ").replace(";", " ").split())

    for names in (ACTIVATIONS, INITIALIZERS, OPTIMIZERS, LOSSES, SCALINGS, SCHEDULES):
        assert set(names) <= words


def test_the_page_of_metrics_names_every_metric_in_its_direction():
    rows = (PAGE.parent / "metrics.md").read_text(encoding="utf-8").splitlines()
    named = {
        name.strip("` "): row.split("|")[2].strip()
        for row in rows
        if row.startswith("| `")
        for name in row.split("|")[1].split(",")
    }

    words = {Direction.MAXIMIZE: "large", Direction.MINIMIZE: "small"}
    assert named == {name: words[direction] for name, direction in METRICS.items()}
