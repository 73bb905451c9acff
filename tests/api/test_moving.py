"""Studies moved over REST: the legal moves, and why others are not."""

import json

import pytest

from hpo.states import StudyState
from hpo.testing.studies import driver


def move(server, study, verb, **body):
    return server.client.post(f"/studies/{study}:{verb}", json=body)


@pytest.fixture
def ended(server, given):
    """A COMPLETED study with trials left."""
    given("wine", values=[0.5, 0.9])
    claim = server.storage.claim_study("wine", driver(), dead=driver())
    return server.storage.release(claim, StudyState.COMPLETED)


def test_a_study_that_nobody_drives_moves_at_once(server, given):
    given("wine")

    paused, again, resumed, cancelled = (
        move(server, "wine", verb).json() for verb in ("pause", "pause", "resume", "cancel")
    )

    assert [one["state"] for one in (paused, again, resumed, cancelled)] == [
        "PAUSED",
        "PAUSED",
        "QUEUED",
        "CANCELLED",
    ]
    assert resumed["served"] is True


def test_the_driver_of_a_study_is_left_word(server, given):
    given("wine", values=[0.5])

    answer = move(server, "wine", "stop")

    assert (answer.status_code, answer.json()["state"], answer.json()["wanted"]) == (200, "RUNNING", "stop")


@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        ("pause", "nothing left to pause"),
        ("cancel", "nothing left to cancel"),
    ],
)
def test_a_move_that_is_not_legal_is_a_conflict_with_its_reason(server, ended, verb, reason):
    answer = move(server, ended.name, verb)

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move")
    assert reason in answer.json()["detail"]


def test_a_study_that_a_terminal_runs_is_not_resumed(server, given):
    given("wine", values=[0.5])

    answer = move(server, "wine", "resume")

    assert (answer.status_code, answer.json()["code"]) == (409, "study_owned")


def test_a_study_whose_terminal_has_made_it_is_a_coordinators_once_it_is_resumed(server, given):
    assert given("wine").served is False

    answer = move(server, "wine", "resume")

    assert (answer.json()["state"], answer.json()["served"]) == ("QUEUED", True)


def test_an_ended_study_goes_on_with_more_trials_and_a_finished_one_needs_them(server, ended):
    fewer, more = (move(server, "wine", "resume", trials=n) for n in (1, 20))

    assert (fewer.status_code, fewer.json()["path"]) == (409, "trials")
    assert (more.json()["state"], more.json()["n_trials"]) == ("QUEUED", 20)


def test_a_verb_needs_no_body_and_takes_no_other_keys(server, ended):
    other, none = move(server, "wine", "resume", trails=20), server.client.post("/studies/wine:resume")

    assert (other.status_code, other.json()["path"]) == (422, "trails")
    assert "did you mean 'trials'" in other.json()["detail"]
    assert (none.status_code, none.json()["state"]) == (200, "QUEUED")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/studies/wine:paus", "it has cancel, fork, pause, resume, stop; did you mean 'pause'?"),
        ("/studies/wine:explode", "it has cancel, fork, pause, resume, stop"),
        ("/studies/wine:", "it has cancel, fork, pause, resume, stop"),
        ("/studies:valid", "it has validate; did you mean 'validate'?"),
        ("/studies/wine/trials:aks", "it has ask, enqueue, retry; did you mean 'ask'?"),
        ("/studies/wine/trials/0:tel", "it has heartbeat, report, retry, tell; did you mean 'tell'?"),
        ("/keys/key_1:rewoke", "it has revoke; did you mean 'revoke'?"),
    ],
)
def test_a_verb_that_there_is_not_is_told_with_those_that_there_are(server, given, path, words):
    before = given("wine")

    answer = server.client.post(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == f"this address has no verb {path.rpartition(':')[2]!r}; {words}"
    assert server.storage.get_study("wine") == before


def test_a_fork_is_a_new_study_with_what_is_different(server, ended):
    answer = move(server, "wine", "fork", name="wider", set={"trials": 3, "parameters.hidden_units": 128})

    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/studies/wider")
    assert (made["state"], made["n_trials"], made["spec"]["parameters"]["hidden_units"]) == ("QUEUED", 3, 128)
    assert made["served"] is True
    assert move(server, "wine", "fork").json()["name"] == "wine-2"


def test_a_fork_asked_for_twice_with_one_key_is_one_study(server, ended):
    headers = {"Idempotency-Key": "k"}

    names = {
        server.client.post("/studies/wine:fork", json={}, headers=headers).json()["name"] for _ in range(2)
    }
    other = server.client.post("/studies/wine:fork", json={"set": {"trials": 2}}, headers=headers)

    assert names == {"wine-2"}
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"set": {"trails": 3}}, "trails"),
        ({"set": {"trials": 1e400}}, "set.trials"),
        ({"set": {"data.source": "/etc/passwd"}}, "data.source"),
        ({"name": "a/b"}, "name"),
        ({"trial": 3}, "trial"),
        ({"trial": -1, "replay": True}, "trial"),
        ({"set": 3}, "set"),
    ],
)
def test_a_fork_that_cannot_be_is_refused_and_nothing_is_stored(server, ended, body, path):
    answer = server.client.post(
        "/studies/wine:fork", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["path"]) in ((422, path), (422, None))
    assert len(server.storage.list_studies()) == 1
