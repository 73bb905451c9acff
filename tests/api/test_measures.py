"""The page of metrics, read by Prometheus's own parser and compared with the database."""

import resource
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, text, update

from hpo import __version__
from hpo.api.measures import Measures
from hpo.states import StudyState
from hpo.storage.base import CoordinatorBeat, StudyQuery
from hpo.storage.late import open_late
from hpo.storage.tables import studies as studies_table
from hpo.testing.serving import serving
from hpo.testing.studies import begun, driver, finished, new_study


def families(url):
    """Name -> family of metrics of the page."""
    answer = httpx.get(f"{url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def metrics(url):
    """(name, labels without their names) -> value of every sample of the page."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(url).values()
        for sample in family.samples
    }


def some_work(storage):
    """An ended study, one that runs, one that waits, and a coordinator with two slots."""
    storage.release(finished(storage, [0.5, 0.25], name="ended"), StudyState.COMPLETED)
    claim, _ = begun(storage, 3, name="running")
    storage.renew(claim, live={"trials_per_s": 2.5})
    storage.create_study(new_study("waiting", served=True))
    slots = [
        {"id": "local-0", "study": "running", "lanes": 3, "model_steps_per_s": 1000.0},
        {"id": "local-1", "study": None, "lanes": 0, "model_steps_per_s": 0.0},
    ]
    storage.beat(CoordinatorBeat(driver=driver(), version="1", pool="local", slots=slots))


def test_metrics_count_what_the_database_has(server):
    some_work(server.storage)

    found = metrics(server.url)

    studies = server.storage.list_studies(StudyQuery())
    trials = Counter(trial.state for study in studies for trial in server.storage.trials(study.name))
    assert {key[1]: n for key, n in found.items() if key[0] == "hpo_studies" and n} == Counter(
        study.state for study in studies
    )
    assert {key[1]: n for key, n in found.items() if key[0] == "hpo_trials" and n} == trials
    assert found["hpo_trials_training",] == 3
    assert found["hpo_database_up",] == 1
    assert found["hpo_build_info", __version__] == 1


def test_what_falls_when_a_study_is_deleted_is_no_counter(server):
    some_work(server.storage)
    before = families(server.url)
    server.client.delete("/studies/ended")

    after = families(server.url)

    fell = {
        name
        for name, family in before.items()
        for old in family.samples
        for new in after[name].samples
        if (new.name, new.labels) == (old.name, old.labels) and new.value < old.value
    }
    assert "hpo_trials" in fell
    assert {after[name].type for name in fell} == {"gauge"}


def test_metrics_tell_of_the_process_itself(server):
    found = metrics(server.url)

    resident = psutil.Process().memory_info().rss
    assert found["process_resident_memory_bytes",] == pytest.approx(resident, rel=0.2)
    assert found["process_max_fds",] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 0 < found["process_open_fds",] < found["process_max_fds",]


def test_metrics_show_trials_that_were_handed_back_as_the_api_does(server):
    some_work(server.storage)
    claim, _ = begun(server.storage, 4, name="paused")
    server.storage.release(claim, StudyState.PAUSED)

    found = metrics(server.url)

    shown = Counter()
    for study in server.client.get("/studies").json()["items"]:
        shown.update(study["states"])
    assert {key[1]: n for key, n in found.items() if key[0] == "hpo_trials" and n} == shown
    assert (shown["WAITING"], found["hpo_trials_training",]) == (4, 3)


def test_metrics_say_what_slots_do_and_how_fast(server):
    some_work(server.storage)

    found = metrics(server.url)

    assert (found["hpo_coordinators",], found["hpo_slots",], found["hpo_slots_busy",]) == (1, 2, 1)
    assert (found["hpo_lanes_training",], found["hpo_model_steps_per_second",]) == (3, 1000)
    assert found["hpo_trials_per_second",] == 2.5


def test_metrics_say_for_how_long_a_study_waits_and_a_coordinator_is_silent(server, database_url):
    some_work(server.storage)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(update(studies_table).values(queued_at=hour_ago))
        connection.execute(text("UPDATE hpo_coordinators SET seen_at_s = seen_at_s - 5"))
    engine.dispose()

    found = metrics(server.url)

    assert 3600 <= found["hpo_queue_age_seconds",] < 3660
    assert 5 <= found["hpo_coordinator_age_seconds", "node:7"] < 15


def test_every_process_of_an_api_tells_the_same_of_the_database(server):
    some_work(server.storage)

    with serving(server.site) as other:
        first, second = metrics(server.url), metrics(other)

    names = ("hpo_studies", "hpo_trials", "hpo_slots", "hpo_lanes_training", "hpo_trials_per_second")
    assert {key: n for key, n in first.items() if key[0] in names} == {
        key: n for key, n in second.items() if key[0] in names
    }


def test_requests_are_counted_by_route_and_not_by_what_they_name(server):
    began = time.monotonic()
    for path in ("studies/one", "studies/two", "nothing", "studies?limit=1"):
        server.client.get(path)
    took = time.monotonic() - began

    found = metrics(server.url)

    requests = {key[1:]: n for key, n in found.items() if key[0] == "hpo_http_requests_total"}
    assert requests["GET", "/api/v1/studies/{name}", "404"] == 2
    assert requests["GET", "/api/v1/studies", "200"] == 1
    assert requests["GET", "none", "404"] == 1
    assert found["hpo_http_request_seconds_count", "GET", "/api/v1/studies/{name}"] == 2
    assert 0 < found["hpo_http_request_seconds_sum", "GET", "/api/v1/studies/{name}"] < took
    assert not any("one" in key or "two" in key for key in found)


def test_transactions_are_timed_and_refusals_of_the_database_counted(server):
    server.client.get("studies/none")

    found = metrics(server.url)

    assert found["hpo_database_seconds_count", "get_study"] == 1
    assert not any(key[0] == "hpo_database_errors_total" for key in found)


def test_who_follows_events_is_counted_while_he_does(server, waited):
    server.storage.create_study(new_study("wine"))

    with server.client.stream("GET", "/studies/wine/events") as answer:
        lines = answer.iter_lines()
        next(lines)
        during = metrics(server.url)["hpo_event_followers",]

    assert during == 1
    waited(lambda: metrics(server.url)["hpo_event_followers",] == 0, 10.0)


def test_a_database_that_is_away_is_a_figure_and_not_an_error():
    page = Measures(open_late("postgresql+psycopg://hpo@127.0.0.1:1/none")).page().decode()

    assert "\nhpo_database_up 0.0\n" in page
    assert "hpo_studies" not in page


def test_scrapes_at_the_same_time_do_not_disturb_each_other(server):
    some_work(server.storage)
    pages = []

    threads = [threading.Thread(target=lambda: pages.append(metrics(server.url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [page["hpo_trials", "COMPLETE"] for page in pages] == [2] * 8
