"""Look at a database without opening it as a storage: nothing is made, nothing upgraded, any revision will do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, inspect, select, text

from hpo.storage import optuna_tables as optuna
from hpo.storage import tables
from hpo.storage.engine import Transactions, server_engine, sqlite_engine
from hpo.storage.open import parse
from hpo.storage.tables import REVISIONS, VERSION_TABLE
from hpo.storage.versions import version_of

MISSING, EMPTY, FOREIGN, OLDER, CURRENT, NEWER = "missing", "empty", "foreign", "older", "current", "newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What stands in a database. state: MISSING, EMPTY, FOREIGN, OLDER, CURRENT or NEWER than this hpo.

    place: without a password; kind: sqlite or postgresql, version: of that program; revision, newest: of
    our tables, there and in this hpo; optuna: the version of Optuna's tables; n_bytes: all of it on disk
    n_others: further connections to a server; None where nobody counts them
    """

    place: str
    kind: str
    state: str
    newest: str = REVISIONS[-1]
    version: str | None = None
    revision: str | None = None
    optuna: str | None = None
    n_bytes: int = 0
    n_studies: int = 0
    n_trials: int = 0
    n_datasets: int = 0
    n_others: int | None = None


def inspect_database(url: str) -> Inspection:
    """Look at the database of a URL. Raises SpecError for a URL of another kind, StorageUnavailable."""
    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite":
        place = parsed.render_as_string(hide_password=True)
        return _look(Transactions(server_engine(parsed), place), "postgresql", None)
    file = Path(str(parsed.database)).expanduser().absolute()
    if not file.exists():
        return Inspection(place=str(file), kind="sqlite", state=MISSING)
    return _look(Transactions(sqlite_engine(file), str(file), file), "sqlite", file)


def _look(transactions: Transactions, kind: str, file: Path | None) -> Inspection:
    try:
        with transactions.read() as connection:
            revision = version_of(connection, VERSION_TABLE)
            theirs = version_of(connection, optuna.VERSION_TABLE)
            counted = {} if revision is None else _counts(connection)
            return Inspection(
                place=transactions.place,
                kind=kind,
                state=_state(connection, revision, theirs),
                version=_program(connection, kind),
                revision=revision,
                optuna=theirs,
                n_bytes=_size(connection, file),
                n_others=None if file is not None else _others(connection),
                **counted,
            )
    finally:
        transactions.close()


def _state(connection: Connection, revision: str | None, theirs: str | None) -> str:
    if revision is None:
        if theirs is not None:
            return OLDER  # Optuna's tables alone: ours are made beside them
        return FOREIGN if inspect(connection).get_table_names() else EMPTY
    if revision not in REVISIONS:
        return NEWER
    return CURRENT if revision == REVISIONS[-1] else OLDER


def _counts(connection: Connection) -> dict[str, Any]:
    """How much there is, by tables and columns that every revision has."""
    own = tables.studies.c
    finished = own.n_waiting + own.n_running + own.n_complete + own.n_pruned + own.n_fail
    studies, trials = connection.execute(
        select(func.count(), func.coalesce(func.sum(finished), 0)).select_from(tables.studies)
    ).one()
    datasets = connection.execute(select(func.count()).select_from(tables.datasets)).scalar_one()
    return {"n_studies": int(studies), "n_trials": int(trials), "n_datasets": int(datasets)}


def _program(connection: Connection, kind: str) -> str:
    """The version of the database program."""
    words = "SELECT sqlite_version()" if kind == "sqlite" else "SHOW server_version"
    return str(connection.execute(text(words)).scalar_one())


def _size(connection: Connection, file: Path | None) -> int:
    """Bytes on disk, SQLite's write-ahead log included."""
    if file is None:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _others(connection: Connection) -> int:
    words = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(connection.execute(text(words)).scalar_one())
