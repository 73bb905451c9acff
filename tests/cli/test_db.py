"""The verbs of the database itself, over SQLite files and PostgreSQL databases of every age."""

import io
import json
import sqlite3
import sys
from contextlib import closing

import pytest
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, make_url, text

from hpo.storage import schema
from hpo.storage.engine import Transactions, server_engine, sqlite_engine
from hpo.storage.open import open_storage
from hpo.storage.tables import REVISIONS
from hpo.testing.studies import finished

OLD, NEW = REVISIONS[-2], REVISIONS[-1]


def status(hpo):
    code, out, err = hpo("db", "status", "-f", "json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def fresh_postgres(postgres, monkeypatch):
    """The URL of a PostgreSQL database without tables, which HPO_STORAGE names."""
    server = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS hpo_upgrade WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE hpo_upgrade"))
    url = make_url(postgres).set(database="hpo_upgrade").render_as_string(hide_password=False)
    monkeypatch.setenv("HPO_STORAGE", url)
    yield url
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE hpo_upgrade WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def older_postgres(fresh_postgres):
    """A PostgreSQL database as the hpo before this one left it."""
    RDBStorage(fresh_postgres).engine.dispose()
    transactions = Transactions(server_engine(make_url(fresh_postgres)), "here")
    schema.migrate(transactions, OLD)
    transactions.close()
    return fresh_postgres


@pytest.fixture
def older_file(home):
    """The SQLite file of HPO_HOME as the hpo before this one left it."""
    home.mkdir()
    file = home / "hpo.db"
    file.touch()
    RDBStorage(f"sqlite:///{file}").engine.dispose()
    transactions = Transactions(sqlite_engine(file), "here", file)
    schema.migrate(transactions, OLD)
    transactions.close()
    return file


def test_a_verb_says_once_that_it_has_upgraded_the_file(hpo, older_file):
    first, again = hpo("ls")[2], hpo("ls")[2]

    assert first.splitlines()[:1] == [
        f"WARNING hpo.storage.open: {older_file} was upgraded from revision {OLD} to {NEW}; "
        f"{older_file}.bak-{OLD} is as it was"
    ]
    assert "upgraded" not in again


def test_a_quiet_verb_upgrades_the_file_without_a_word(hpo, older_file):
    code, _, err = hpo("ls", "--quiet")

    assert (code, err) == (0, "")
    assert status(hpo)["state"] == "current"


def test_who_asks_for_the_upgrade_is_told_of_it_once(hpo, older_file):
    code, _, err = hpo("db", "upgrade", "--yes")

    assert (code, err) == (0, f"{older_file}: from revision {OLD} to {NEW}\n")


def test_a_database_that_is_not_there_is_not_made_by_looking(hpo, home):
    found = status(hpo)

    assert (found["state"], found["kind"], found["upgrade"]) == ("missing", "sqlite", False)
    assert "the first study makes it" in found["note"]
    assert not home.exists()


def test_the_status_counts_what_there_is(hpo, database, home):
    with database() as storage:
        finished(storage, [0.5, 0.25])
        storage.add_dataset("table", [b"a,b"], {})

    found = status(hpo)

    assert (found["state"], found["revision"], found["newest"]) == ("current", NEW, NEW)
    assert found["version"] == sqlite3.sqlite_version
    assert (found["n_studies"], found["n_trials"], found["n_datasets"]) == (1, 2, 1)
    assert found["n_bytes"] >= (home / "hpo.db").stat().st_size > 0
    assert found["optuna"] == "v3.2.0.a"


def test_the_size_is_that_of_the_write_ahead_log_too(hpo, database, home):
    with database() as storage:
        finished(storage, [0.5, 0.25])

        found = status(hpo)
        sizes = [(home / name).stat().st_size for name in ("hpo.db", "hpo.db-wal")]

    assert min(sizes) > 0
    assert found["n_bytes"] == sum(sizes)


def test_people_read_the_same(hpo, database):
    with database() as storage:
        finished(storage, [0.5, 0.25])

    code, out, _ = hpo("db", "status")

    assert code == 0
    assert f"revision         {NEW} (this hpo has {NEW})" in out
    assert out.splitlines()[-1] == "the database is up to date"


def test_a_newer_database_is_told_and_refused_untouched(hpo, database, home):
    with database():
        pass
    with closing(sqlite3.connect(home / "hpo.db")) as connection, connection:
        connection.execute("UPDATE hpo_alembic_version SET version_num = '9999'")

    code, _, err = hpo("db", "upgrade", "--yes")

    assert code == 1
    assert "is of revision 9999, which is newer than this hpo's" in err
    assert (status(hpo)["state"], status(hpo)["revision"]) == ("newer", "9999")


def test_a_database_of_another_program_is_told_and_refused(hpo, home):
    home.mkdir()
    with closing(sqlite3.connect(home / "hpo.db")) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")

    code, _, err = hpo("db", "upgrade", "--yes")

    assert (code, status(hpo)["state"]) == (1, "foreign")
    assert "belongs to another program" in err


def test_a_url_of_no_database_is_a_usage_error(hpo, monkeypatch):
    monkeypatch.setenv("HPO_STORAGE", "mysql://somewhere/hpo")

    code, _, err = hpo("db", "status")

    assert (code, err.split(":")[1].strip()) == (2, "HPO_STORAGE")


def test_a_database_server_that_is_away_is_told_without_its_password(hpo, monkeypatch):
    monkeypatch.setenv("HPO_STORAGE", "postgresql+psycopg://hpo:secret@127.0.0.1:1/none")

    for verb in ("status", "upgrade"):
        code, out, err = hpo("db", verb)

        assert (code, out) == (1, "")
        assert "cannot be used now" in err
        assert "secret" not in err


@pytest.mark.postgres
def test_a_new_postgres_database_gets_its_tables_without_a_question(hpo, fresh_postgres):
    before = status(hpo)

    code, _, err = hpo("db", "upgrade")

    assert (before["state"], before["kind"]) == ("empty", "postgresql")
    assert code == 0
    assert f"from revision none to {NEW}" in err
    assert status(hpo)["state"] == "current"


@pytest.mark.postgres
def test_an_older_postgres_database_waits_for_the_upgrade_and_is_upgraded(hpo, older_postgres):
    refused = hpo("ls")
    before = status(hpo)

    code, out, _ = hpo("db", "upgrade", "--yes", "-f", "json")

    assert (refused[0], "hpo db upgrade" in refused[2]) == (1, True)
    assert (before["state"], before["revision"], before["upgrade"]) == ("older", OLD, True)
    assert (code, json.loads(out)["revision"]) == (0, NEW)
    assert hpo("ls")[0] == 0
    assert hpo("db", "upgrade")[2].strip().endswith(f"is of revision {NEW} already; nothing to do")


@pytest.mark.postgres
def test_an_upgrade_is_asked_for_and_no_means_no(hpo, older_postgres, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    code, _, err = hpo("db", "upgrade")

    assert (code, status(hpo)["revision"]) == (1, OLD)
    assert f"from revision {OLD} to {NEW}? Nothing else may use it meanwhile" in err


@pytest.mark.postgres
def test_who_else_is_connected_is_said_before_an_upgrade(hpo, older_postgres, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    other = create_engine(older_postgres)

    with other.connect() as connection:
        connection.execute(text("SELECT 1"))
        _, _, err = hpo("db", "upgrade")
    other.dispose()

    assert "(1 other connection now)" in err


@pytest.mark.postgres
def test_optuna_tables_alone_get_ours_beside_them(hpo, fresh_postgres):
    RDBStorage(fresh_postgres).engine.dispose()

    code, _, err = hpo("db", "upgrade", "--yes")

    assert code == 0, err
    with closing(open_storage(fresh_postgres)) as storage:
        assert storage.revision() == NEW
