"""What a progress event says of a study's driver, over a socket and held to the document."""

import pytest
from jsonschema import Draft202012Validator

from hpo.states import StudyState
from hpo.testing.studies import begun, complete, finished
from tests.api.streaming import following

SPEEDS = {"trials_per_s": 2.5, "model_steps_per_s": 900.0, "seconds_left": 12.0}


def progress_of(stream):
    """The next progress event."""
    return next(data for kind, data, _ in stream if kind == "progress")


def slots_of(stream):
    told = progress_of(stream)
    return told["n_slots"], told["n_busy"]


@pytest.fixture
def schemas(server):
    """The schema of each kind of event, from the document that the server gives."""
    document = server.client.get("/openapi.json").json()
    operation = document["paths"]["/api/v1/studies/{name}/events"]["get"]
    stream = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]
    components = {"components": document["components"]}  # to which they refer
    return {kind: schema | components for kind, schema in stream["x-events"].items()}


def test_a_follower_is_told_the_slots_that_train_a_study_and_when_they_change(server):
    claim, _ = begun(server.storage)
    with following(server) as stream:
        assert slots_of(stream) == (None, None)  # its driver has said nothing yet

        seen = []
        for busy in (1, 4):
            server.storage.renew(claim, live=SPEEDS | {"n_slots": 4, "n_busy": busy, "n_lanes": 8 * busy})
            seen.append(slots_of(stream))

    assert seen == [(4, 1), (4, 4)]


def test_a_study_that_nobody_drives_any_more_has_no_slots(server):
    claim = finished(server.storage, [0.5, 0.9])
    server.storage.renew(claim, live=SPEEDS | {"n_slots": 4, "n_busy": 4, "n_lanes": 8})
    with following(server) as stream:
        assert slots_of(stream) == (4, 4)

        server.storage.release(claim, StudyState.PAUSED)

        assert slots_of(stream) == (None, None)


def test_every_event_is_what_the_document_says(server, schemas):
    claim, cohort = begun(server.storage, 2)
    server.storage.renew(claim, live=SPEEDS | {"n_slots": 4, "n_busy": 1, "n_lanes": 2})
    server.storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5)])
    with following(server) as stream:
        events = [next(stream) for _ in range(3)]
        server.storage.release(claim, StudyState.CANCELLED)
        events += list(stream)

    assert {kind for kind, _, _ in events} == set(schemas)
    for kind, data, _ in events:
        Draft202012Validator(schemas[kind]).validate(data)
        assert set(data) <= set(schemas[kind]["properties"])
