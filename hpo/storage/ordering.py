"""What trials are filtered and sorted by, in whichever storage: names, orders, where a page ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hpo.errors import SpecError
from hpo.space import Value
from hpo.storage.base import After, Condition
from hpo.storage.rules import finite
from hpo.trial import Trial

NAMES = ("number", "value", "finished_at", "epochs")
PARAM = "params."  # and the name of a parameter
SORTED_TEXT = 500  # characters: an index of PostgreSQL takes 2,704 bytes
SortKey = tuple[int, float, str]
NOTHING: SortKey = (2, 0.0, "")  # behind all others, whichever way trials are sorted
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of trials: by one of NAMES, or by a parameter; down: the largest first."""

    name: str
    param: str | None = None
    down: bool = False


def order_of(sort: str) -> Order:
    """The order that words such as `-value` or `params.learning_rate` ask for. Raises SpecError.

    >>> order_of("-params.dropout")
    Order(name='params.dropout', param='dropout', down=True)
    """
    name = sort.removeprefix("-")
    return Order(name=name, param=_param_of(name, sort, "sorted", "sort"), down=name != sort)


def condition_param(condition: Condition) -> str | None:
    """The parameter that a condition is about; None for one of NAMES. Raises SpecError for another name or operator."""
    if condition.op not in OPERATORS:
        raise SpecError(f"must be one of {' '.join(OPERATORS)}, got {condition.op!r}", field="where")
    return _param_of(condition.name, condition.name, "filtered", "where")


def _param_of(name: str, said: str, done: str, field: str) -> str | None:
    if name.startswith(PARAM):
        return name.removeprefix(PARAM)
    if name not in NAMES:
        raise SpecError(f"trials are {done} by {', '.join(NAMES)} or params.NAME; got {said!r}", field=field)
    return None


def after_of(trial: Trial, sort: str) -> After:
    """Where a page ends whose last trial this is. Raises SpecError for an order that there is not."""
    order = order_of(sort)
    if order.param is not None:
        return After(key=trial.params.get(order.param), number=trial.number)
    # The order in which trials finished is that of their places, which are unique as times are not.
    keys: dict[str, Value] = {
        "number": trial.number,
        "value": finite(trial.first),
        "finished_at": trial.place,
        "epochs": trial.epochs,
    }
    return After(key=keys[order.name], number=trial.number)


def sort_key(value: Value) -> SortKey:
    """What trials are sorted by, of a parameter: numbers, booleans as 0 and 1 among them, then texts, then nothing.

    Of a text the first SORTED_TEXT characters count, and none of one that no database can hold.

    >>> sort_key(3), sort_key(True), sort_key("adam"), sort_key(None)
    ((0, 3.0, ''), (0, 1.0, ''), (1, 0.0, 'adam'), (2, 0.0, ''))
    """
    if isinstance(value, str):
        return 1, 0.0, (words_of(value) or "")[:SORTED_TEXT]
    number = float(value) if isinstance(value, bool) else number_of(value)
    return NOTHING if number is None else (0, number, "")


def number_of(value: Value) -> float | None:
    """A number to compare with, however large; None for what is none, booleans among it.

    >>> number_of(3), number_of(True), number_of("3"), number_of(-(10**400))
    (3.0, None, None, -inf)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def time_of(value: Value) -> datetime | None:
    """A time to compare with, in UTC without a zone as the tables have it; None for null. Raises SpecError.

    >>> time_of("2026-01-02T03:04:05+01:00")
    datetime.datetime(2026, 1, 2, 2, 4, 5)
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise SpecError(
            f"must be a time such as 2026-01-02T03:04:05Z, got {value!r}", field="where"
        ) from None


def words_of(value: Value) -> str | None:
    """A text to compare with; None for what is none, and for one that no database can hold.

    >>> words_of("adam"), words_of(3), words_of("a\\0b")
    ('adam', None, None)
    """
    if not isinstance(value, str) or "\0" in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value
