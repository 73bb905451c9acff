"""Columns of a study's trials, read in narrow rows and made into arrays. Runs inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Select, bindparam, func, select

from hpo.space import Choice, Params, Searched
from hpo.storage.base_columns import CohortSpan, TrialColumns
from hpo.storage.engine import aware
from hpo.storage.reading import in_parts
from hpo.storage.study_keys import StudyKey
from hpo.storage.tables import cohorts, trials

if TYPE_CHECKING:
    from hpo.storage.base_columns import Floats, Ints

CHUNK = 10_000  # rows in memory at a time: a study may have millions
NAMED = 4_000  # of more trials than that all are read, and those that are wanted kept

_MINE = trials.c.study_id == bindparam("study")
_NARROW = [trials.c.number, trials.c.state, trials.c.feasible]
_COLUMNS = {
    several: select(*_NARROW, trials.c["values"] if several else trials.c["first"])
    .where(_MINE)
    .order_by(trials.c.number)
    for several in (False, True)
}
_PARAMS = select(trials.c.number, trials.c.params)
_NEXT_PARAMS = (
    _PARAMS.where(_MINE, trials.c.number > bindparam("last")).order_by(trials.c.number).limit(CHUNK)
)
_SPANS = (
    select(
        cohorts.c.id,
        func.count() * cohorts.c.repeats * cohorts.c.folds,
        cohorts.c.started_at,
        func.max(trials.c.finished_at),
        func.count() == func.count(trials.c.finished_at),
    )
    .join(cohorts, cohorts.c.id == trials.c.cohort)
    .where(_MINE, cohorts.c.started_at.is_not(None))
    .group_by(cohorts.c.id, cohorts.c.repeats, cohorts.c.folds, cohorts.c.started_at)
    .order_by(cohorts.c.id)
)


def of_trials(connection: Connection, study: StudyKey) -> TrialColumns:
    """Number, state and values of every trial."""
    several = study.objectives is not None
    parts = [
        (numbers, states, feasible, _several(values, len(study.directions)) if several else _one(values))
        for rows in _chunks(connection, _COLUMNS[several], study=study.id)
        for numbers, states, feasible, values in [zip(*rows, strict=True)]
    ]
    numbers, states, feasible, values = zip(*parts, strict=True) if parts else ([()], [()], [()], [_one(())])
    return TrialColumns(
        numbers=np.concatenate([np.array(part, dtype=np.int64) for part in numbers]),
        states=np.concatenate([np.array(part, dtype=np.str_) for part in states]),
        feasible=np.concatenate([np.array(part, dtype=np.bool_) for part in feasible]),
        values=np.concatenate(values).reshape(-1, len(study.directions)),
    )


def _chunks(connection: Connection, wanted: Select[Any], **values: int) -> Iterator[list[tuple[Any, ...]]]:
    """Rows as the driver gives them: SQLAlchemy's own take three times as long, and there are a hundred thousand."""
    with connection.execute(wanted, values) as result:
        cursor: Any = result.cursor
        while rows := cursor.fetchmany(CHUNK):
            yield rows


def _one(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=np.float64).reshape(-1, 1)  # NumPy makes NaN of None


def _several(texts: Sequence[str | None], n_objectives: int) -> Floats:
    """[n, objectives] of lists in JSON, all of them parsed at once: a call for each takes four times as long."""
    nothing = json.dumps([None] * n_objectives)
    found = json.loads(f"[{','.join(text or nothing for text in texts)}]")
    return np.array(found, dtype=np.float64).reshape(len(texts), n_objectives)


def of_params(
    connection: Connection, study: StudyKey, parameters: Mapping[str, Searched], numbers: Ints
) -> dict[str, Floats]:
    """The parameters of some trials as numbers; in chunks, so that it takes no more memory than its answer."""
    found = {name: np.full(len(numbers), np.nan) for name in parameters}
    if not len(numbers):
        return found
    for some, texts in _texts(connection, study, numbers):
        at = np.minimum(np.searchsorted(numbers, some), len(numbers) - 1)
        wanted = numbers[at] == some
        entries = json.loads(f"[{','.join(texts)}]")  # all at once, as above
        for name, parameter in parameters.items():
            found[name][at[wanted]] = internal(parameter, name, entries)[wanted]
    return found


def _texts(connection: Connection, study: StudyKey, numbers: Ints) -> Iterator[tuple[Ints, tuple[str, ...]]]:
    """Numbers and settings in JSON of at least these trials, a chunk at a time."""
    if len(numbers) <= NAMED:
        for part in in_parts(numbers.tolist()):
            wanted = _PARAMS.where(_MINE, trials.c.number.in_(part)).order_by(trials.c.number)
            for rows in _chunks(connection, wanted, study=study.id):
                yield _named(rows)
        return
    last = int(numbers[0]) - 1
    while last < numbers[-1]:
        rows = next(_chunks(connection, _NEXT_PARAMS, study=study.id, last=last), [])
        if not rows:
            return
        yield _named(rows)
        last = rows[-1][0]


def _named(rows: Sequence[tuple[int, str]]) -> tuple[Ints, tuple[str, ...]]:
    numbers, texts = zip(*rows, strict=True)
    return np.array(numbers, dtype=np.int64), texts


def internal(parameter: Searched, name: str, settings: Sequence[Params]) -> Floats:
    """[n], the numbers that Optuna's table keeps of a parameter; NaN where a setting has it not.

    >>> internal(Choice(choices=("sgd", "adam")), "optimizer", [{"optimizer": "adam"}, {}]).tolist()
    [1.0, nan]
    """
    if not isinstance(parameter, Choice):
        return np.array([setting.get(name) for setting in settings], dtype=np.float64)
    # By type as well: 1, 1.0 and true are three choices.
    places = {(type(choice), choice): place for place, choice in enumerate(parameter.choices)}
    given = [setting.get(name, _ABSENT) for setting in settings]
    return np.array([places.get((type(value), value)) for value in given], dtype=np.float64)


_ABSENT: Any = object()  # is no choice; null may be one


def spans(connection: Connection, study: StudyKey) -> list[CohortSpan]:
    """The cohorts that were begun, by id."""
    return [
        CohortSpan(id_, lanes, started.replace(tzinfo=UTC), aware(finished) if ended else None)
        for id_, lanes, started, finished, ended in connection.execute(_SPANS, {"study": study.id})
    ]
