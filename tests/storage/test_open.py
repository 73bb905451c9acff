"""Opening: files made private, older ones copied and upgraded, newer and foreign ones left alone."""

import importlib
import os
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from hpo.errors import HpoError, SpecError, StorageUnavailable, StorageVersion
from hpo.storage import schema
from hpo.storage.base import TrialQuery
from hpo.storage.engine import Transactions, sqlite_engine
from hpo.storage.open import open_storage, refuse_network
from hpo.storage.optuna_tables import metadata
from hpo.storage.tables import REVISIONS
from hpo.testing.studies import begun, complete, finished


def query(file: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


def change(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(sql)


def test_a_new_file_and_its_folder_are_for_the_owner_only(tmp_path: Path):
    file = tmp_path / "home" / "deep" / "hpo.db"

    open_storage(f"sqlite:///{file}").close()

    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert query(file, "PRAGMA journal_mode") == [("wal",)]
    assert query(file, "SELECT version_num FROM hpo_alembic_version") == [(REVISIONS[-1],)]


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"postgresql+psycopg://hpo:secret@127.0.0.1:{listening.getsockname()[1]}/hpo"


@pytest.mark.parametrize(("ours", "asked"), [(2, ""), (600, "?connect_timeout=2")])
def test_a_server_that_never_answers_is_away_within_the_time_that_the_url_gives_or_ours(
    silent: str, monkeypatch: pytest.MonkeyPatch, ours: int, asked: str
):
    monkeypatch.setattr("hpo.storage.engine.CONNECT_TIMEOUT_S", ours)

    with pytest.raises(StorageUnavailable, match="timeout"):
        open_storage(silent + asked)


@pytest.mark.parametrize(("asked", "word"), [("connect_timeout=soon", "soon"), ("colour=blue", "colour")])
def test_a_url_that_asks_for_what_there_is_not_is_refused_by_its_setting(silent: str, asked: str, word: str):
    with pytest.raises(SpecError, match=word) as refused:
        open_storage(f"{silent}?{asked}")

    assert refused.value.field == "HPO_STORAGE"
    assert "secret" not in str(refused.value)


def test_opening_a_current_file_imports_neither_optuna_nor_alembic(file: Path):
    code = (
        "import sys; from hpo.storage.open import open_storage\n"
        f"open_storage('sqlite:///{file}').list_studies()\n"
        "print([m for m in ('optuna', 'alembic', 'numpy', 'pandas', 'torch') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_several_processes_may_make_the_same_file_at_once(tmp_path: Path):
    code = (
        "from hpo.storage.open import open_storage\n"
        f"print(open_storage('sqlite:///{tmp_path}/hpo.db').list_studies())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]

    assert [process.communicate()[0].strip() for process in started] == ["[]"] * 3


def test_the_migrations_make_the_tables_that_the_code_knows(file: Path):
    script = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    ours = {table for table in metadata.tables if table.startswith("hpo_")}

    assert tuple(reversed([step.revision for step in script.walk_revisions()])) == REVISIONS
    transactions = Transactions(sqlite_engine(file), "test")
    with transactions.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _, name, kind, *__: kind != "table" or name in ours,
            },
        )
        assert compare_metadata(context, metadata) == []
    transactions.close()


def older_file(folder: Path, revision: str) -> Path:
    """A database as an hpo of that revision left it."""
    file = folder / "hpo.db"
    file.touch()
    schema.RDBStorage(f"sqlite:///{file}").engine.dispose()
    transactions = Transactions(sqlite_engine(file), "test", file)
    schema.migrate(transactions, revision)
    transactions.close()
    return file


def test_an_older_file_is_copied_then_upgraded_and_loses_nothing(tmp_path: Path, caplog):
    file = older_file(tmp_path, "0001")
    change(file, "INSERT INTO studies (study_name) VALUES ('from before')")

    open_storage(f"sqlite:///{file}").close()

    assert query(file, "SELECT version_num FROM hpo_alembic_version") == [(REVISIONS[-1],)]
    assert query(file, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'") == [(1,)]
    backup = tmp_path / "hpo.db.bak-0001"
    assert query(backup, "SELECT version_num FROM hpo_alembic_version") == [("0001",)]
    assert query(backup, "SELECT study_name FROM studies") == [("from before",)]
    assert query(file, "SELECT study_name FROM studies") == [("from before",)]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    said = f"{file} was upgraded from revision 0001 to {REVISIONS[-1]}; {backup} is as it was"
    assert [record.getMessage() for record in caplog.records if record.name == "hpo.storage.open"] == [said]


def test_trials_of_an_older_file_have_no_facts_and_can_get_some(tmp_path: Path):
    file = older_file(tmp_path, "0002")
    change(file, "INSERT INTO studies (study_name) VALUES ('from before')")
    change(
        file,
        "INSERT INTO hpo_trials (study_id, number, trial_id, state, epochs, params) "
        "VALUES (1, 0, 1, 'COMPLETE', 5, '{}')",
    )

    storage = open_storage(f"sqlite:///{file}")

    assert query(file, "SELECT number, facts FROM hpo_trials") == [(0, None)]
    claim, cohort = begun(storage)
    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5, facts={"oscillation": 0.25})])
    assert storage.get_trial("wine", 0).facts == {"oscillation": 0.25}
    storage.close()


