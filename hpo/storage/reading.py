"""Reading trials: everything comes from the narrow table and its indexes, at the same cost at any size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, func, select

from hpo.errors import TrialNotFound
from hpo.states import TrialState
from hpo.storage import optuna_tables as optuna
from hpo.storage import querying
from hpo.storage import studies as study_rows
from hpo.storage.base import Origins, TrialQuery
from hpo.storage.records import TRIAL, curve_of, trial_of
from hpo.storage.rules import front_of
from hpo.storage.study_keys import StudyKey, key_of, still_called
from hpo.storage.tables import curves, studies, trials
from hpo.study import Direction
from hpo.trial import Curve, Trial

T = TypeVar("T")
NAMED = 1_000  # numbers in one query: databases take only so many

# Made once: to put such a statement together takes longer than the database takes to answer it.
_COUNTED = select(studies.c.counted).where(studies.c.study_id == bindparam("study")).scalar_subquery()
# Trials that may be the best.
_ELIGIBLE = select(*TRIAL).where(
    trials.c.study_id == bindparam("study"),
    trials.c.state == TrialState.COMPLETE,
    trials.c.feasible,
    trials.c.number < func.coalesce(_COUNTED, trials.c.number + 1),
)


def page(connection: Connection, study: StudyKey, query: TrialQuery) -> list[Trial]:
    """A page of trials. Raises SpecError for a name that trials are not sorted or filtered by."""
    return [trial_of(row) for row in querying.page(connection, study, query)]


def best(connection: Connection, study: StudyKey, n: int) -> list[Trial]:
    """The best COMPLETE trials, ties to the lowest number; of several objectives the front."""
    if study.objectives is not None:
        return _front(connection, study)[:n]
    its = {"study": study.id, "name": study.name, "n": n}
    return [trial_of(row) for row in connection.execute(_BEST[study.direction], its)]


def _best_first(direction: Direction) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    first = trials.c["first"]
    return first if direction is Direction.MINIMIZE else first.desc(), trials.c.number


_BEST = {
    direction: _ELIGIBLE.where(
        trials.c["first"].is_not(None),
        still_called(
            bindparam("study"),
            bindparam("name"),
            studies.c.direction == direction,
            studies.c.objectives.is_(None),
        ),
    )
    .order_by(*_best_first(direction))
    .limit(bindparam("n"))
    for direction in Direction
}


def leaders(connection: Connection, names: Sequence[str]) -> dict[str, Trial]:
    """The best trial of each study that has one: of one objective by one statement per direction."""
    found: dict[str, Trial] = {}
    for some in in_parts(names):
        for wanted in _LED:
            rows = connection.execute(wanted, {"names": list(some)})
            found |= {row.study_name: trial_of(row) for row in rows}
        for name in connection.execute(_SEVERAL, {"names": list(some)}).scalars().all():
            found.update((name, trial) for trial in best(connection, key_of(connection, name), 1))
    return found


_NAMES: BindParameter[Any] = bindparam("names", expanding=True)
_SEVERAL = (
    select(optuna.studies.c.study_name)
    .join(studies, studies.c.study_id == optuna.studies.c.study_id)
    .where(optuna.studies.c.study_name.in_(_NAMES), studies.c.objectives.is_not(None))
)


def _led(direction: Direction) -> Select[Any]:
    """Of studies of one objective, each best trial: found in the index, study by study."""
    best_number = (
        select(trials.c.number)
        .where(
            trials.c.study_id == studies.c.study_id,
            trials.c.state == TrialState.COMPLETE,
            trials.c.feasible,
            trials.c["first"].is_not(None),
            trials.c.number < func.coalesce(studies.c.counted, trials.c.number + 1),
        )
        .order_by(*_best_first(direction))
        .limit(1)
        .correlate(studies)
        .scalar_subquery()
    )
    chosen = trials.alias()
    its = [chosen.c[column.name] for column in TRIAL]
    return (
        select(*its, optuna.studies.c.study_name)
        .select_from(studies)
        .join(optuna.studies, optuna.studies.c.study_id == studies.c.study_id)
        .join(chosen, (chosen.c.study_id == studies.c.study_id) & (chosen.c.number == best_number))
        .where(
            optuna.studies.c.study_name.in_(_NAMES),
            studies.c.direction == direction,
            studies.c.objectives.is_(None),
        )
    )


_LED = [_led(direction) for direction in Direction]


def pareto(connection: Connection, study: StudyKey) -> list[Trial]:
    """The Pareto front, by the first objective."""
    if study.objectives is not None:
        return _front(connection, study)
    top = best(connection, study, 1)
    same = _ELIGIBLE.where(trials.c["first"].in_([trial.value for trial in top]))
    return [trial_of(row) for row in connection.execute(same.order_by(trials.c.number), {"study": study.id})]


def _front(connection: Connection, study: StudyKey) -> list[Trial]:
    """Only numbers and values of all trials are read, whole rows of those on the front."""
    narrow = _ELIGIBLE.with_only_columns(trials.c.number, trials.c["values"])
    valued = narrow.where(
        trials.c["values"].is_not(None),
        still_called(
            study.id,
            study.name,
            studies.c.direction == study.direction,
            studies.c.objectives == study.objectives,
        ),
    )
    found_values = connection.execute(valued.order_by(trials.c.number), {"study": study.id})
    points = {number: tuple(json.loads(text)) for number, text in found_values}
    numbers = front_of(points, study.directions)
    found = {trial.number: trial for trial in _numbered(connection, study.id, numbers)}
    return [found[number] for number in numbers]


def _numbered(connection: Connection, study: int, numbers: Sequence[int]) -> Iterator[Trial]:
    for some in in_parts(numbers):
        wanted = select(*TRIAL).where(trials.c.study_id == study, trials.c.number.in_(some))
        yield from map(trial_of, connection.execute(wanted))


def in_parts(numbers: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many numbers at a time as a query may name."""
    for start in range(0, len(numbers), NAMED):
        yield numbers[start : start + NAMED]


