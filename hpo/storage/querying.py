"""Questions for trials as SQL: conditions, orders, and the page behind a given trial."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from hpo.space import Value
from hpo.storage import by_param
from hpo.storage.base import Condition, TrialQuery
from hpo.storage.ordering import Order, condition_param, number_of, order_of, time_of
from hpo.storage.params import Param, param
from hpo.storage.records import COUNTERS, TRIAL
from hpo.storage.study_keys import StudyKey, still_called
from hpo.storage.tables import studies, trials

Expression = ColumnElement[Any]
_MAX_INTEGER = 2**31
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COLUMNS: dict[str, Expression] = {
    "number": trials.c.number,
    "value": trials.c["first"],
    "finished_at": trials.c.finished_at,
    "epochs": trials.c.epochs,
}
# The order in which trials finished is that of their places: it has an index, and no ties.
_SORTED_BY = _COLUMNS | {"finished_at": trials.c.place}


@cache
def _read(unread: tuple[str, ...]) -> Select[Any]:
    """Rows of trials, with nothing in the columns that are not to be read."""
    return select(*[null().label(column.name) if column.name in unread else column for column in TRIAL])


@cache
def _next(unread: tuple[str, ...], down: bool) -> Select[Any]:
    """The question that is asked most, put together once: trials behind the one of a number."""
    number = trials.c.number
    last: BindParameter[int] = bindparam("last")
    return (
        _read(unread)
        .where(
            trials.c.study_id == bindparam("study"),
            still_called(bindparam("study"), bindparam("name")),
            number < last if down else number > last,
        )
        .order_by(number.desc() if down else number)
        .limit(bindparam("limit"))
    )


def page(connection: Connection, study: StudyKey, query: TrialQuery) -> list[Row[Any]]:
    """The rows of a page. Raises SpecError for a name that trials are not sorted or filtered by."""
    order = order_of(query.sort)
    of_all = not (query.states or query.where or query.offset) and query.limit is not None
    if of_all and order.name == "number":
        return _of_all(connection, study, query, down=order.down)
    dialect = connection.dialect.name
    wanted = _read(query.unread).where(trials.c.study_id == study.id, still_called(study.id, study.name))
    meets: list[Expression] = [trials.c.state.in_(query.states)] if query.states else []
    meets += [_tested(dialect, order, condition) for condition in query.where]
    if order.param is not None:
        rows = by_param.page(connection, wanted, meets, study.id, order, query)
        if rows or by_param.is_known(connection, study.id, order.param):
            return rows
        order = Order(name="number")  # no trial has it
    wanted = wanted.where(*meets)
    if order.name == "number":
        return _by_number(connection, wanted, order, query)
    key = _SORTED_BY[order.name]
    if dialect == "sqlite" and query.states and _are_few(connection, study.id, query):
        key = _without_index(key)
    return _by_column(connection, wanted, order, query, key)


def _tested(dialect: str, order: Order, condition: Condition) -> Expression:
    """A condition in a query. Raises SpecError.

    PostgreSQL takes one about JSON for a rare one, and would look at all trials for a page; of what CASE says
    it expects every other one to meet it.
    """
    holds = _condition(dialect, order, condition)
    return holds if condition_param(condition) is None else case((holds, true()), else_=false())


def _of_all(connection: Connection, study: StudyKey, query: TrialQuery, *, down: bool) -> list[Row[Any]]:
    before_first = _MAX_INTEGER - 1 if down else -1
    last = before_first if query.after is None else query.after.number
    its = {"study": study.id, "name": study.name, "last": last, "limit": query.limit}
    return list(connection.execute(_next(query.unread, down), its))


def _only_tested(dialect: str, order: Order, name: str) -> Expression:
    """A column in a condition. Unless trials are sorted by it, SQLite is not to go by its index.

    It would take all trials that meet the condition, tens of thousands, and sort them for a page of 100;
    walking the order's own index it meets 100 of them soon. PostgreSQL knows how many there are.
    """
    column = _COLUMNS[name]
    if dialect != "sqlite" or order.name == name:
        return column
    return _without_index(column)


def _without_index(column: Expression) -> Expression:
    """A column as SQLite looks it up in no index."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _are_few(connection: Connection, study: int, query: TrialQuery) -> bool:
    """Whether to find and sort all trials in these states is less than to walk an order's index until a page is full.

    SQLite does not know how many there are; the counters of the study do.
    """
    counted = select(*[studies.c[name] for name in COUNTERS.values()]).where(studies.c.study_id == study)
    row = connection.execute(counted).one_or_none()
    if row is None:
        return False
    n_all, n_there = sum(row), sum(getattr(row, COUNTERS[state]) for state in set(query.states))
    n_wanted = n_all if query.limit is None else query.offset + query.limit
    return bool(n_there**2 < n_wanted * n_all)  # a page's index walk meets one in n_all / n_there


