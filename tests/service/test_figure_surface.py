"""The decision surface of a trained network is what its model predicts, cell by cell."""

import random
from dataclasses import replace

import numpy as np
import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.data.prepare import prepare
from hpo.figures import surface
from hpo.service import kept_models
from hpo.service.figure_surface import plane
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
