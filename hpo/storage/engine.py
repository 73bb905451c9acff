"""Connections and transactions: SQLite's settings, the database's clock, and errors in one sentence."""

from __future__ import annotations

import math
import select
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Float, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.functions import FunctionElement

from hpo.errors import HpoError, SpecError, StorageFull, StorageUnavailable

_TRUSTED_S = 10.0  # for so long a connection that nobody uses is taken to be alive
BUSY_TIMEOUT_S = 10.0  # nothing is heard meanwhile, not even Ctrl-C; coordinators try again for longer
CONNECT_TIMEOUT = "connect_timeout"  # of PostgreSQL's URLs, in seconds
CONNECT_TIMEOUT_S = 10
SILENT_S = 15  # of a client or a server that is gone; as long as a lease, of which more would be no use
_WRITE = "hpo_write"


class database_now(FunctionElement[float]):  # noqa: N801 - reads like a function in a query
    """Seconds since 1970 by the database's clock: the only clock that all processes share."""

    type = Float(53)
    inherit_cache = True
    name = "database_now"


@compiles(database_now, "sqlite")
def _now_on_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _now_on_postgresql(*_: Any, **__: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def utc(seconds: float) -> datetime:
    """Seconds since 1970 as the tables keep a time: UTC without a zone."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def aware(time: datetime | None) -> datetime | None:
    """A time of the tables with its zone."""
    return None if time is None else time.replace(tzinfo=UTC)


class Transactions:
    """Hands out connections inside a transaction of their own, and turns driver errors into ours."""

    def __init__(self, engine: Engine, place: str, file: Path | None = None) -> None:
        self.engine = engine
        self.place = place
        self._file = file
        self._turn = threading.RLock()  # of this process's writers into a SQLite file
        self._writer = engine.execution_options(**{_WRITE: True})
        # PostgreSQL would give each statement a snapshot of its own anyway; BEGIN and COMMIT are two round trips.
        at_once = engine.dialect.name == "postgresql"
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT") if at_once else engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """On SQLite one snapshot, on PostgreSQL one a statement.

        Raises StorageUnavailable, SpecError when the database's URL asks for what there is not.
        """
        with self._errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing; on SQLite no other writer runs meanwhile. Raises StorageUnavailable, StorageFull."""
        with self._errors(), self._in_turn(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Have the threads of this process write into a SQLite file one after another.

        SQLite has whoever finds a lock look again after a while: of fifty, some look in vain until their time is over.
        """
        if self.engine.dialect.name != "sqlite":
            yield
            return
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise StorageUnavailable(
                f"the database {self.place} is busy: other writes have taken {BUSY_TIMEOUT_S:.0f} s; "
                "nothing is lost, try again"
            )
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        # SQLite goes on writing into a file that was deleted: nobody would ever see those rows.
        if self._file is not None and not self._file.exists():
            raise StorageUnavailable(f"the database {self.place} is gone")
        try:
            yield
        except (IntegrityError, ProgrammingError, DataError) as error:
            if error.statement is not None:
                raise  # a clash that the caller knows about, or a mistake of ours: not the database's fault
            said = " ".join(
                str(error.orig).split()
            )  # before there was a connection: of what the URL asks for
            raise SpecError(
                f"the database {self.place} cannot be used: {said}", field="HPO_STORAGE"
            ) from error
        except (DBAPIError, PoolTimeout) as error:
            raise translated(error, self.place) from error

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


# (words of the driver, class, sentence): the first whose words occur in the error counts.
_MEANINGS: tuple[tuple[str, type[HpoError], str], ...] = (
    (
        "database or disk is full",
        StorageFull,
        "the disk of the database {place} is full; free some space",
    ),
    (
        "no space left on device",
        StorageFull,
        "the disk of the database {place} is full; free some space",
    ),
    (
        "is locked",
        StorageUnavailable,
        "the database {place} is locked by another process; nothing is lost, try again",
    ),
    ("unable to open", StorageUnavailable, "the database {place} cannot be opened"),
    ("disk i/o error", StorageUnavailable, "the disk of the database {place} reports an input/output error"),
    ("readonly", StorageUnavailable, "the database {place} cannot be written to: it is read-only"),
    ("not a database", StorageUnavailable, "{place} is not a database; name another file in HPO_STORAGE"),
    ("malformed", StorageUnavailable, "the database {place} is damaged; restore it from a backup"),
    ("no such table", StorageUnavailable, "the database {place} has lost its tables"),
)


def translated(error: Exception, place: str) -> HpoError:
    """One sentence of ours for what a driver said."""
    cause = getattr(error, "orig", None) or error
    words = " ".join(str(cause).split())
    for sign, kind, sentence in _MEANINGS:
        if sign in words.lower():
            return kind(sentence.format(place=place))
    return StorageUnavailable(f"the database {place} cannot be used now: {words}")


def sqlite_engine(file: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """An engine for a SQLite file that exists: WAL, waits for locks, writers one after another."""

    def connect() -> sqlite3.Connection:
        # mode=rw: a file that has been removed is an error, not a new, empty database.
        return sqlite3.connect(
            f"file:{quote(str(file))}?mode=rw",
            uri=True,
            timeout=busy_timeout_s,
            check_same_thread=False,
            isolation_level=None,  # transactions begin where we say so, below
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=5, max_overflow=20)

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that turns writer cannot wait for a lock: SQLite refuses it at once.
        writes = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def server_engine(url: URL, *, silent_s: int = SILENT_S) -> Engine:
    """An engine for a database server. Raises StorageUnavailable when its driver is not installed.

    silent_s: for how long either side waits for one that is silent, and the server for a client that holds locks
    """
    # The driver itself waits 130 s for a host that cannot be reached, and hours for one that is not there any more.
    wanted = {
        CONNECT_TIMEOUT: CONNECT_TIMEOUT_S,
        **_keepalives(silent_s),
        "tcp_user_timeout": 1000 * silent_s,
    }
    given = {name: value for name, value in wanted.items() if name not in url.query}
    try:
        engine = create_engine(url, connect_args=given, pool_size=5, max_overflow=20)
    except ImportError as error:
        raise StorageUnavailable(
            f"the driver of {url.get_backend_name()} is not installed: pip install 'hpo[postgres]'"
        ) from error
    _outlive_clients(engine, silent_s)
    _ask_whether_alive(engine)
    return engine


def _keepalives(silent_s: int) -> dict[str, int]:
    """When to ask a silent connection whether it lives, how often, and how many times."""
    pause_s = max(1, silent_s // 5)
    return {"keepalives_idle": 2 * pause_s, "keepalives_interval": pause_s, "keepalives_count": 3}


def _outlive_clients(engine: Engine, silent_s: int) -> None:
    """Have the server end a connection whose client is cut off or frozen: its locks would keep all others waiting."""
    settings = {f"tcp_{name}": f"{value}" for name, value in _keepalives(silent_s).items()}
    for name in ("tcp_user_timeout", "idle_in_transaction_session_timeout"):
        settings[name] = f"'{silent_s} s'"
    words = "; ".join(f"SET {name} = {value}" for name, value in settings.items())

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.execute(words)
        connection.commit()


def _ask_whether_alive(engine: Engine) -> None:
    """Ping a connection that comes from the pool if it may be dead; SQLAlchemy's `pool_pre_ping` always does.

    Of an idle connection nothing is to be read, but for its end; and who cuts it without a word waits for minutes.
    """
    dialect = engine.dialect

    @event.listens_for(engine, "checkin")
    def _rests(_connection: Any, record: Any) -> None:
        record.info["since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _is_used(connection: Any, record: Any, _proxy: Any) -> None:
        rested_s = time.monotonic() - record.info.get("since", math.inf)
        try:
            if rested_s > _TRUSTED_S or _has_something_to_say(connection):
                dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("the server has ended this connection") from error


def _has_something_to_say(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
