"""Studies: a server and the local database answer every question alike."""

import json
from pathlib import Path

import pytest

from hpo.asked import Asked
from hpo.client.following import followed
from hpo.client.study_files import asked_of
from hpo.errors import (
    HpoError,
    IllegalMove,
    KeyReused,
    SpecError,
    StudyExists,
    StudyNotFound,
    StudyOwned,
    UnknownName,
)
from hpo.service.processes import this_process
from hpo.states import StudyState

FILE = {
    "data": {"source": "iris"},
    "trials": 8,
    "epochs": 5,
    "parameters": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "hidden_units": {"low": 16, "high": 256},
        "optimizer": ["sgd", "adam"],
    },
}


# Studies


def test_a_submitted_study_waits_for_a_coordinator(house):
    record = house.submit(labels={"course": "cs231n"}, priority=3)

    assert (record["name"], record["state"], record["served"]) == ("wine", "QUEUED", True)
    assert record == house.backend.study("wine")
    assert (record["labels"], record["priority"]) == ({"course": "cs231n"}, 3)
    assert house.storage.get_study("wine").n_trials == 8


def test_a_study_without_a_name_is_called_after_its_file_and_counted(house, tmp_path):
    (tmp_path / "red wine.yaml").write_text(json.dumps(FILE))

    names = [house.backend.submit(asked_of(tmp_path / "red wine.yaml", {}))["name"] for _ in range(3)]

    assert names == ["red-wine", "red-wine-2", "red-wine-3"]


def test_a_study_from_a_mapping_without_a_name_is_called_after_its_data(house):
    names = [house.backend.submit(asked_of(FILE, {}))["name"] for _ in range(2)]

    assert names == ["iris", "iris-2"]


def test_a_name_that_is_taken_is_refused(house):
    house.submit()

    with pytest.raises(StudyExists, match="wine"):
        house.submit()


@pytest.fixture
def own_table(tmp_path):
    """A study called wine on a table of one's own."""
    (tmp_path / "own.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 5},{i % 3}\n" for i in range(60)))
    return Asked(
        tree=FILE | {"name": "wine", "data": {"source": "./own.csv", "target": "y"}}, folder=tmp_path
    )


def test_what_was_uploaded_for_a_refused_study_is_not_kept(house, own_table):
    house.submit()

    with pytest.raises(StudyExists):
        house.backend.submit(own_table)

    assert house.storage.list_datasets() == []


def test_what_was_kept_before_stays_though_a_study_on_it_is_refused(house, own_table):
    house.submit()
    kept = house.backend.upload(own_table.folder / "own.csv")

    with pytest.raises(StudyExists):
        house.backend.submit(own_table)

    assert [data.id for data in house.storage.list_datasets()] == [kept["id"]]


def test_the_same_request_makes_one_study(house):
    first, again = (house.backend.submit(asked_of(FILE, {}, key="a-key")) for _ in range(2))

    assert first["name"] == again["name"]
    with pytest.raises(KeyReused):
        house.backend.submit(asked_of(FILE, {"trials": 9}, key="a-key"))
    assert len(list(house.backend.studies())) == 1


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"trials": 0}, "trials: must be >= 1, got 0"),
        ({"epoch": 3}, "epoch: there is no such key; did you mean 'epochs'?"),
        ({"data": {"source": "iris", "target": "colour"}}, "data"),
        (
            {"parameters": {"learning_rate": {"low": 0.0, "high": 1.0, "log": True}}},
            "parameters.learning_rate.low: ",
        ),
    ],
)
def test_what_is_wrong_with_a_study_is_one_sentence_and_nothing_is_stored(house, keys, sentence):
    with pytest.raises(HpoError) as submitted:
        house.submit(**keys)
    with pytest.raises(HpoError) as validated:
        house.backend.validate(Asked(tree=FILE | keys, folder=Path.cwd()))

    assert str(submitted.value).startswith(sentence)
    assert str(validated.value) == str(submitted.value)
    assert (submitted.value.exit_code, list(house.backend.studies())) == (2, [])


def test_validate_completes_a_study_and_stores_nothing(house):
    record = house.backend.validate(asked_of(FILE, {"epochs": 7}))

    assert record["valid"] is True
    assert (record["spec"]["epochs"], record["spec"]["seed"]) == (7, 0)
    assert record["plan"]["n_trials"] == 8
    assert list(house.backend.studies()) == []


def test_studies_come_newest_first_by_state_label_and_number(house):
    house.submit("one", labels={"a": "1"})
    house.submit("two", labels={"a": "2"})
    house.backend.act("one", "cancel")

    def names(**wanted):
        return [study["name"] for study in house.backend.studies(**wanted)]

    assert names() == ["two", "one"]
    assert names(limit=1) == ["two"]
    assert names(state="cancelled") == ["one"]
    assert names(labels={"a": "2"}) == ["two"]
    with pytest.raises(UnknownName, match="did you mean 'RUNNING'"):
        names(state="runing")


