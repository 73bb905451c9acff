"""Make and upgrade the tables: Optuna's by Optuna itself, ours by Alembic. The only slow import of storage."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna.storages import RDBStorage
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL

from hpo.errors import StorageUnavailable, StorageVersion
from hpo.storage import optuna_tables as optuna
from hpo.storage.engine import Transactions
from hpo.storage.tables import REVISIONS, VERSION_TABLE

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_301_952  # any number, the same for all


def bring_up_to_date(transactions: Transactions, url: URL, file: Path | None, *, upgrade: bool) -> str | None:
    """Make the tables that are missing and upgrade ours, from the revision that is returned, if any.

    Several processes may try at once. file: SQLite's, copied to `copy_of` before an upgrade; None: a server
    Raises StorageVersion when an older database would have to be upgraded and `upgrade` is False.
    """
    with _alone(transactions, file):
        with transactions.read() as connection:
            revision = _revision(connection)
            bare = not inspect(connection).has_table(optuna.VERSION_TABLE)
        if revision == REVISIONS[-1] and not bare:
            return None
        if revision is not None and not upgrade:
            raise StorageVersion(
                f"the database {transactions.place} is of revision {revision}, this hpo needs "
                f"{REVISIONS[-1]}; run `hpo db upgrade` while nothing else uses it"
            )
        if bare:
            # Another engine than ours: Optuna makes one of its own, from the URL.
            RDBStorage(url.render_as_string(hide_password=False)).engine.dispose()
        if file is not None and revision is not None:
            _copy(file, copy_of(file, revision))
        migrate(transactions, REVISIONS[-1])
        return revision


def copy_of(file: Path, revision: str) -> Path:
    """Where a SQLite file is kept as it was before an upgrade."""
    return file.with_name(f"{file.name}.bak-{revision}")


def migrate(transactions: Transactions, revision: str) -> None:
    """Run our migrations up to a revision, in one transaction."""
    script = ScriptDirectory(str(_MIGRATIONS))

    def steps(current: Any, _context: MigrationContext) -> Any:
        return script._upgrade_revs(revision, current)

    with transactions.write() as connection, EnvironmentContext(Config(), script, fn=steps) as environment:
        # Alembic's default table would clash with Optuna's own.
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        environment.run_migrations()


def _revision(connection: Connection) -> str | None:
    """Our revision; None in a database without our tables."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


@contextmanager
def _alone(transactions: Transactions, file: Path | None) -> Iterator[None]:
    """Hold a lock that every process takes before it makes tables."""
    if file is None:
        with transactions.read() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _ADVISORY_LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": _ADVISORY_LOCK})
        return
    try:
        lock = file.with_name(f"{file.name}.lock").open("w")
    except OSError as error:
        raise StorageUnavailable(f"the database {file} cannot be opened: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(source: Path, target: Path) -> None:
    """Copy a SQLite database as it stands, with what is still in its write-ahead log."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    target.chmod(0o600)