def _by_number(
    connection: Connection, wanted: Select[Any], order: Order, query: TrialQuery
) -> list[Row[Any]]:
    number = trials.c.number
    if query.after is not None:
        last = query.after.number
        wanted = wanted.where(number < last if order.down else number > last)
    ordered = wanted.order_by(number.desc() if order.down else number)
    return list(connection.execute(ordered.limit(query.limit).offset(query.offset)))


def _by_column(
    connection: Connection,
    wanted: Select[Any],
    order: Order,
    query: TrialQuery,
    key: Expression,
) -> list[Row[Any]]:
    """Rows by a column, ties by number, those that have nothing there last.

    Two queries, since one that sorts nulls last on both databases walks the index on neither.
    """
    rows: list[Row[Any]] = []
    skip, after = query.offset, query.after
    at = None if after is None else number_of(after.key)
    if after is None or at is not None:
        there = wanted.where(key.is_not(None))
        if after is not None and at is not None:
            there = there.where(_behind(key, at, after.number, down=order.down))
        ordered = there.order_by(key.desc() if order.down else key.asc(), trials.c.number)
        rows = list(connection.execute(ordered.limit(query.limit).offset(skip)))
        if skip:
            n_there = connection.execute(select(func.count()).select_from(there.subquery())).scalar_one()
            skip = max(0, skip - n_there)
    left = None if query.limit is None else query.limit - len(rows)
    if left == 0:
        return rows
    nothing = wanted.where(key.is_(None))
    if after is not None and at is None:
        nothing = nothing.where(trials.c.number > after.number)
    return rows + list(connection.execute(nothing.order_by(trials.c.number).limit(left).offset(skip)))


def _behind(key: Expression, at: float, last: int, *, down: bool) -> Expression:
    """Whether a row that has a key comes after the one whose key is `at` and whose number is `last`."""
    bound = literal(at, Float(53))
    # Not `beyond or (equal and …)`: from an `or` no database sees where in the index to begin.
    at_least, beyond = (key <= bound, key < bound) if down else (key >= bound, key > bound)
    return and_(at_least, or_(beyond, trials.c.number > last))


def _condition(dialect: str, order: Order, condition: Condition) -> Expression:
    """Whether a trial meets a condition. Raises SpecError."""
    name = condition_param(condition)
    its = _only_tested(dialect, order, condition.name) if name is None else param(dialect, name)
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.op == "in":
        return _in(condition.name, its, values)
    if condition.op == "!=":
        there = (its.kind if isinstance(its, Param) else its).is_not(None)
        return and_(there, ~_compared(condition.name, its, "=", values[0]))
    return _compared(condition.name, its, condition.op, values[0])


def _in(name: str, its: Param | Expression, values: Sequence[Value]) -> Expression:
    """Whether it is one of the values. Whole numbers are one list: of a thousand comparisons SQLite makes no query."""
    if isinstance(its, Param) or name not in ("number", "epochs"):
        return or_(false(), *[_compared(name, its, "=", value) for value in values])
    whole = [value for value in values if type(value) is int and abs(value) < _MAX_INTEGER]
    others = [value for value in values if type(value) is not int or abs(value) >= _MAX_INTEGER]
    return or_(its.in_(whole), *[_compared(name, its, "=", value) for value in others])


def _compared(name: str, its: Param | Expression, op: str, value: Value) -> Expression:
    """Whether a trial's column or parameter compares so with a value; what is of another kind never does."""
    if isinstance(its, Param):
        if value is None:
            return its.kind == "null" if op == "=" else false()
        return its.compared(_OPERATORS[op], value)
    column = its
    if value is None:
        return column.is_(None) if op == "=" else false()
    if name == "finished_at":
        return and_(column.is_not(None), _OPERATORS[op](column, literal(time_of(value), column.type)))
    number = number_of(value)
    if number is None:
        return false()
    whole = isinstance(value, int) and abs(value) < _MAX_INTEGER  # then an index on whole numbers serves
    bound = literal(value) if whole and name != "value" else literal(number, Float(53))
    return and_(column.is_not(None), _OPERATORS[op](column, bound))
