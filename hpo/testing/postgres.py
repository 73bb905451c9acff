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
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

_KEPT = {"alembic_version", "hpo_alembic_version", "version_info"}


@contextmanager
def postgres_server() -> Iterator[str | None]:
    """The URL of a database that tests may empty: HPO_TEST_POSTGRES, or on a server that lives as long as this;
    None on a machine without the binaries."""
    given = os.environ.get("HPO_TEST_POSTGRES")
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if given or initdb is None or pg_ctl is None:
        yield given
        return
    with tempfile.TemporaryDirectory() as parent:
        folder, port = Path(parent) / "data", _free_port()
        os.chmod(parent, 0o777)  # the server's own user makes its folder in it
        _as_server(initdb, "-D", str(folder), "-U", "hpo", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {parent} -c fsync=off"
        _as_server(pg_ctl, "-D", str(folder), "-w", "-l", f"{parent}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://hpo@127.0.0.1:{port}/postgres"
        finally:
            _as_server(pg_ctl, "-D", str(folder), "-m", "immediate", "stop")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _as_server(*command: str) -> None:
    """Run a command of the server's; it refuses to run as root."""
    user = "postgres" if getpass.getuser() == "root" else None
    subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)


def empty(url: str) -> None:
    """Delete all rows of a database, whatever a test left."""
    engine = create_engine(url)
    with engine.begin() as connection:
        tables = set(inspect(connection).get_table_names()) - _KEPT
        if tables:
            connection.execute(text(f"TRUNCATE {', '.join(sorted(tables))} RESTART IDENTITY"))
    engine.dispose()