def test_more_studies_than_a_page_holds_come_all_the_same(house, monkeypatch):
    monkeypatch.setattr("hpo.client.asking.PAGE", 2)
    monkeypatch.setattr("hpo.service.paging.MAX_PAGE", 2)
    for name in ("a", "b", "c", "d", "e"):
        house.submit(name)

    assert [study["name"] for study in house.backend.studies()] == list("edcba")
    assert [study["name"] for study in house.backend.studies(limit=3)] == list("edc")


def test_a_study_moves_as_it_is_told(house):
    house.submit()

    states = [
        house.backend.act("wine", "pause")["state"],
        house.backend.resume("wine", trials=9)["state"],
        house.backend.act("wine", "cancel")["state"],
    ]

    assert states == ["PAUSED", "QUEUED", "CANCELLED"]
    assert house.storage.get_study("wine").n_trials == 9
    with pytest.raises(IllegalMove, match="CANCELLED for good"):
        house.backend.act("wine", "pause")


def test_whoever_runs_a_study_is_left_word(house):
    house.trained(state=StudyState.RUNNING)

    record = house.backend.act("wine", "stop")

    assert (record["state"], record["wanted"]) == ("RUNNING", "stop")
    assert record["driver"]["pid"] == this_process().pid
    with pytest.raises(StudyOwned, match="is running study 'wine'"):
        house.backend.remove("wine")


def test_a_study_is_amended(house):
    house.submit()

    record = house.backend.amend("wine", {"trials": 12, "priority": 5, "labels": {"a": "1"}})

    assert (record["n_trials"], record["priority"], record["labels"]) == (12, 5, {"a": "1"})
    with pytest.raises(IllegalMove, match="only goes up"):
        house.backend.amend("wine", {"trials": 3})


def test_a_fork_is_a_new_study_with_what_is_different(house):
    house.trained()

    record = house.backend.fork("wine", {"name": "again", "seed": 5})
    next_one = house.backend.fork("wine", {})

    assert (record["name"], record["state"], record["spec"]["seed"]) == ("again", "QUEUED", 5)
    assert record["served"] is True
    assert next_one["name"] == "wine-2"
    with pytest.raises(SpecError, match="trials: "):
        house.backend.fork("wine", {"trials": 0})


def test_a_removed_study_is_gone(house):
    house.submit()

    house.backend.remove("wine")

    with pytest.raises(StudyNotFound, match="no study is called 'wine'; `hpo ls` shows"):
        house.backend.study("wine")


@pytest.mark.parametrize(
    "name", ["nobody", "a/b", "../version", "a?b", "größe", "", "x" * 65, "a:pause", "a b", "."]
)
def test_a_study_that_is_not_there_is_not_found_whatever_it_is_called(house, name):
    for ask in (house.backend.study, house.backend.best, house.backend.remove, house.backend.progress):
        with pytest.raises(StudyNotFound):
            ask(name)
    for ask in (house.backend.trials, lambda name: house.backend.export(name, "csv")):
        with pytest.raises(StudyNotFound):
            list(ask(name))


# Following


def test_progress_is_what_the_live_view_shows(house):
    house.trained(state=StudyState.RUNNING)

    progress = house.backend.progress("wine")

    assert (progress.n_finished, progress.n_trials, progress.state) == (3, 8, StudyState.RUNNING)
    assert (progress.best_value, progress.best_number, progress.metric) == (0.9, 1, "accuracy")
    assert progress.message is None


@pytest.mark.parametrize("events", [True, False])
def test_a_study_is_followed_until_it_rests(house, monkeypatch, events):
    monkeypatch.setattr("hpo.client.following.LOOK_S", 0.01)
    house.submit()
    moments = followed(house.backend, "wine", events=events)

    first = next(moments)
    house.backend.act("wine", "pause")
    *_, last = moments

    assert (first.state, last.state) == (StudyState.QUEUED, StudyState.PAUSED)


def test_events_tell_every_trial_and_end_with_the_study(house):
    house.trained()

    found = list(house.backend.events("wine"))
    behind = list(house.backend.events("wine", after=found[-1].id))

    told = [trial["number"] for event in found if event.kind == "trial" for trial in event.data["items"]]
    assert told == [0, 1, 2]
    assert found[-1].kind == "study"
    assert found[-1].data["state"] == "COMPLETED"
    assert [event.data["counts"] for event in found if event.kind == "progress"] == [
        {"COMPLETE": 2, "FAIL": 1}
    ]
    assert behind == []
    with pytest.raises(StudyNotFound):
        list(house.backend.events("nobody"))
    with pytest.raises(HpoError, match="must be the id of an event"):
        list(house.backend.events("wine", after="yesterday"))
