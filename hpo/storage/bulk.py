"""Write very many small rows: one statement compiled once, rows as tuples straight to the driver.

Steps are twenty rows a trial; SQLAlchemy's work on each row's parameters would cost more than the database's. PostgreSQL is
given an array for each column: a message there and back for each row would take several times as long, and so would arrays
that are spelt out as text (json 8.1 µs a value, as binary 2.0; a block of bytes 662 and 0.4: psycopg 3.3).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    Float,
    Table,
    TableValuedAlias,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
Rows = Sequence[tuple[Any, ...]]
Bind = Callable[[Any], Any]


class Bulk(ABC):
    """A statement for many rows. columns: what each of them has, in this order"""

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self._table = table
        self._columns = columns
        self._compiled: dict[str, tuple[str, list[Bind | None]]] = {}

    def __call__(self, connection: Connection, rows: Rows) -> None:
        """Carry it out for rows, each a tuple in the order of the columns."""
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            binds = [_bind(self._type(name), dialect) for name in self._columns]
            self._compiled[dialect.name] = self._compile(dialect), binds
        words, binds = self._compiled[dialect.name]
        if dialect.name == "postgresql":
            columns = _bound(rows, binds)
            connection.exec_driver_sql(words, dict(zip(self._columns, columns, strict=True)))
        else:
            tuples = zip(*_bound(rows, binds), strict=True) if any(binds) else rows
            connection.exec_driver_sql(words, list(tuples))

    @abstractmethod
    def _for_a_row(self, dialect: Dialect) -> Any:
        """The statement whose parameters are a row's."""

    @abstractmethod
    def _from(self, rows: TableValuedAlias, dialect: Dialect) -> Any:
        """The statement that takes all of the rows."""

    def _type(self, name: str) -> TypeEngine[Any]:
        return self._table.c[name].type

    def _compile(self, dialect: Dialect) -> str:
        """The statement in the driver's words: it takes a tuple for each row, PostgreSQL's an array for each column."""
        if dialect.name == "postgresql":
            arrays = [bindparam(name, type_=ARRAY(self._type(name))) for name in self._columns]
            rows = func.unnest(*arrays).table_valued(*self._columns).render_derived()
            words = str(self._from(rows, dialect).compile(dialect=dialect))
            for name in self._columns:
                words = words.replace(f"%({name})s", f"%({name})b")  # binary, see above
            return words
        compiled = self._for_a_row(dialect).compile(dialect=dialect)
        if compiled.positional and tuple(compiled.positiontup) != self._columns:
            raise ValueError(f"columns must stand in the order of {compiled.positiontup}")
        return str(compiled)


class BulkInsert(Bulk):
    """INSERT INTO table (columns) VALUES …; where `conflict` columns clash, the other columns are replaced.

    columns: in the table's order; no two rows may have the same `conflict` columns
    """

    def __init__(self, table: Table, columns: tuple[str, ...], conflict: tuple[str, ...] = ()) -> None:
        super().__init__(table, columns)
        self._conflict = conflict

    def _for_a_row(self, dialect: Dialect) -> Any:
        values: dict[str, Any] = {name: bindparam(name) for name in self._columns}
        return self._replacing(_INSERTS[dialect.name](self._table).values(values).inline())

    def _from(self, rows: TableValuedAlias, dialect: Dialect) -> Any:
        chosen = select(*[rows.c[name] for name in self._columns])
        return self._replacing(_INSERTS[dialect.name](self._table).from_select(self._columns, chosen))

    def _replacing(self, statement: Any) -> Any:
        if not self._conflict:
            return statement
        others = {name: statement.excluded[name] for name in self._columns if name not in self._conflict}
        return statement.on_conflict_do_update(index_elements=list(self._conflict), set_=others)


class BulkUpdate(Bulk):
    """UPDATE table SET columns … WHERE keys …: the row of each tuple's keys gets its other values.

    columns: in the table's order; keys: columns, too, which come after the others in each tuple
    """

    def __init__(self, table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> None:
        super().__init__(table, columns + keys)
        self._set, self._keys = columns, keys

    def _for_a_row(self, dialect: Dialect) -> Any:
        keys = [self._table.c[name] == bindparam(name) for name in self._keys]
        return update(self._table).where(*keys).values({n: bindparam(n) for n in self._set})

    def _from(self, rows: TableValuedAlias, dialect: Dialect) -> Any:
        keys = [self._table.c[name] == rows.c[name] for name in self._keys]
        return update(self._table).where(*keys).values({n: rows.c[n] for n in self._set})


def _bind(of: TypeEngine[Any], dialect: Dialect) -> Bind | None:
    """What makes a value of a column the driver's; None where it is already."""
    if dialect.name == "postgresql" and isinstance(of, Float):
        return _float  # an array has values of one type
    return of.dialect_impl(dialect).bind_processor(dialect)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _bound(rows: Rows, binds: Sequence[Bind | None]) -> list[list[Any]]:
    """The columns of the rows as the driver takes them."""
    return [
        list(column) if bind is None else [bind(value) for value in column]
        for bind, column in zip(binds, zip(*rows, strict=True), strict=True)
    ]
