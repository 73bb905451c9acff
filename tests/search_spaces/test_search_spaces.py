"""Every file that ships in search_spaces/ is valid, says what it is, and holds what its name promises."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import hpo
from hpo.dataset import DatasetInfo, Task
from hpo.errors import UnknownName
from hpo.hyperparams import (
    ACTIVATIONS,
    INITIALIZER_SCALES,
    INITIALIZERS,
    OPTIMIZER_KNOBS,
    OPTIMIZERS,
    SCHEDULE_KNOBS,
    SCHEDULES,
)
from hpo.samplers.points import grid_size
from hpo.samplers.registry import make_sampler
from hpo.service import space_files, spaces
from hpo.service.notes import notes
from hpo.service.specfile import complete, parse, to_yaml
from hpo.training import settings_of

PROMISED = {
    "mlp-default", "learning-rate", "optimizers", "regularisation", "initializers", "activations", "architecture",
    "playground-batch-size", "playground-learning-rate", "playground-activation", "playground-regularisation",
    "cs231n-coarse", "cs231n-fine", "cocktail", "schedules", "architecture-rules",
}  # fmt: skip
EXAMPLES = {path.stem: path for path in space_files.examples()}


def info():
    return DatasetInfo(
        source="digits",
        sha256="0",
        task=Task.CLASSIFICATION,
        task_reason="",
        target="class",
        n_rows=1797,
        n_features=64,
        classes=tuple("0123456789"),
    )


def params_of_trials(space, n=50):
    spec = parse("data: digits", overrides={"parameters": space})
    return [spec.parameters.fixed | dict(plan.params) for plan in make_sampler(spec).ask(0, n)]


def test_every_promised_search_space_is_there():
    assert set(spaces.names()) == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_search_space_is_described_and_gives_trials_that_can_be_trained(name):
    assert len(spaces.description(name)) > 40
    assert spaces.load(name).searched

    for params in params_of_trials(name):
        settings_of(params, task=Task.CLASSIFICATION, n_classes=10, n_inputs=64, n_rows=1079)


@pytest.mark.parametrize("name", sorted(PROMISED))
@pytest.mark.parametrize("task", list(Task))
def test_nothing_in_a_search_space_is_said_in_vain(name, task):
    about = info() if task is Task.CLASSIFICATION else replace(info(), task=task, classes=())
    changes = {} if task is Task.CLASSIFICATION else {"parameters.label_smoothing": 0}
    spec = parse("data: digits", overrides={"parameters": name} | changes)

    assert notes(complete(spec, about), about) == []


def test_optimizers_searches_each_with_its_own_knobs():
    space = spaces.load("optimizers")

    assert space.parameters["optimizer"].choices == OPTIMIZERS
    for optimizer, knobs in OPTIMIZER_KNOBS.items():
        active = {name for name in space.searched if space.is_active(name, {"optimizer": optimizer})}
        assert active == {"optimizer", "learning_rate", *knobs}


def test_schedules_searches_each_with_its_own_knobs():
    space = spaces.load("schedules")

    assert space.parameters["schedule"].choices == SCHEDULES
    for schedule, knobs in SCHEDULE_KNOBS.items():
        active = {name for name in space.searched if space.is_active(name, {"schedule": schedule})}
        assert active == {"schedule", "learning_rate", "warmup_epochs", *knobs}


def test_initializers_searches_the_scale_of_those_that_have_one():
    scale = spaces.load("initializers").parameters["init_scale"]

    assert set(scale.when["initializer"]) == set(INITIALIZER_SCALES)


def test_cocktail_has_every_regulariser():
    assert set(spaces.load("cocktail").searched) >= {
        "l1", "l2", "weight_decay", "dropout", "input_dropout", "label_smoothing", "batch_norm", "clip_norm", "schedule",
        "patience",
    }  # fmt: skip


def test_the_lists_are_searched_whole():
    assert spaces.load("activations").parameters["activation"].choices == ACTIVATIONS
    assert spaces.load("initializers").parameters["initializer"].choices == INITIALIZERS


@pytest.mark.parametrize(
    ("name", "rate", "l2"),
    [("cs231n-coarse", (1e-6, 1e-3), (1e-5, 1e5)), ("cs231n-fine", (1e-4, 1e-3), (1e-4, 1.0))],
)
def test_the_course_ranges_are_the_courses(name, rate, l2):
    parameters = spaces.load(name).parameters

    for parameter, ends in ((parameters["learning_rate"], rate), (parameters["l2"], l2)):
        assert ((parameter.low, parameter.high), parameter.log) == (ends, True)


@pytest.mark.parametrize("name", sorted(n for n in PROMISED if n.startswith("playground")))
def test_playground_experiments_are_grids_over_one_layer_of_eight(name):
    space = spaces.load(name)

    assert (space.fixed["hidden_layers"], space.fixed["hidden_units"]) == (1, 8)
    assert 4 <= grid_size(space) <= 36


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'mlp-default'"):
        spaces.load("mlp-defualt")
    with pytest.raises(UnknownName):
        spaces.text("../studies/digits")


def test_the_demo_is_the_search_it_is_said_to_be():
    spec = complete(parse(EXAMPLES["digits"].read_bytes()), info())

    assert (spec.data.source, spec.trials, spec.sampler.name) == ("digits", 256, "random")
    assert set(spec.parameters.searched) == {"learning_rate", "l2", "dropout", "optimizer"}
    assert spec.data.split.test == 0.2


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example_study_is_valid_and_survives_being_completed(name):
    spec = complete(parse(EXAMPLES[name].read_bytes()), info())

    assert spec.description
    assert parse(to_yaml(spec)) == spec
    assert make_sampler(spec).ask(0, 3)


def test_there_is_an_example_of_a_grid():
    spec = parse(EXAMPLES["digits-grid"].read_bytes())

    assert (spec.sampler.name, grid_size(spec.parameters)) == ("grid", 84)


def test_every_file_of_the_folder_is_a_space_or_an_example():
    files = {
        p.relative_to(space_files.folder()).as_posix() for p in space_files.folder().rglob("*") if p.is_file()
    }

    assert files == {f"{name}.yaml" for name in PROMISED} | {f"studies/{name}.yaml" for name in EXAMPLES}


def test_an_installed_package_finds_the_files_inside_itself(tmp_path):
    shutil.copytree(Path(hpo.__file__).parent, tmp_path / "hpo")
    shutil.copytree(space_files.folder(), tmp_path / "hpo" / "search_spaces")
    ask = "from hpo.service import space_files as s; print(s.folder(), *s.names())"

    said = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    ).stdout.split()

    assert said == [str(tmp_path / "hpo" / "search_spaces"), *sorted(PROMISED)]
