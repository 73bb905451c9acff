"""Whether a server lives and whether it can do its work, as a load balancer asks."""

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import create_engine, text

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.base import CoordinatorBeat
from hpo.storage.late import open_late
from hpo.storage.tables import REVISIONS
from hpo.testing.serving import serving
from hpo.testing.studies import driver


def beat():
    return CoordinatorBeat(driver=driver(), version="1", pool="local", slots=[])


def test_a_process_lives_as_soon_as_it_answers(server):
    answer = httpx.get(f"{server.url}/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_whole_server_is_ready(server):
    server.storage.beat(beat())

    answer = httpx.get(f"{server.url}/readyz")

    checks = answer.json()["checks"]
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert [check["ok"] for check in checks.values()] == [True, True, True]
    assert checks["revision"]["revision"] == REVISIONS[-1]
    assert 0 <= checks["coordinator"]["age_s"] < 60
    assert answer.headers["cache-control"] == "no-store"


def test_of_several_coordinators_the_one_seen_last_counts(server, database_url):
    server.storage.beat(replace(beat(), driver=replace(driver(), token="older")))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE hpo_coordinators SET seen_at_s = seen_at_s - 5"))
    engine.dispose()
    server.storage.beat(beat())

    seen = httpx.get(f"{server.url}/readyz").json()["checks"]["coordinator"]

    assert seen["n"] == 2
    assert seen["age_s"] < 5


def test_without_a_coordinator_readers_are_still_served_and_it_is_said(server):
    answer = httpx.get(f"{server.url}/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["coordinator"]["ok"] is False


@pytest.mark.parametrize(("silent_s", "believed"), [(8, True), (16, False)])
def test_a_coordinator_is_believed_for_some_of_its_beats_and_not_for_long(
    server, database_url, silent_s, believed
):
    server.storage.beat(beat())
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE hpo_coordinators SET seen_at_s = seen_at_s - {silent_s}"))
    engine.dispose()

    check = httpx.get(f"{server.url}/readyz").json()["checks"]["coordinator"]
    workers = server.client.get("/workers").json()["items"]
    metrics = httpx.get(f"{server.url}/metrics").text

    assert (check["ok"], len(workers)) == (believed, believed)
    assert f"hpo_coordinators {float(believed)}" in metrics
    assert check.get("detail", "within the last 15 s").count("within the last 15 s") == 1


def test_tables_of_another_revision_are_not_ready(server, database_url):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE hpo_alembic_version SET version_num = '9999'"))
    answer = httpx.get(f"{server.url}/readyz")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE hpo_alembic_version SET version_num = '{REVISIONS[-1]}'"))
    engine.dispose()

    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert answer.json()["checks"]["revision"] == {"ok": False, "code": "storage_version"}


@pytest.fixture
def away(tmp_path):
    """The URL of a server whose database does not answer, and a wall of nothing behind it."""
    url = "postgresql+psycopg://keeper:secret@127.0.0.1:1/treasury"
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": url})
    with serving(Site(settings=settings, storage=open_late(url))) as address:
        yield address


def test_a_database_that_is_away_makes_a_server_unready_but_not_dead(away):
    ready, alive = httpx.get(f"{away}/readyz"), httpx.get(f"{away}/healthz")

    assert (ready.status_code, alive.status_code) == (503, 200)
    assert ready.json()["checks"]["database"] == {"ok": False, "code": "storage_unavailable"}
    assert "secret" not in ready.text


def test_a_database_that_is_away_is_a_problem_with_the_time_to_try_again(away):
    answer = httpx.get(f"{away}/api/v1/studies")

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer.json()["detail"] == "the database cannot be used now; nothing is lost, try again"
    assert int(answer.headers["retry-after"]) > 0


def test_where_the_database_is_and_who_uses_it_is_for_the_log_alone(away, caplog):
    asked = {"headers": {"X-Request-ID": "mine"}}
    answers = [
        httpx.get(f"{away}/api/v1/studies", **asked),
        httpx.get(f"{away}/api/v1/studies/wine/events", **asked),
        httpx.post(f"{away}/api/v1/studies:validate", json={"data": "ds_1"}, **asked),
        httpx.get(f"{away}/readyz", **asked),
        httpx.get(f"{away}/metrics", **asked),
    ]

    said = "".join(f"{answer.headers}{answer.text}" for answer in answers)
    assert [word for word in ("127.0.0.1", "keeper", "secret", "treasury") if word in said] == []
    assert "keeper:***@127.0.0.1:1/treasury" in caplog.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_ails_a_file_is_said_without_its_place(server, tmp_path):
    (tmp_path / "hpo.db").rename(tmp_path / "moved.db")

    answer = server.client.get("/studies")

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert str(tmp_path) not in answer.text


def test_what_the_database_refuses_is_counted(away):
    httpx.get(f"{away}/api/v1/studies")

    page = httpx.get(f"{away}/metrics").text

    assert 'hpo_database_errors_total{call="list_studies",code="storage_unavailable"} 1.0' in page
    assert "\nhpo_database_up 0.0\n" in page


def test_probes_may_ask_for_the_head_alone(server):
    statuses = {
        path: httpx.head(f"{server.url}/{path}").status_code for path in ("healthz", "readyz", "metrics")
    }

    assert statuses == {"healthz": 200, "readyz": 200, "metrics": 200}


def test_a_database_that_comes_late_is_used_from_then_on(tmp_path):
    folder = tmp_path / "not yet"
    folder.write_text("in the way")
    url = f"sqlite:///{folder / 'hpo.db'}"
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": url})
    storage = open_late(url)
    with serving(Site(settings=settings, storage=storage)) as address:
        before = httpx.get(f"{address}/readyz").status_code
        folder.unlink()
        after = httpx.get(f"{address}/readyz").status_code
    storage.close()

    assert (before, after) == (503, 200)


def test_probes_need_no_key_and_metrics_do(server):
    site = replace(server.site, auth=True)

    with serving(site) as url:
        answers = {path: httpx.get(f"{url}/{path}").status_code for path in ("healthz", "readyz", "metrics")}

    assert answers == {"healthz": 200, "readyz": 200, "metrics": 401}