def one(connection: Connection, name: str, number: int) -> Trial:
    """One trial. Raises StudyNotFound, TrialNotFound."""
    id_ = study_rows.study_id(connection, name)
    wanted = select(*TRIAL).where(trials.c.study_id == id_, trials.c.number == number)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise TrialNotFound(f"study {name!r} has no trial {number}")
    return trial_of(row)


def origins(connection: Connection, name: str) -> Origins:
    """Where the trials of a study come from. Raises StudyNotFound."""
    mine = trials.c.study_id == study_rows.study_id(connection, name)
    counted = select(func.count().filter(~trials.c.sampled), func.count(trials.c.lineage)).where(mine)
    n_enqueued, n_inherited = connection.execute(counted).one()
    again = select(trials.c.retry_of, trials.c.number).where(mine, trials.c.retry_of.is_not(None))
    rows = connection.execute(again.order_by(trials.c.number))
    retries = {row.retry_of: row.number for row in rows}
    return Origins(n_enqueued=n_enqueued, n_inherited=n_inherited, retries=retries)


def finished_after(connection: Connection, name: str, place: int, limit: int) -> list[Trial]:
    """Trials that finished after the one of that place, in that order. Raises StudyNotFound."""
    id_ = study_rows.study_id(connection, name)
    wanted = select(*TRIAL).where(trials.c.study_id == id_, trials.c.place > place)
    return [trial_of(row) for row in connection.execute(wanted.order_by(trials.c.place).limit(limit))]


def running(connection: Connection, name: str) -> list[Trial]:
    """The RUNNING trials by number. Raises StudyNotFound."""
    return page(connection, key_of(connection, name), TrialQuery(states=(TrialState.RUNNING,)))


def curve(connection: Connection, name: str, number: int) -> Curve | None:
    """The curve of a finished trial. Raises StudyNotFound, TrialNotFound."""
    one(connection, name, number)
    id_ = study_rows.study_id(connection, name)
    wanted = select(curves).where(curves.c.study_id == id_, curves.c.number == number)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else curve_of(row)


def some_curves(connection: Connection, name: str, numbers: Sequence[int]) -> dict[int, Curve]:
    """The curves of those of the trials that have one. Raises StudyNotFound."""
    id_ = study_rows.study_id(connection, name)
    found: dict[int, Curve] = {}
    for some in in_parts(numbers):
        wanted = select(curves).where(curves.c.study_id == id_, curves.c.number.in_(some))
        found |= {row.number: curve_of(row) for row in connection.execute(wanted)}
    return found
