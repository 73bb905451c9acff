"""Trials, data and the rest: a server and the local database answer every question alike."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hpo.asked import Asked
from hpo.errors import (
    DataError,
    DatasetNotFound,
    FigureNotFound,
    HpoError,
    IllegalMove,
    SpaceNotFound,
    SpecError,
    StudyNotFound,
    TrialNotFound,
    UnknownName,
)
from hpo.service.figures import figure
from hpo.service.report import report

# Trials


def test_trials_are_sorted_chosen_and_limited(house):
    house.trained()

    def numbers(**question):
        return [trial["number"] for trial in house.backend.trials("wine", **question)]

    assert numbers() == [0, 1, 2]
    assert numbers(sort="-value") == [1, 0, 2]
    assert numbers(sort="-value", limit=1) == [1]
    assert numbers(states=["fail", "PRUNED"]) == [2]
    assert numbers(where="value >= 0.6") == [1]
    assert numbers(where="params.hidden_units in (16, 18)") == [0, 2]
    with pytest.raises(UnknownName, match="sort: "):
        numbers(sort="best")
    with pytest.raises(UnknownName, match="no trial state is called"):
        numbers(states=["broken"])
    with pytest.raises(SpecError, match="where"):
        numbers(where="value >")


def test_more_trials_than_a_page_holds_come_all_the_same(house, monkeypatch):
    monkeypatch.setattr("hpo.client.asking.PAGE", 2)
    house.trained(values=[0.1, 0.5, 0.3, 0.4, 0.2])

    assert [trial["number"] for trial in house.backend.trials("wine", sort="-value")] == [1, 3, 2, 4, 0]
    assert [trial["number"] for trial in house.backend.trials("wine", limit=3)] == [0, 1, 2]


def test_a_trial_is_shown_whole(house):
    house.trained()

    record = house.backend.trial("wine", 1)

    assert (record["study"], record["value"], record["params"]["hidden_units"]) == ("wine", 0.9, 17)
    with pytest.raises(TrialNotFound, match="has no trial 99"):
        house.backend.trial("wine", 99)


def test_the_best_trial_and_the_best_few(house):
    house.trained()

    assert (house.backend.best("wine")["number"], house.backend.best("wine")["value"]) == (1, 0.9)
    assert [best["number"] for best in house.backend.top("wine", 2)] == [1, 0]
    assert "tied_with_best" in house.backend.top("wine", 1)[0]


def test_no_best_yet_is_said_with_what_there_is(house):
    house.submit()

    with pytest.raises(TrialNotFound, match="no finished trial with a value yet"):
        house.backend.best("wine")


def test_exports_are_whole_files(house):
    house.trained()

    def export(kind):
        return b"".join(house.backend.export("wine", kind))

    assert export("csv").decode().splitlines()[2].startswith("1,COMPLETE,,0.9,")
    assert [trial["value"] for trial in json.loads(export("json"))] == [0.5, 0.9, None]
    assert pq.read_table(io.BytesIO(export("parquet"))).column("value").to_pylist() == [0.5, 0.9, None]
    with pytest.raises(HpoError, match="format"):
        export("xml")


def test_settings_are_enqueued_and_failed_trials_retried(house):
    house.trained()

    added = house.backend.enqueue("wine", [{"learning_rate": 0.01}, {"optimizer": "sgd"}])
    retried = house.backend.retry("wine")

    assert (added["study"], added["n_trials"], added["enqueued"][1]) == ("wine", 10, {"optimizer": "sgd"})
    assert (retried["retry_of"], retried["n_trials"]) == ([2], 11)
    with pytest.raises(SpecError, match="learning_rate"):
        house.backend.enqueue("wine", [{"learning_rate": "fast"}])
    with pytest.raises(IllegalMove, match="only trials that failed"):
        house.backend.retry("wine", [1])


# Data and the rest


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}\n" for i in range(60)))
    return path


def test_a_file_is_uploaded_once_and_known_by_its_content(house, table):
    first, again = house.backend.upload(table), house.backend.upload(table)

    assert first["id"] == again["id"]
    assert first["name"] == "small.csv"
    assert [one["id"] for one in house.backend.datasets() if one["kind"] == "stored"] == [first["id"]]
    assert b"".join(house.storage.read_dataset(first["id"])) == table.read_bytes()
    assert house.backend.kept_dataset("small.csv")["id"] == first["id"]
    assert house.backend.dataset(first["id"], target="y")["classes"] == ["no", "yes"]


def test_a_study_takes_its_file_along(house, table):
    for name in ("one", "two"):
        tree = house.file | {"name": name, "data": {"source": "small.csv", "target": "y"}}
        record = house.backend.submit(Asked(tree=tree, folder=table.parent))

    kept = [one for one in house.backend.datasets() if one["kind"] == "stored"]
    assert [one["id"] for one in kept] == [record["spec"]["data"]["source"]]
    assert record["data"]["n_rows"] == 60


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"data": {"source": "small.csv", "target": "z"}}, "'z'"),
        ({"data": {"source": "small.csv", "target": "y", "drop": ["zz"]}}, "'zz'"),
        ({"objective": "rmse"}, "rmse"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_a_file_is_not_kept_for_a_study_that_cannot_be(house, table, wrong, sentence):
    right = house.file | {"data": {"source": "small.csv", "target": "y"}}

    with pytest.raises((SpecError, DataError), match=sentence):
        house.backend.submit(Asked(tree=right | wrong, folder=table.parent))

    assert list(house.backend.studies()) == []
    assert house.storage.list_datasets() == []


def test_a_file_that_is_kept_already_stays_when_a_study_on_it_is_refused(house, table):
    key = house.backend.upload(table)["id"]

    with pytest.raises(DataError, match="'z'"):
        house.backend.submit(
            Asked(tree=house.file | {"data": {"source": "small.csv", "target": "z"}}, folder=table.parent)
        )

    assert [kept.id for kept in house.storage.list_datasets()] == [key]


@pytest.mark.parametrize("source", ["nowhere.csv", "./nowhere", "."])
def test_a_file_that_is_not_there_is_named(house, source, tmp_path):
    with pytest.raises(DataError):
        house.backend.submit(Asked(tree=house.file | {"data": {"source": source}}, folder=tmp_path))

    assert list(house.backend.studies()) == []


def test_data_sets_that_are_not_there_or_built_in_are_named(house):
    with pytest.raises(DatasetNotFound, match="'nothing'"):
        house.backend.kept_dataset("nothing")
    with pytest.raises(DatasetNotFound, match="iris is built in"):
        house.backend.kept_dataset("iris")
    assert house.backend.dataset("iris")["n_rows"] == 150


def test_a_data_set_is_removed_unless_a_study_uses_it(house, table):
    key = house.backend.upload(table)["id"]
    house.submit(data={"source": key, "target": "y"})

    with pytest.raises(IllegalMove):
        house.backend.remove_dataset(key)
    house.backend.act("wine", "cancel")
    house.backend.remove_dataset(key)

    with pytest.raises(DatasetNotFound):
        house.backend.kept_dataset(key)


def test_spaces_are_listed_and_shown(house):
    names = [space["name"] for space in house.backend.spaces()]

    assert "mlp-default" in names
    assert "parameters:" in house.backend.space("mlp-default")["text"]
    with pytest.raises(SpaceNotFound, match="did you mean 'mlp-default'"):
        house.backend.space("mlp-defalt")


def test_versions_and_workers_are_told(house):
    assert {"hpo", "torch"} <= set(house.backend.version())
    assert house.backend.workers() == []


def test_keys_are_made_listed_and_revoked_where_the_database_is(house):
    if house.backend.server is not None:
        pytest.skip("a server that asks for no keys makes none; tests/client/test_keys.py has one that does")
    made = house.backend.create_key({"owner": "ada", "role": "viewer"})

    assert made["secret"].startswith("hpo_")
    assert [key["id"] for key in house.backend.api_keys()] == [made["id"]]
    assert house.backend.revoke_key(made["id"])["state"] == "revoked"


def test_curves_importances_and_fronts_are_told(house):
    house.trained(values=[0.5, 0.9, 0.7])

    assert house.backend.curve("wine", 1)["number"] == 1
    assert set(house.backend.importance("wine"))
    assert [trial["number"] for trial in house.backend.pareto("wine")] == [1]
    with pytest.raises(TrialNotFound):
        house.backend.curve("wine", 99)


def test_a_study_and_a_trial_are_diagnosed(house):
    house.trained(values=[None, None, 0.9])

    of_study, of_trial = house.backend.diagnosis("wine"), house.backend.diagnosis("wine", trial=2)

    assert [one["code"] for one in of_study["findings"]] == ["most_failed", "common", "few_trials"]
    assert of_study["next"]["name"] == "wine-next"
    assert [one["code"] for one in of_trial["findings"]] == ["not_seen"]
    assert (of_trial["trial"], of_trial["next"]) == (2, None)
    with pytest.raises(TrialNotFound, match="has no trial 99"):
        house.backend.diagnosis("wine", trial=99)


def test_trials_are_trained_elsewhere(house):
    tree = {"name": "far", "trainer": "external", "objective": {"metric": "speed", "direction": "maximize"}}
    tree |= {"trials": 2, "parameters": {"threads": {"low": 1, "high": 64, "type": "int"}}}
    house.backend.submit(Asked(tree=tree, folder=Path.cwd()))

    asked = house.backend.ask("far", client_id="me", count=5)
    again = house.backend.ask("far", client_id="me", count=5)
    numbers = [trial["number"] for trial in asked["trials"]]
    kept = house.backend.heartbeat("far", 0, client_id="me")
    reported = house.backend.report("far", 0, epoch=1, value=3.5, client_id="me")
    for number in numbers:
        house.backend.tell("far", number, {"state": "COMPLETE", "value": 1.0 + number})

    assert (numbers, again["trials"]) == ([0, 1], asked["trials"])
    assert (kept["lease_s"] > 0, reported["prune"]) == (True, False)
    assert house.backend.study("far")["state"] == "COMPLETED"
    assert house.backend.best("far")["value"] == 2.0
    assert house.backend.ask("far", client_id="me", count=1)["over"] is True


def test_figures_and_the_report_are_the_services(house):
    house.trained()

    history = house.backend.figure("wine", "history")
    heatmap = house.backend.figure("wine", "heatmap", x="hidden_units")
    page = b"".join(house.backend.report_html("wine")).decode()

    assert history == figure(house.storage, "wine", "history")
    assert heatmap["layout"]["xaxis"]["title"]["text"] == "hidden_units [units]"
    assert page == report(house.storage, "wine").html
    with pytest.raises(FigureNotFound, match="history, curves"):
        house.backend.figure("wine", "pie")
    with pytest.raises(UnknownName, match="x: "):
        house.backend.figure("wine", "history", x="hidden_units")
    with pytest.raises(StudyNotFound):
        list(house.backend.report_html("nobody"))
