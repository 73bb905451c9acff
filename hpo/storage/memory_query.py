"""Questions for trials of the in-memory storage: the same answers as from a database."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any

from hpo.storage.base import Condition, TrialQuery
from hpo.storage.ordering import (
    NOTHING,
    SortKey,
    after_of,
    condition_param,
    number_of,
    order_of,
    sort_key,
    time_of,
    words_of,
)
from hpo.trial import Trial

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KINDS = ("null", "boolean", "number", "text")
_MISSING = object()
_EMPTY: dict[str, Any] = {"params": {}, "facts": {}, "lineage": ()}


def page(trials: Iterable[Trial], query: TrialQuery) -> list[Trial]:
    """A page of trials. Raises SpecError for a name that trials are not sorted or filtered by."""
    order = order_of(query.sort)
    conditions = [(condition_param(condition), condition) for condition in query.where]
    found = [
        trial
        for trial in trials
        if (not query.states or trial.state in query.states)
        and all(_meets(trial, param, condition) for param, condition in conditions)
    ]
    keyed = {trial.number: sort_key(after_of(trial, query.sort).key) for trial in found}
    found.sort(key=lambda trial: trial.number)
    valued = [trial for trial in found if keyed[trial.number] != NOTHING]
    # A sort is stable, the other way round as well: ties stay by number.
    valued.sort(key=lambda trial: keyed[trial.number], reverse=order.down)
    ordered = valued + [trial for trial in found if keyed[trial.number] == NOTHING]
    if query.after is not None:
        at, last = sort_key(query.after.key), query.after.number
        ordered = [t for t in ordered if _behind(keyed[t.number], t.number, at, last, down=order.down)]
    end = None if query.limit is None else query.offset + query.limit
    found = ordered[query.offset : end]
    blank = {name: _EMPTY[name] for name in query.unread}
    return [trial._replace(**blank) for trial in found] if blank else found


def _behind(key: SortKey, number: int, at: SortKey, last: int, *, down: bool) -> bool:
    """Whether a trial comes after the one whose key is `at` and whose number is `last`."""
    if NOTHING in (key, at):
        return key == NOTHING and (at != NOTHING or number > last)
    return bool(key < at if down else key > at) or (key == at and number > last)


def _meets(trial: Trial, param: str | None, condition: Condition) -> bool:
    """Whether a trial meets a condition."""
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    has = _value_of(trial, param, condition.name)
    if condition.name == "finished_at":
        values = tuple(time_of(value) for value in values)  # type: ignore[misc]
    if condition.op == "in":
        return any(_compares(has, "=", value) for value in values)
    if condition.op == "!=":
        there = has is not _MISSING if param is not None else has is not None
        return there and not _compares(has, "=", values[0])
    return _compares(has, condition.op, values[0])


def _value_of(trial: Trial, param: str | None, name: str) -> Any:
    if param is not None:
        return trial.params.get(param, _MISSING)
    if name == "finished_at":
        moment = trial.finished_at
        return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
    return after_of(trial, name).key


def _compares(has: Any, op: str, value: Any) -> bool:
    """Whether the two are of one kind and compare so."""
    if has is _MISSING or _kind(has) != _kind(value):
        return False
    if has is None:
        return op == "="
    if isinstance(value, str) and words_of(value) is None:
        return False
    if _kind(has) == "number":
        return bool(_OPERATORS[op](number_of(has), number_of(value)))
    return bool(_OPERATORS[op](has, value))


def _kind(value: Any) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "text"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)
