"""Reading trials: everything comes from the narrow table and its indexes, at the same cost at any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Select, func, select

from hpo.errors import SpecError, TrialNotFound
from hpo.states import TrialState
from hpo.storage import studies as study_rows
from hpo.storage.base import TrialQuery
from hpo.storage.records import curve_of, trial_of
from hpo.storage.tables import curves, studies, trials
from hpo.study import Direction
from hpo.trial import Curve, Trial


def page(connection: Connection, name: str, query: TrialQuery) -> list[Trial]:
    """A page of trials. Raises StudyNotFound, SpecError for another order than those there are."""
    wanted = select(trials).where(trials.c.study_id == study_rows.study_id(connection, name))
    if query.states:
        wanted = wanted.where(trials.c.state.in_(query.states))
    if query.sort not in _ORDERS:
        raise SpecError(f"trials are sorted by {', '.join(_ORDERS)}; got {query.sort!r}", field="sort")
    return [trial_of(row) for row in _ORDERS[query.sort](connection, wanted, query)]


def _by_number(connection: Connection, wanted: Select[Any], query: TrialQuery) -> list[Any]:
    """Rows by number."""
    down = query.sort.startswith("-")
    ordered = wanted.order_by(trials.c.number.desc() if down else trials.c.number)
    return list(connection.execute(ordered.limit(query.limit).offset(query.offset)))


def _by_value(connection: Connection, wanted: Select[Any], query: TrialQuery) -> list[Any]:
    """Rows by value, ties by number, those without a value last.

    Two queries, since one that sorts nulls last on both databases walks the index on neither.
    """
    down = query.sort.startswith("-")
    valued = wanted.where(trials.c.value.is_not(None))
    ordered = valued.order_by(trials.c.value.desc() if down else trials.c.value, trials.c.number)
    rows = list(connection.execute(ordered.limit(query.limit).offset(query.offset)))
    left = None if query.limit is None else query.limit - len(rows)
    if left == 0:
        return rows
    skip = query.offset
    if skip:
        n_valued = connection.execute(select(func.count()).select_from(valued.subquery())).scalar_one()
        skip = max(0, skip - n_valued)
    unvalued = wanted.where(trials.c.value.is_(None)).order_by(trials.c.number)
    return rows + list(connection.execute(unvalued.limit(left).offset(skip)))


_ORDERS: dict[str, Callable[[Connection, Select[Any], TrialQuery], list[Any]]] = {
    "number": _by_number,
    "-number": _by_number,
    "value": _by_value,
    "-value": _by_value,
}


def best(connection: Connection, name: str, n: int) -> list[Trial]:
    """The best COMPLETE trials, ties to the lowest number. Raises StudyNotFound."""
    id_ = study_rows.study_id(connection, name)
    direction = connection.execute(select(studies.c.direction).where(studies.c.study_id == id_)).scalar_one()
    value = trials.c.value if direction == Direction.MINIMIZE else trials.c.value.desc()
    wanted = (
        select(trials)
        .where(trials.c.study_id == id_, trials.c.value.is_not(None))
        .where(trials.c.state == TrialState.COMPLETE)
        .order_by(value, trials.c.number)
        .limit(n)
    )
    return [trial_of(row) for row in connection.execute(wanted)]


def one(connection: Connection, name: str, number: int) -> Trial:
    """One trial. Raises StudyNotFound, TrialNotFound."""
    id_ = study_rows.study_id(connection, name)
    wanted = select(trials).where(trials.c.study_id == id_, trials.c.number == number)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise TrialNotFound(f"study {name!r} has no trial {number}")
    return trial_of(row)


def running(connection: Connection, name: str) -> list[Trial]:
    """The RUNNING trials by number. Raises StudyNotFound."""
    return page(connection, name, TrialQuery(states=(TrialState.RUNNING,)))


def curve(connection: Connection, name: str, number: int) -> Curve | None:
    """The curve of a finished trial. Raises StudyNotFound, TrialNotFound."""
    one(connection, name, number)
    id_ = study_rows.study_id(connection, name)
    wanted = select(curves).where(curves.c.study_id == id_, curves.c.number == number)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else curve_of(row)
