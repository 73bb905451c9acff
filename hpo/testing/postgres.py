"""A PostgreSQL server of the tests' own, from the machine's binaries, and a way to empty its database."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

_KEPT = {"alembic_version", "hpo_alembic_version", "version_info"}
_COUNT_ANEW = (
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) "
    "FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
)


@contextmanager
def postgres_server() -> Iterator[str | None]:
    """The URL of a database that tests may empty: HPO_TEST_POSTGRES, or on a server that lives as long as this;
    None on a machine without the binaries."""
    given = os.environ.get("HPO_TEST_POSTGRES")
    if given or not has_postgres():
        yield given
        return
    with own_server() as server:
        yield server.url


def has_postgres() -> bool:
    """Whether this machine has the server's binaries."""
    return shutil.which("initdb") is not None and shutil.which("pg_ctl") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServer:
    """A server that a test may stop and start as it likes."""

    url: str
    folder: Path
    port: int

    def start(self) -> None:
        """Start it, and wait until it answers."""
        parent = self.folder.parent
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {parent} -c fsync=off"
        _as_server("pg_ctl", "-D", str(self.folder), "-w", "-l", f"{parent}/log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        _as_server("pg_ctl", "-D", str(self.folder), "-m", "immediate", "-w", "stop")


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A running server with an empty database; stopped at the end, unless the test has done so."""
    with tempfile.TemporaryDirectory() as parent:
        folder, port = Path(parent) / "data", _free_port()
        os.chmod(parent, 0o777)  # the server's own user makes its folder in it
        _as_server("initdb", "-D", str(folder), "-U", "hpo", "--auth=trust", "-E", "UTF8", "--no-sync")
        url = f"postgresql+psycopg://hpo@127.0.0.1:{port}/postgres"
        server = OwnServer(url=url, folder=folder, port=port)
        server.start()
        try:
            yield server
        finally:
            if (folder / "postmaster.pid").exists():
                server.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _as_server(*command: str) -> None:
    """Run a command of the server's; it refuses to run as root."""
    user = "postgres" if getpass.getuser() == "root" else None
    subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)


def empty(url: str) -> None:
    """Delete all rows of a database, whatever a test left, and count from 1 again."""
    engine = create_engine(url)
    with engine.begin() as connection:
        tables = sorted(set(inspect(connection).get_table_names()) - _KEPT)
        if tables:
            # Rows may point at each other until a statement ends. TRUNCATE would make every file anew: 0.03 s more.
            deleting = ", ".join(f"_{table} AS (DELETE FROM {table})" for table in tables)
            connection.execute(text(f"WITH {deleting} {_COUNT_ANEW}"))
    engine.dispose()
