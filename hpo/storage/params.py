"""A trial's parameter as SQL: its kind, and what it compares as, read from the JSON of its row.

Both databases answer alike: numbers compare as numbers whether whole or not, booleans with booleans, text by
code points; what is of another kind never compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, Text, and_, case, cast, false, func, literal, select
from sqlalchemy.dialects import postgresql

from hpo.space import Value
from hpo.storage.ordering import number_of, words_of
from hpo.storage.tables import trials

_NO_PATH = re.compile(r'["\\\x00-\x1f]')  # what a JSON path of SQLite has no way to write
Expression = ColumnElement[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter of the trials in a query.

    kind: of its JSON value, null where a trial has none; booleans, numbers, texts, nothing: the names of its kinds
    number: a boolean as 0 or 1; number and text are null, or of no account, where it is of another kind
    """

    kind: Expression
    booleans: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    number: Expression
    text: Expression

    def compared(self, operator: Callable[[Any, Any], Any], value: Value) -> Expression:
        """Whether it is of the value's kind and compares so with it; never null where a trial has it."""
        number, words = number_of(value), words_of(value)
        if isinstance(value, bool):
            kinds, compares = self.booleans, operator(self.number, literal(float(value), Float(53)))
        elif number is not None:
            kinds, compares = self.numbers, operator(self.number, literal(number, Float(53)))
        elif words is not None:
            kinds, compares = self.texts, operator(self.text, literal(words, Text))
        else:
            return false()
        return and_(self.kind.in_(kinds), compares)


def _in_sqlite(name: str) -> Param:
    if _NO_PATH.search(name):
        entries = func.json_each(trials.c.params).table_valued("key", "value", "type")
        mine = entries.c.key == name
        kind: Expression = select(entries.c.type).where(mine).scalar_subquery()
        value: Expression = select(entries.c.value).where(mine).scalar_subquery()
    else:
        path = f'$."{name}"'
        kind, value = func.json_type(trials.c.params, path), func.json_extract(trials.c.params, path)
    return Param(
        kind=kind,
        booleans=("true", "false"),
        numbers=("integer", "real"),
        texts=("text",),
        number=value,
        text=value,
    )


def _in_postgresql(name: str) -> Param:
    document = cast(trials.c.params, postgresql.JSON)
    kind = func.json_typeof(document.op("->")(literal(name, Text)))
    text = document.op("->>", return_type=Text())(literal(name, Text))
    number = case(
        (kind == "number", cast(text, Float(53))), (kind == "boolean", cast(text == "true", Integer))
    )
    words = case((kind == "string", text)).collate("C")
    return Param(
        kind=kind,
        booleans=("boolean",),
        numbers=("number",),
        texts=("string",),
        number=number,
        text=words,
    )


_DIALECTS: dict[str, Callable[[str], Param]] = {"sqlite": _in_sqlite, "postgresql": _in_postgresql}


def param(dialect: str, name: str) -> Param:
    """The parameter of that name, in a database's words."""
    return _DIALECTS[dialect](name)
