"""Which version of tables stands in a database."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text


def version_of(connection: Connection, table: str) -> str | None:
    """What a version table says; None without one."""
    if not inspect(connection).has_table(table):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {table}")).scalar()
    return None if found is None else str(found)
