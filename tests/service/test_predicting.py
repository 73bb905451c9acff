"""Predictions are those of training's own evaluation; what is wrong with rows is said with its place."""

import copy
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.data.prepare import prepare
from hpo.errors import BadRequest, DataError, ModelNotKept, NotRepeatable, TooLarge
from hpo.service import kept_models
from hpo.service.predicting import most_rows, predictions
from hpo.service.rows import rows_of_csv, rows_of_file, rows_of_json
from hpo.space import Choice
from hpo.storage.open import open_storage
from hpo.study import DataSpec, Direction, SplitSpec
from hpo.testing.small_jobs import LEARNING_RATE, create, space_of, spec_of
from hpo.workers.local_pool import LocalPool

PARTS = ["train", "train", "train", "validation", "test"]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path_factory.mktemp("scratch"))
    pool.start()
    yield pool
    pool.close()


def table(task, n=300):
    """Rows of a learnable task, each marked with its part."""
    numbers = random.Random(0)
    rows = []
    for i in range(n):
        a, kind = numbers.gauss(0, 1), numbers.choice(["x", "y", "z", ""])
        y = a + {"x": 1.0, "y": -1.0}.get(kind, 0.0) + numbers.gauss(0, 0.3)
        target = (
            ("low" if y < -0.5 else "high" if y > 0.5 else "mid") if task == "classes" else round(5 + y, 3)
        )
        if task == "two":
            target = "yes" if y > 0 else "no"
        cell = "" if i % 13 == 5 else round(a, 4)
        rows.append({"a": cell, "kind": kind, "b": i % 7, "part": PARTS[i % 5], "y": target})
    return rows


def csv_of(rows):
    return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"


SPLIT = SplitSpec(column="part")
STUDIES = {
    "classes": ("classes", "accuracy", {}),
    "two": ("two", "auc", {"positive": "no"}),
    "f1": ("two", "f1", {"positive": "no"}),
    "values": ("values", "rmse", {}),
    "log1p": ("values", "r2", {"target_scaling": "log1p"}),
}


def finished(pool, folder, kind, **rest):
    """A study that has ended on a table in a folder."""
    task, metric, more = STUDIES[kind]
    (folder / "data.csv").write_text(csv_of(table(task)))
    direction = Direction.MINIMIZE if metric == "rmse" else Direction.MAXIMIZE
    space = space_of(
        {"learning_rate": LEARNING_RATE, "activation": Choice(choices=("relu", "mish", "gelu"))},
        hidden_units=9,
        batch_size=16,
    )
    spec = replace(
        spec_of(trials=6, epochs=5, space=space, metric=metric, direction=direction, **rest),
        data=DataSpec(source="data.csv", target="y", split=SPLIT, **more),
    )
    data = prepare(spec.data, scalings=["standardize"], folder=folder, seed=0)
    storage = open_storage("memory://")
    create(storage, spec, data={"sha256": data.info.sha256, "source": "data.csv"})
    Coordinator(storage, pool, options=Options()).run(Job(name="small", spec=spec, data=data))
    return storage


@pytest.mark.parametrize("kind", STUDIES)
def test_predicting_the_test_rows_gives_the_studys_test_score(pool, tmp_path, kind):
    storage = finished(pool, tmp_path, kind)
    test = storage.get_study("small").test
    rows = [row for row in table(STUDIES[kind][0]) if row["part"] == "test"]

    saved = kept_models.load(storage, "small", None)
    found = predictions(saved, rows_of_csv(saved, csv_of(rows).encode(), most=1000))

    wanted = {name: score for name, score in test.items() if name not in ("number", "scored")}
    assert found["scores"] == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    assert len(found["scores"]) >= 3
    assert (found["trial"], found["n_rows"], found["ignored"]) == (test["number"], len(rows), ["part"])


