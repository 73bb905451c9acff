"""Open a storage by its URL: make or upgrade what must be made, refuse what must not be touched."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hpo.errors import SpecError, StorageUnavailable, StorageVersion
from hpo.storage import optuna_tables as optuna
from hpo.storage.base import Storage
from hpo.storage.database import Database
from hpo.storage.engine import BUSY_TIMEOUT_S, Transactions, server_engine, sqlite_engine
from hpo.storage.tables import REVISIONS, VERSION_TABLE
from hpo.storage.versions import version_of

log = logging.getLogger(__name__)

SQLITE_MAGIC = b"SQLite format 3\0"  # how a SQLite file begins
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs")


def open_storage(url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S, upgrade: bool | None = None) -> Storage:
    """The storage at a URL: sqlite:///FILE, postgresql+psycopg://…, or memory:// for a new one in memory.

    A missing SQLite file and missing tables are made. upgrade: bring an older database up to date;
    None: SQLite yes (after a copy), a server no. busy_timeout_s: how long SQLite waits for a lock.
    Raises SpecError for a URL of another kind, StorageUnavailable, StorageVersion.
    """
    if url == "memory://":
        # It keeps NumPy's columns, which no command that opens a file needs.
        memory: Storage = importlib.import_module("hpo.storage.memory").Memory()
        return memory
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        file = _sqlite_file(parsed)
        parsed = parsed.set(database=str(file))
        transactions = Transactions(sqlite_engine(file, busy_timeout_s), str(file), file)
    else:
        file = None
        transactions = Transactions(server_engine(parsed), parsed.render_as_string(hide_password=True))
    if not _is_current(transactions, file):
        # Optuna and Alembic take 0.7 s to import, and only a database that is not current needs them.
        schema = importlib.import_module("hpo.storage.schema")
        older = schema.bring_up_to_date(
            transactions, parsed, file, upgrade=file is not None if upgrade is None else upgrade
        )
        if upgrade is None and file is not None and older is not None:  # nobody has asked for it
            copy = schema.copy_of(file, older)
            log.warning(
                "%s was upgraded from revision %s to %s; %s is as it was", file, older, REVISIONS[-1], copy
            )
    return Database(transactions)


def address_of(url: str) -> str:
    """A database's URL, password included, as SQLAlchemy and Optuna take it. Raises SpecError."""
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        parsed = parsed.set(database=str(_sqlite_file(parsed)))
    return parsed.render_as_string(hide_password=False)


def parse(url: str) -> URL:
    """A database's URL as SQLAlchemy has it. Raises SpecError unless it is of a kind hpo knows."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SpecError(f"{url!r} is not a database URL; try sqlite:///FILE", field="HPO_STORAGE") from error
    if parsed.drivername not in DRIVERS:
        raise SpecError(
            f"must begin with sqlite:/// or postgresql+psycopg://, got {parsed.drivername}://",
            field="HPO_STORAGE",
        )
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _sqlite_file(url: URL) -> Path:
    """The file of a SQLite URL, made with its folder if missing. Raises SpecError, StorageUnavailable."""
    if url.database in (None, "", ":memory:"):
        raise SpecError("needs a file: sqlite:///FILE, or memory://", field="HPO_STORAGE")
    file = Path(str(url.database)).expanduser().absolute()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_network(file, Path("/proc/mounts"))
        # Owner only, from the first moment: SQLite itself would make the file readable by all.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        with file.open("rb") as content:
            begin = content.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise StorageUnavailable(f"the database {file} cannot be opened: {error.strerror}") from error
    if begin not in (b"", SQLITE_MAGIC):  # SQLite itself would overwrite a short file
        raise StorageUnavailable(f"{file} is not a database; name another file in HPO_STORAGE")
    return file


def refuse_network(file: Path, mounts: Path) -> None:
    """Raises StorageUnavailable when a file lies on a network file system, where SQLite's locks fail.

    mounts: the kernel's table of mounts; a machine that has none is not asked
    """
    if not mounts.exists():
        return
    kinds = {}
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, kind, *_ = line.split(" ")
        kinds[point.replace("\\040", " ")] = kind
    where = file.resolve()
    kind = next((kinds[str(folder)] for folder in where.parents if str(folder) in kinds), "")
    if kind in NETWORK_FILE_SYSTEMS:
        raise StorageUnavailable(
            f"{file} lies on a network file system ({kind}), where SQLite loses data; "
            "set HPO_STORAGE to a local file or to a PostgreSQL database"
        )


def _is_current(transactions: Transactions, file: Path | None) -> bool:
    """Whether nothing has to be made or upgraded. Raises StorageVersion for a newer or unknown one, StorageUnavailable."""
    with transactions.read() as connection:
        ours, theirs = version_of(connection, VERSION_TABLE), version_of(connection, optuna.VERSION_TABLE)
    if ours is not None and ours not in REVISIONS:
        raise StorageVersion(
            f"the database {transactions.place} was written by a newer hpo (revision {ours}, this one knows "
            f"{REVISIONS[-1]}); upgrade hpo"
        )
    if theirs is not None and theirs not in optuna.KNOWN_VERSIONS:
        raise StorageVersion(
            f"the Optuna tables in {transactions.place} are of version {theirs}, this hpo knows "
            f"{', '.join(optuna.KNOWN_VERSIONS)}; name another database in HPO_STORAGE"
        )
    if file is not None and ours is None and theirs is None:
        _refuse_foreign(transactions)
    return ours == REVISIONS[-1] and theirs is not None


def _refuse_foreign(transactions: Transactions) -> None:
    """Raises StorageUnavailable for a file in which there are tables, but not one is Optuna's or ours."""
    with transactions.read() as connection:
        tables = sorted(inspect(connection).get_table_names())
    # Another process may be making the tables just now; those of studies are the first.
    if tables and not {"studies", "version_info"} & set(tables):
        raise StorageUnavailable(
            f"the database {transactions.place} belongs to another program (it has a table {tables[0]!r}); "
            "name another file in HPO_STORAGE"
        )
