"""Insert very many small rows: one statement compiled once, rows as tuples straight to the driver.

Steps are twenty rows a trial; SQLAlchemy's work on each row's parameters would cost more than the
database's. So only for columns that every driver takes as they are: numbers, text, None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite

_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class BulkInsert:
    """INSERT INTO table (columns) VALUES …; where `conflict` columns clash, the other columns are replaced.

    columns: in the table's order
    """

    def __init__(self, table: Table, columns: tuple[str, ...], conflict: tuple[str, ...] = ()) -> None:
        self._table = table
        self._columns = columns
        self._conflict = conflict
        self._compiled: dict[str, tuple[str, bool]] = {}

    def __call__(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each a tuple in the order of the columns."""
        if not rows:
            return
        dialect = connection.dialect.name
        if dialect not in self._compiled:
            self._compiled[dialect] = self._compile(connection)
        statement, positional = self._compiled[dialect]
        if positional:
            connection.exec_driver_sql(statement, list(rows))
        else:
            connection.exec_driver_sql(
                statement, [dict(zip(self._columns, row, strict=True)) for row in rows]
            )

    def _compile(self, connection: Connection) -> tuple[str, bool]:
        """The statement in the driver's words, and whether it takes tuples (or else dictionaries)."""
        statement = _INSERTS[connection.dialect.name](self._table)
        statement = statement.values({name: bindparam(name) for name in self._columns}).inline()
        if self._conflict:
            others = [name for name in self._columns if name not in self._conflict]
            statement = statement.on_conflict_do_update(
                index_elements=list(self._conflict),
                set_={name: statement.excluded[name] for name in others},
            )
        compiled = statement.compile(dialect=connection.dialect)
        if compiled.positional and tuple(compiled.positiontup) != self._columns:
            raise ValueError(f"columns must stand in the order of {self._table.name}")
        return str(compiled), bool(compiled.positional)