def test_trials_of_an_older_file_were_proposed_and_feasible_and_its_studies_take_settings(tmp_path: Path):
    file = older_file(tmp_path, "0003")
    change(file, "INSERT INTO studies (study_name) VALUES ('old')")
    change(
        file,
        "INSERT INTO hpo_studies (study_id, state, wanted, metric, direction, n_trials, n_waiting, n_running, "
        "n_complete, n_pruned, n_fail, spec, data, folder, priority, labels, versions, attempt, seconds, created_at) "
        "VALUES (1, 'COMPLETED', '', 'accuracy', 'maximize', 1, 0, 0, 1, 0, 0, '{}', '{}', '', 0, '{}', '{}', 1, 2.5, "
        "'2026-01-02 03:04:05')",
    )
    change(
        file,
        "INSERT INTO hpo_trials (study_id, number, trial_id, state, value, epochs, params) "
        "VALUES (1, 0, 1, 'COMPLETE', 0.5, 5, '{}')",
    )

    storage = open_storage(f"sqlite:///{file}")

    assert query(tmp_path / "hpo.db.bak-0003", "SELECT count(*) FROM hpo_trials") == [(1,)]
    [trial] = storage.best_trials("old")
    assert (trial.sampled, trial.feasible, trial.budget) == (True, True, None)
    assert (trial.values, trial.lineage) == ((), ())
    study = storage.get_study("old")
    assert (study.objectives, study.notes) == ((), {})
    assert storage.enqueue("old", [({"dropout": 0.5}, None)]).n_trials == 2
    storage.delete_study("old")
    assert query(file, "SELECT count(*) FROM hpo_queue") == [(0,)]
    storage.close()


def test_trials_of_an_older_file_get_places_and_what_they_are_sorted_by(tmp_path: Path):
    file = older_file(tmp_path, "0005")
    for id_, name in ((1, "one"), (2, "several")):
        change(file, f"INSERT INTO studies (study_name) VALUES ('{name}')")
        change(
            file,
            "INSERT INTO hpo_studies (study_id, state, wanted, metric, direction, n_trials, n_waiting, n_running, "
            "n_complete, n_pruned, n_fail, spec, data, folder, priority, labels, versions, attempt, seconds, "
            f"created_at, since) VALUES ({id_}, 'PAUSED', '', 'accuracy', 'maximize', 9, 0, 1, 2, 0, 1, '{{}}', "
            "'{}', '', 0, '{}', '{}', 1, 2.5, '2026-01-02 03:04:05', 0)",
        )
    rows = (
        # study, number, state, value, values, finished
        (1, 0, "COMPLETE", 0.5, None, "2026-01-02 03:00:09.000000"),
        (1, 1, "RUNNING", None, None, None),
        (1, 2, "FAIL", None, None, "2026-01-02 03:00:07.500000"),
        (1, 3, "COMPLETE", 0.9, None, "2026-01-02 03:00:09.000000"),
        (2, 0, "COMPLETE", None, "[0.25,7]", "2026-01-02 03:00:08.000000"),
        (2, 1, "COMPLETE", None, "[Infinity,7]", "2026-01-02 03:00:07.000000"),
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            'INSERT INTO hpo_trials (study_id, number, trial_id, state, value, "values", finished_at, epochs, params, '
            "sampled, feasible) VALUES (?, ?, 1, ?, ?, ?, ?, 5, '{}', 1, 1)",
            rows,
        )

    storage = open_storage(f"sqlite:///{file}")

    study = storage.get_study("one")
    assert (study.served, study.live) == (False, {})
    assert [t.number for t in storage.finished_after("one", 0, 9)] == [2, 0, 3]
    assert [t.place for t in storage.finished_after("one", 0, 9)] == [1, 2, 3]
    assert [t.number for t in storage.finished_after("several", 0, 9)] == [1, 0]
    assert [t.number for t in storage.trials("one", TrialQuery(sort="-value"))] == [3, 0, 1, 2]
    assert query(
        file, "SELECT study_id, number, first FROM hpo_trials WHERE first IS NOT NULL ORDER BY 1, 2"
    ) == [
        (1, 0, 0.5),
        (1, 3, 0.9),
        (2, 0, 0.25),
    ]
    storage.close()


