"""Insert very many small rows: one statement compiled once, rows as tuples straight to the driver.

Steps are twenty rows a trial; SQLAlchemy's work on each row's parameters would cost more than the
database's. So only for columns that every driver takes as they are: numbers, text, None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, Float, Table, bindparam, func, select
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
        self._compiled: dict[str, str] = {}

    def __call__(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each a tuple in the order of the columns; no two with the same `conflict` columns."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            # A message there and back for each row would take several times as long.
            connection.exec_driver_sql(self._statement(connection), self._arrays(rows))
        else:
            connection.exec_driver_sql(self._statement(connection), list(rows))

    def _arrays(self, rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
        """The rows' columns by name; of one type each, as the driver wants a list."""
        columns = dict(zip(self._columns, map(list, zip(*rows, strict=True)), strict=True))
        for name, values in columns.items():
            if isinstance(self._table.c[name].type, Float):
                columns[name] = [None if value is None else float(value) for value in values]
        return columns

    def _statement(self, connection: Connection) -> str:
        """The statement in the driver's words: it takes a tuple for each row, PostgreSQL's an array for each column."""
        dialect = connection.dialect.name
        if dialect not in self._compiled:
            self._compiled[dialect] = self._compile(connection)
        return self._compiled[dialect]

    def _compile(self, connection: Connection) -> str:
        statement = _INSERTS[connection.dialect.name](self._table)
        if connection.dialect.name == "postgresql":
            arrays = [bindparam(name, type_=ARRAY(self._table.c[name].type)) for name in self._columns]
            rows = func.unnest(*arrays).table_valued(*self._columns).render_derived()
            statement = statement.from_select(
                self._columns, select(*[rows.c[name] for name in self._columns])
            )
        else:
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
        return str(compiled)
