"""The ONNX graph says what hpo's own numpy says, in ONNX Runtime, for whatever a model may be made of."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from hpo.dataset import Task
from hpo.hyperparams import ACTIVATIONS
from hpo.models.onnx import to_onnx
from hpo.models.preparing import CATEGORY, DATE, SCALINGS
from hpo.models.raw import raw_columns

# Single precision through two hidden layers: relative to the largest value.
TOLERANCE = 1e-5

ROWS = [
    {"a": 1.5, "b, big": -2000.0, "day": "03.05.2024", "kind": "k1", "code": 2},
    {"a": None, "b, big": 250.0, "day": None, "kind": None, "code": None},
    {"a": -40.25, "b, big": None, "day": "2031-02-03", "kind": "never seen", "code": 99},
    {"a": 0.125, "b, big": 125.0, "day": "27.12.2024", "kind": "?", "code": 0},
    *({"a": i / 8, "b, big": i * 125.0, "day": 19800 + i, "kind": f"k{i}", "code": i % 4} for i in range(-40, 40)),
]  # fmt: skip


def run(data, feed):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))


def feed_of(saved, rows):
    """The inputs of the graph as ONNX Runtime wants them."""
    columns, _ = raw_columns(saved.columns, rows)
    feed = {}
    for column in saved.columns:
        cells = columns[column.name]
        if column.kind == CATEGORY:
            texts = [cells.levels[code] if code >= 0 else "" for code in cells.codes]
            feed[column.name] = np.array(texts, dtype=object)
        else:
            feed[column.name] = cells.astype(np.float32)
    return feed


def assert_agrees(saved, rows=ROWS):
    data = to_onnx(saved)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    found = run(data, feed_of(saved, rows))
    if saved.model.task is Task.CLASSIFICATION:
        np.testing.assert_allclose(found["probabilities"], saved.probabilities(rows), atol=TOLERANCE)
        assert found["prediction"].tolist() == saved.predict(rows)
    else:
        wanted = saved.predict(rows)
        np.testing.assert_allclose(found["prediction"], wanted, atol=TOLERANCE * max(1, abs(wanted).max()))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_agrees(made, activation, batch_norm):
    saved, _ = made(params={"activation": activation, "batch_norm": batch_norm})

    assert_agrees(saved)


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("scaling", [*SCALINGS, "pca-2"])
def test_every_scaling_agrees(made, scaling, task):
    saved, _ = made(task, scaling=scaling)

    assert_agrees(saved)


@pytest.mark.parametrize("task", Task)
def test_folds_and_repeats_are_averaged(made, task):
    saved, _ = made(task, folds=3, repeats=2)

    assert (saved.model.n_folds, len(saved.model.lanes)) == (3, 6)
    assert_agrees(saved)


@pytest.mark.parametrize("kind", ["standardize", "none", "log1p"])
def test_values_come_in_the_targets_own_unit(made, kind):
    saved, _ = made(Task.REGRESSION, target_scaling=kind, folds=2)

    assert_agrees(saved)


def test_two_classes_of_one_output_agree(made):
    columns = {"a": list(range(40)), "y": ["u", "v"] * 20, "code": [i % 3 for i in range(40)]}
    saved, _ = made(columns=columns)

    assert_agrees(saved, [{"a": value, "code": value % 5} for value in range(-5, 50)])


def test_a_network_without_hidden_layers_agrees(made):
    saved, _ = made(params={"hidden_units": 4, "hidden_layers": 0})

    assert_agrees(saved)


def test_images_come_as_one_tensor(made):
    random = np.random.default_rng(0)
    columns = {f"p{i}": random.integers(0, 255, 60).tolist() for i in range(5)}
    saved, _ = made(columns={**columns, "code": [1, 2] * 30, "y": ["u", "v", "w"] * 20})
    numbers = saved.model.preprocessing[0]["numbers"]
    record = {**saved.model.preprocessing[0], "images": True, "categories": [], "n_features": len(numbers)}
    lane = saved.model.lanes[0]
    first = replace(lane, weights=(lane.weights[0][:, : len(numbers)], *lane.weights[1:]))
    model = replace(saved.model, preprocessing=(record,), lanes=(first,), n_features=len(numbers))
    images = replace(saved, model=model)
    x = random.integers(0, 255, (9, 5)).astype(np.float32)

    found = run(to_onnx(images), {"images": x})

    wanted = images.probabilities({name: x[:, place] for place, name in enumerate(numbers)})
    np.testing.assert_allclose(found["probabilities"], wanted, atol=TOLERANCE)


def test_words_for_missing_cells_and_kept_ones_are_looked_up_as_in_files(made):
    columns = {"c": ["NA", "u", "?", "v"] * 30, "d": [i % 7 for i in range(120)], "y": ["p", "q", "p"] * 40}
    columns["code"] = [i % 2 for i in range(120)]
    saved, _ = made(columns=columns, keep_missing=("NA",))
    rows = [{"c": cell, "d": 3, "code": 1} for cell in ("NA", "?", "", "u", "v", "w", "N/A")]
    feed = feed_of(saved, rows) | {"c": np.array([row["c"] for row in rows], dtype=object)}

    found = run(to_onnx(saved), feed)

    np.testing.assert_allclose(found["probabilities"], saved.probabilities(rows), atol=TOLERANCE)
    assert "NA" in saved.columns[-2].levels + saved.columns[-1].levels


def test_categories_beyond_the_hundredth_and_unseen_ones_are_the_others(made):
    n = 700
    columns = {"c": [f"k{i % 130}" for i in range(n)], "d": [i % 9 for i in range(n)]}
    saved, _ = made(
        columns={**columns, "code": [i % 2 for i in range(n)], "y": ["u", "v", "w", "v", "v"] * 140}
    )
    [entry] = [e for e in saved.model.preprocessing[0]["categories"] if e["name"] == "c"]
    rare = next(f"k{i}" for i in range(130) if f"k{i}" not in entry["levels"])
    rows = [{"c": cell, "d": 3, "code": 1} for cell in (entry["levels"][0], entry["levels"][-1], rare, "new")]

    assert (len(entry["levels"]), entry["other"]) == (100, True)
    assert_agrees(saved, rows)
    p = saved.probabilities(rows)
    np.testing.assert_array_equal(p[2], p[3])
    assert abs(p[2] - p[0]).max() > 1e-3


def test_decimal_numbers_that_many_rows_share_have_the_rank_they_had_in_training(made):
    n = 300
    columns = {"d": [(i % 4) / 10 for i in range(n)], "e": [i / 7 for i in range(n)]}
    saved, _ = made(
        scaling="quantile", columns={**columns, "code": [i % 2 for i in range(n)], "y": ["u", "v", "w"] * 100}
    )

    # 0.1 is no float32: on its way in it becomes another number than the one that training knew.
    assert_agrees(saved, [{"d": cell, "e": 3.0, "code": 1} for cell in (0.0, 0.1, 0.2, 0.3, 0.15, -1.0, 7.0)])


def test_columns_with_names_that_the_graph_needs_are_renamed_and_listed(made):
    names = ("prediction", "probabilities", "images", "hpo.constant0", "column_images", "ok")
    random = np.random.default_rng(1)
    columns = {name: random.normal(size=60).round(2).tolist() for name in names}
    saved, _ = made(columns={**columns, "code": [1, 2, 3] * 20, "y": ["u", "v"] * 30})

    model = onnx.load_from_string(to_onnx(saved))

    notes = {entry.key: entry.value for entry in model.metadata_props}
    renamed = json.loads(notes["inputs"])
    assert set(renamed) == {"prediction", "probabilities", "images", "hpo.constant0"}
    inputs = {value.name for value in model.graph.input}
    assert inputs == {renamed.get(name, name) for name in (*names, "code")}
    assert len(inputs) == len(names) + 1
    columns = {name: np.zeros(3, dtype=np.float32) for name in inputs - {"code"}}
    code = np.array(["1"] * 3, dtype=object)
    assert len(run(model.SerializeToString(), columns | {"code": code})["prediction"]) == 3


def test_what_the_graph_does_otherwise_is_said_in_its_metadata(made):
    saved, _ = made()

    model = onnx.load_from_string(to_onnx(saved))

    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert "Dates come as days since 1970-01-01: day." in notes["notes"]
    assert json.loads(notes["classes"]) == ["it's", "no", "yes"]
    assert json.loads(notes["hpo"]) == {"study": "made-up", "trial": 7, "metric": "accuracy", "value": 0.9}
    assert {c.name for c in saved.columns if c.kind == DATE} == {"day"}


def test_the_same_model_gives_the_same_bytes(made):
    saved, _ = made(folds=2)

    assert to_onnx(saved) == to_onnx(saved)