def test_an_older_database_is_left_alone_when_nobody_asked_for_the_upgrade(tmp_path: Path):
    file = older_file(tmp_path, "0001")

    with pytest.raises(StorageVersion, match="hpo db upgrade"):
        open_storage(f"sqlite:///{file}", upgrade=False)

    assert query(file, "SELECT version_num FROM hpo_alembic_version") == [("0001",)]


def test_a_newer_file_is_refused_untouched(file: Path):
    change(file, "UPDATE hpo_alembic_version SET version_num = '9999'")
    before = file.read_bytes()

    with pytest.raises(StorageVersion, match="newer hpo"):
        open_storage(f"sqlite:///{file}")

    assert file.read_bytes() == before
    assert not list(file.parent.glob("*.bak-*"))


def test_optuna_tables_of_an_unknown_version_are_refused(file: Path):
    change(file, "UPDATE alembic_version SET version_num = 'v9.0.0.a'")

    with pytest.raises(StorageVersion, match=r"v9\.0\.0\.a"):
        open_storage(f"sqlite:///{file}")


def test_the_mirrors_are_of_the_version_that_this_optuna_writes(tmp_path: Path):
    file = tmp_path / "optuna.db"
    storage = importlib.import_module("optuna").storages.RDBStorage(f"sqlite:///{file}")

    assert storage.get_current_version() == "v3.2.0.a"
    open_storage(f"sqlite:///{file}").close()  # an Optuna database becomes one of ours as well
    assert query(file, "SELECT count(*) FROM hpo_studies") == [(0,)]


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database at all, but long enough to be mistaken for one\n" * 20)

    with pytest.raises(StorageUnavailable, match=r"notes\.txt is not a database"):
        open_storage(f"sqlite:///{file}")

    assert file.read_text().startswith("not a database")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://host/db", "must begin with sqlite"),
        ("wine", "not a database URL"),
        ("sqlite+aiosqlite:///x.db", "must begin with sqlite:///"),
        ("postgresql+pg8000://x/y", "must begin with sqlite:///"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_of_another_kind_is_refused(url: str, sentence: str):
    with pytest.raises(SpecError, match=sentence):
        open_storage(url)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(StorageUnavailable, match=r"hpo\.db cannot be opened: "):
        open_storage(f"sqlite:///{tmp_path}/file/hpo.db")


def test_a_server_that_is_not_there_is_one_sentence_without_the_password():
    with pytest.raises(HpoError) as caught:
        open_storage("postgresql://ann:secret@127.0.0.1:1/hpo")

    assert isinstance(caught.value, StorageUnavailable)
    assert "secret" not in str(caught.value)
    assert make_url("postgresql://ann:secret@x/y").password == "secret"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused_and_a_local_one_inside_it_is_not(tmp_path: Path, kind: str):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/x /srv/net\\040work {kind} rw 0 0\n/dev/sdb /srv/net\\040work/local xfs rw 0 0\n"
    )

    with pytest.raises(StorageUnavailable, match="network file system"):
        refuse_network(Path("/srv/net work/ann/hpo.db"), mounts)
    refuse_network(Path("/srv/net work/local/hpo.db"), mounts)
    refuse_network(Path("/srv/network/hpo.db"), mounts)
    refuse_network(Path("/srv/net work/hpo.db"), tmp_path / "no such table of mounts")


def test_what_was_written_is_there_after_reopening(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    finished(storage, [0.5, 0.6])
    expected = storage.trials("wine")
    storage.close()

    again = open_storage(f"sqlite:///{file}")

    assert again.trials("wine") == expected
    assert os.path.getsize(file) > 0
    again.close()


def test_a_short_text_file_is_named_and_kept(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("buy milk")

    with pytest.raises(StorageUnavailable, match=r"notes\.txt is not a database"):
        open_storage(f"sqlite:///{file}")

    assert file.read_text() == "buy milk"


def test_the_database_of_another_program_is_named_and_left_alone(tmp_path: Path):
    file = tmp_path / "cookies.sqlite"
    change(file, "CREATE TABLE cookies (name TEXT)")

    with pytest.raises(StorageUnavailable, match="belongs to another program"):
        open_storage(f"sqlite:///{file}")

    assert query(file, "SELECT name FROM sqlite_master") == [("cookies",)]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    open_storage("sqlite:///~/studies.db").close()

    assert query(tmp_path / "studies.db", "SELECT count(*) FROM studies") == [(0,)]