def test_of_repeats_the_mean_is_predicted_and_each_is_scored_as_the_study_does(pool, tmp_path):
    storage = finished(pool, tmp_path, "classes", repeats=3)
    test = storage.get_study("small").test
    rows = [row for row in table("classes") if row["part"] == "test"]

    saved = kept_models.load(storage, "small", None)
    found = predictions(saved, rows_of_csv(saved, csv_of(rows).encode(), most=1000))

    wanted = {name: test[name] for name in ("accuracy", "log_loss", "f1")}
    assert found["network_scores"] == pytest.approx(wanted, rel=1e-5)
    hits = [p == row["y"] for p, row in zip(found["predictions"], rows, strict=True)]
    assert found["scores"]["accuracy"] == pytest.approx(np.mean(hits))
    np.testing.assert_allclose(np.sum(found["probabilities"], axis=1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def saved(pool, tmp_path_factory):
    return kept_models.load(finished(pool, tmp_path_factory.mktemp("data"), "classes"), "small", None)


def test_a_csv_a_parquet_file_and_json_give_the_same(saved, tmp_path):
    rows = table("classes", n=40)
    (tmp_path / "rows.csv").write_text(csv_of(rows))
    as_json = [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows]
    (tmp_path / "rows.json").write_text(json.dumps(as_json))
    pq.write_table(pa.Table.from_pylist(as_json), tmp_path / "rows.parquet")

    found = [
        predictions(saved, rows_of_file(saved, tmp_path / f"rows.{e}")) for e in ("csv", "json", "parquet")
    ]

    assert found[0] == found[1] == found[2]
    assert found[0]["scores"]["accuracy"] > 0.3


def test_unseen_categories_and_missing_cells_are_predicted_and_other_columns_named(saved):
    rows = [{"a": None, "kind": "never seen", "b": 3, "z": 1, "w": 2}, {"kind": None, "b": 1}]

    found = predictions(saved, rows_of_json(saved, json.dumps(rows).encode()))

    assert (found["n_rows"], found["ignored"], found["scores"]) == (2, ["z", "w"], None)
    assert set(found["predictions"]) <= {"low", "mid", "high"}


def test_without_a_known_target_nothing_is_scored_and_a_strange_one_is_named(saved):
    rows = [{"a": 1, "kind": "x", "b": 1, "y": "low"}, {"a": 1, "kind": "x", "b": 1, "y": None}]
    strange = [*rows, {"a": 1, "kind": "x", "b": 1, "y": "huge"}]

    known = predictions(saved, rows_of_json(saved, json.dumps(rows).encode()))
    other = predictions(saved, rows_of_json(saved, json.dumps(strange).encode()))
    file = predictions(saved, rows_of_csv(saved, b"a,kind,b,y\n1,x,1,huge\n", most=9))

    assert set(known["scores"]) == {"accuracy", "log_loss", "f1"}
    assert (other["scores"], other["notes"]) == (None, ["Not scored: row 3 says 'huge', which is no class."])
    assert file["notes"] == ["Not scored: row 1 says 'huge', which is no class."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "the table lacks the column 'kind'"),
        ("c\n1\n", "the table lacks the columns 'a', 'b', 'kind'"),
        ("a,kind,b\n1,x,2\nred,x,2\n", "column 'a' wants a number, but row 2 says 'red'"),
        ("a,kind,b\n1e40,x,2\n", "column 'a' has 1e+40, beyond 1e30, in row 1"),
        ("a,kind,b\ninf,x,2\n", "column 'a' has an infinite number in row 1"),
        ("a,kind,b\n2020-01-01,x,2\n", "column 'a' wants a number, but row 1 says '2020-01-01'"),
        ("", "the table is empty"),
        ("a,kind,b\n", "the table has a header but no rows"),
        ("a,kind,b\n1,2\n", "the table has 3 columns, but row 1 has 2 of them"),
        ("a,a\n1,2\n", "has two columns called 'a'"),
        ('a,kind,b\n1,"x,2\n', "quote"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_with_its_place(saved, text, words):
    with pytest.raises(DataError) as caught:
        rows_of_csv(saved, text.encode(), most=100)

    assert words in caught.value.detail
    assert caught.value.field is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is no JSON"),
        (b"{}", "must be a list of records"),
        (b"[1]", "must be a list of records"),
        (b'[{"a": NaN}]', "NaN is no number of JSON"),
        (b"[" * 200_000, "is no JSON"),
        (b'[{"a": 1', "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b'[{"\\ud800": 1}]', "has a name that is no text"),
        (b"[" + b"9" * 10_000 + b"]", "is no JSON"),
    ],
)
def test_a_body_that_is_no_list_of_records_is_refused(saved, text, words):
    with pytest.raises(BadRequest, match=words):
        rows_of_json(saved, text)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "there are no rows to predict"),
        ([{"a": [1], "kind": "x", "b": 1}], r"column 'a' wants a number, but row 1 says \[1\]"),
        ([{"a": "red", "kind": "x", "b": 1}], "column 'a' wants a number, but row 1 says 'red'"),
        ([{"a": 1, "kind": {"x": 1}, "b": 1}], "column 'kind' wants a category, but row 1 says"),
        ([{"a": 10**40, "kind": "x", "b": 1}], "column 'a' has 1e"),
        ([{"kind": "x"}], "the rows lack the columns 'a', 'b'"),
    ],
)
def test_records_that_cannot_be_right_are_refused_with_their_place(saved, rows, words):
    with pytest.raises(DataError, match=words):
        rows_of_json(saved, json.dumps(rows).encode())


def test_more_rows_than_may_be_are_refused(saved):
    many = b"a,kind,b\n" + b"1,x,2\n" * 11

    with pytest.raises(TooLarge, match="11 rows; at most 10 are predicted at a time"):
        rows_of_csv(saved, many, most=10)
    with pytest.raises(TooLarge):
        rows_of_json(saved, json.dumps([{}] * 11).encode(), most=10)


def test_only_trials_with_a_result_have_a_model(pool, tmp_path):
    storage = finished(pool, tmp_path, "values")
    best = storage.best_trials("small")[0].number
    other = next(t.number for t in storage.trials("small") if t.number != best)

    with pytest.raises(ModelNotKept, match=f"trial {other} of study 'small' was not kept"):
        kept_models.load(storage, "small", other)
    study, trial = kept_models.chosen(storage, "small", best)
    for changed in ({"state": "RUNNING"}, {"state": "FAIL", "reason": "diverged@3"}):
        states = {name: type(trial.state)(v) if name == "state" else v for name, v in changed.items()}
        with pytest.raises(NotRepeatable):
            kept_models.check_repeatable(study, trial._replace(**states))
    external = replace(study, spec={"trainer": "external"})
    with pytest.raises(NotRepeatable, match="trained elsewhere"):
        kept_models.check_repeatable(external, trial)
    assert kept_models.load(storage, "small", best).about["test"] is not None
    assert kept_models.about(study, storage.get_trial("small", other))["test"] is None
    assert Path(tmp_path / "data.csv").exists()


@pytest.mark.parametrize(("n_classes", "most"), [(0, 10_000), (3, 10_000), (1_000, 2_000)])
def test_of_very_many_classes_fewer_rows_are_predicted_at_a_time(saved, n_classes, most):
    known = copy.copy(saved.model)
    object.__setattr__(known, "n_classes", n_classes)  # without the weights for so many

    assert most_rows(replace(saved, model=known)) == most
