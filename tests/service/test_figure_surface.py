"""The decision surface of a trained network is what its model predicts, cell by cell."""

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.data.prepare import prepare
from hpo.data.registry import load_built_in
from hpo.figures import surface
from hpo.service import kept_models
from hpo.service.figure_source import PLAIN, Source
from hpo.service.figure_surface import plane
from hpo.service.figure_surface import surface as surface_of
from hpo.storage.open import open_storage
from hpo.study import DataSpec, Direction
from hpo.testing.small_jobs import LEARNING_RATE, create, space_of, spec_of
from hpo.workers.local_pool import LocalPool


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path_factory.mktemp("scratch"))
    pool.start()
    yield pool
    pool.close()


def trained(pool, folder, columns):
    """The model of a study whose rows are of one class above a line and of another below it."""
    drawn = random.Random(0)
    rows = [(drawn.gauss(10, 2), drawn.gauss(-5, 1), drawn.random()) for _ in range(200)]
    lines = [f"{x},{y},{z},{'high' if (x - 10) / 2 < y + 5 else 'low'}" for x, y, z in rows]
    (folder / "data.csv").write_text("\n".join(["across,up,noise,side", *lines]) + "\n")
    dropped = tuple(name for name in ("across", "up", "noise") if name not in columns)
    spec = replace(
        spec_of(
            trials=2, epochs=4, space=space_of({"learning_rate": LEARNING_RATE}, hidden_units=8),
            metric="accuracy", direction=Direction.MAXIMIZE,
        ),
        data=DataSpec(source="data.csv", target="side", drop=dropped),
    )  # fmt: skip
    data = prepare(spec.data, scalings=["standardize"], folder=folder, seed=0)
    storage = open_storage("memory://")
    create(storage, spec, data={"sha256": data.info.sha256, "source": "data.csv"})
    Coordinator(storage, pool, options=Options()).run(Job(name="small", spec=spec, data=data))
    return kept_models.load(storage, "small", None)


def test_each_cell_of_a_surface_is_the_models_own_answer(pool, tmp_path):
    saved = trained(pool, tmp_path, ("across", "up"))

    found = plane(saved)
    drawn = surface.draw(surface.data(found))

    cells = [{"across": x, "up": y} for y in found.y for x in found.x]
    wanted = saved.probabilities(cells)[:, 1].reshape(len(found.y), len(found.x))
    np.testing.assert_allclose(found.outputs, wanted, rtol=1e-6)
    assert found.features == ("across", "up")
    # Where nearly all rows are: two and a half deviations either way of the middle.
    assert found.x[[0, -1]] == pytest.approx([5, 15], abs=1)
    assert found.y[[0, -1]] == pytest.approx([-7.5, -2.5], abs=0.5)
    assert drawn.layout.title.text == f"Decision surface of trial {saved.model.number}"


def test_a_network_of_three_columns_has_none(pool, tmp_path):
    saved = trained(pool, tmp_path, ("across", "up", "noise"))

    assert plane(saved) == "Only a network of two columns of numbers has a decision surface."


@pytest.fixture(scope="module")
def circle(pool):
    """A study of the Playground's circle, all features: what its figures are drawn of, and its data."""
    spec = replace(
        spec_of(
            trials=1, epochs=2, space=space_of({"learning_rate": LEARNING_RATE}, hidden_units=8),
            metric="accuracy", direction=Direction.MAXIMIZE,
        ),
        data=DataSpec(source="circle"),
    )  # fmt: skip
    data = prepare(spec.data, scalings=["standardize"], folder=Path(), seed=0)
    storage = open_storage("memory://")
    known = {"sha256": data.info.sha256, "source": "circle", "n_features": 7, "n_rows": 500}
    create(storage, spec, data=known)
    Coordinator(storage, pool, options=Options()).run(Job(name="small", spec=spec, data=data))
    return Source(storage, storage.get_study("small")), data


def test_the_surface_of_a_playground_set_is_drawn_over_the_two_numbers_that_its_features_are_made_of(circle):
    source, _ = circle

    found = surface_of(source, PLAIN)

    saved = kept_models.load(source.storage, "small", None)
    cells = [
        {
            "x1": x,
            "x2": y,
            "x1²": x**2,
            "x2²": y**2,
            "x1x2": x * y,
            "sin(x1)": math.sin(x),
            "sin(x2)": math.sin(y),
        }
        for y in found.y
        for x in found.x
    ]
    wanted = saved.probabilities(cells)[:, 1].reshape(len(found.y), len(found.x))
    assert found.features == ("x1", "x2")
    assert (found.x[[0, -1]].tolist(), found.y[[0, -1]].tolist()) == ([-6, 6], [-6, 6])
    np.testing.assert_allclose(found.outputs, wanted, rtol=1e-5)


def test_the_rows_upon_a_surface_are_those_of_training_and_validation_and_never_test_rows(circle):
    source, data = circle
    table, _ = load_built_in("circle", {})
    (label,) = table.columns

    found = surface_of(source, PLAIN)

    drawn = list(zip(found.rows_x.round(4), found.rows_y.round(4), found.rows_target, strict=True))
    there = {
        (round(x, 4), round(y, 4)): target == max(label.values)
        for (x, y), target in zip(table.block[:, :2].tolist(), label.values, strict=True)
    }
    scaling = data.preparations["standardize"][0]["scaling"]
    test = data.scaled["standardize"].test[0].x[:, :2] * scaling["scale"][:2] + scaling["shift"][:2]
    sealed = {(round(x, 4), round(y, 4)) for x, y in test.astype(float).tolist()}
    assert (len(drawn), len(sealed), len(sealed - there.keys())) == (400, 100, 0)
    assert {(x, y): target for x, y, target in drawn}.items() <= there.items()
    assert not {(x, y) for x, y, _ in drawn} & sealed


def test_rows_that_have_changed_or_cannot_be_read_here_are_not_drawn(circle):
    source, _ = circle
    changed = replace(source.study, data={**source.study.data, "sha256": "other"})
    away = Source(source.storage, replace(source.study, data={**source.study.data, "n_features": 2}))
    away.spec = replace(away.spec, data=DataSpec(source="home.csv", target="label"))

    for elsewhere in (Source(source.storage, changed), away):
        found = surface_of(elsewhere, PLAIN)
        assert (found.outputs.shape, found.rows_x.size) == ((60, 60), 0)
