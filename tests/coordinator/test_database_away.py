"""The database goes away and comes back while studies run: nothing is lost, and each study goes on."""

import logging
import sqlite3
import threading
from dataclasses import replace

import pytest

from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.coordinating import QUICK, serving_coordinator, submit, wait_until
from hpo.testing.postgres import has_postgres, own_server
from hpo.testing.served_studies import Gate, alone, bits, file_of
from hpo.testing.simulated_pool import SimulatedPool


@pytest.mark.postgres
@pytest.mark.skipif(not has_postgres(), reason="this machine has no PostgreSQL server")
@pytest.mark.timeout(150)
def test_a_study_goes_on_when_postgresql_that_was_stopped_is_back(caplog):
    few = "{parallel: 4}"
    files = {name: file_of(name, seed=seed, trials=100, limits=few) for seed, name in enumerate(("a", "b"))}
    gate = Gate(n_slots=2, tasks=20)
    with own_server() as server:
        storage = open_storage(server.url)
        with serving_coordinator(storage, gate.pool) as serving:
            for text in files.values():
                submit(storage, text)
            serving.finished("a", 4)
            server.stop()
            gate.open.set()
            wait_until(lambda: "again in" in caplog.text, "the coordinator waits")
            away = [thread.is_alive() for thread in threading.enumerate() if thread.name in files]
            server.start()
            studies = serving.ended(*files)

        assert away == [True, True]
        assert {study.state for study in studies} == {StudyState.COMPLETED}
        for name, text in files.items():
            assert bits(storage, name) == alone(text)[0]
        storage.close()


def test_a_study_goes_on_when_the_lock_on_sqlite_is_gone(tmp_path, caplog):
    file = tmp_path / "hpo.db"
    text, gate = file_of("wine", trials=200), Gate(n_slots=2, tasks=3)
    storage = open_storage(f"sqlite:///{file}", busy_timeout_s=0.2)
    caplog.set_level(logging.DEBUG, "hpo.coordinator.writer")
    between = replace(QUICK, beat_s=0.5)  # there are turns that only read
    with serving_coordinator(storage, gate.pool, between) as serving:
        submit(storage, text)
        serving.finished("wine", 1)
        gate.polled.wait(30.0)
        locking = sqlite3.connect(file, isolation_level=None)
        locking.execute("BEGIN IMMEDIATE")
        n_then = storage.get_study("wine").n_finished
        gate.open.set()
        wait_until(lambda: "again in" in caplog.text, "the coordinator waits")
        wait_until(lambda: "is away" in caplog.text, "the service does, too")
        wait_until(lambda: "again in 1.6 s" in caplog.text, "both have tried a few times")
        n_later = storage.get_study("wine").n_finished
        locking.rollback()
        [study] = serving.ended("wine")

    assert n_then == n_later < 200
    told = [record.getMessage().split(",")[0] for record in caplog.records if "service" in record.name]
    assert told == ["the database is away", "the database is back"]  # once, however long it took
    assert study.state is StudyState.COMPLETED
    assert bits(storage, "wine") == alone(text)[0]


@pytest.mark.postgres
@pytest.mark.skipif(not has_postgres(), reason="this machine has no PostgreSQL server")
@pytest.mark.timeout(150)
def test_a_coordinator_ends_in_time_though_its_database_is_away():
    gate = Gate(n_slots=2)
    with own_server() as server:
        storage = open_storage(server.url)
        with serving_coordinator(storage, gate.pool) as serving:
            submit(storage, file_of("wine", trials=400))
            gate.polled.wait(30.0)
            server.stop()
            gate.open.set()
            serving.leave()
        server.start()
        text = file_of("wine", trials=400)
        with serving_coordinator(storage, SimulatedPool(n_slots=2)) as second:
            second.ended("wine")  # once the lease has run out: the process of its driver is alive

        assert bits(storage, "wine") == alone(text)[0]
        storage.close()
