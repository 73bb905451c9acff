"""Studies in the database: create, read, wish, move, remove. Each function runs inside a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from hpo.errors import StudyNotFound
from hpo.states import FINAL, CohortState, Reason, StudyState, TrialState, Wanted, check_move
from hpo.storage import optuna_tables as optuna
from hpo.storage import quotas
from hpo.storage.base import Amendment, Check, StudyQuery
from hpo.storage.engine import database_now, utc
from hpo.storage.ordering import words_of
from hpo.storage.records import (
    COUNTERS,
    driver_columns,
    n_finished,
    seconds_spent,
    study_of,
    to_json,
)
from hpo.storage.rules import HEEDS_WISHES, amended_spec, check_new_total, check_not_driven, is_driven
from hpo.storage.service_tables import leases
from hpo.storage.tables import blobs, cohorts, labels, queue, studies, trials
from hpo.study import Study


def query() -> Select[Any]:
    """Studies with their names, which stand in Optuna's table alone, the database's time, and their queue's length."""
    waiting = select(func.count()).where(queue.c.study_id == studies.c.study_id).scalar_subquery()
    return select(
        studies, optuna.studies.c.study_name, database_now().label("now"), waiting.label("n_queued")
    ).join(optuna.studies, optuna.studies.c.study_id == studies.c.study_id)


# Made once: to put such a statement together takes longer than the database takes to answer it.
_ALL = query()
_NAMED = _ALL.where(optuna.studies.c.study_name == bindparam("name"))
_NAMED_LOCKED = _NAMED.with_for_update(of=studies)
_OF_ID = _ALL.where(studies.c.study_id == bindparam("id"))
_ID = (
    select(studies.c.study_id)
    .join(optuna.studies, optuna.studies.c.study_id == studies.c.study_id)
    .where(optuna.studies.c.study_name == bindparam("name"))
)


def not_found(name: str) -> StudyNotFound:
    """What to raise when there is no study of that name."""
    return StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")


def find(connection: Connection, name: str, *, lock: bool = False) -> Row[Any]:
    """The study's row. Raises StudyNotFound."""
    row = connection.execute(_NAMED_LOCKED if lock else _NAMED, {"name": name}).one_or_none()
    if row is None:
        raise not_found(name)
    return row


def study_id(connection: Connection, name: str) -> int:
    """The study's id, without reading its file. Raises StudyNotFound."""
    found = connection.execute(_ID, {"name": name}).scalar_one_or_none()
    if found is None:
        raise not_found(name)
    return int(found)


def reread(connection: Connection, id_: int) -> Study:
    """The study as it is now."""
    return study_of(connection.execute(_OF_ID, {"id": id_}).one())


def list_some(connection: Connection, asked: StudyQuery) -> list[Study]:
    """Studies, the newest first."""
    if None in [words_of(word) for word in (asked.owner or "", *chain.from_iterable(asked.labels))]:
        return []  # no database can hold such a word, and PostgreSQL cannot be asked for it
    wanted = _ALL.order_by(studies.c.study_id.desc()).limit(asked.limit)
    if asked.states:
        wanted = wanted.where(studies.c.state.in_(asked.states))
    for label, value in asked.labels:
        one = select(labels.c.study_id).where(labels.c.label == label, labels.c.value == value)
        wanted = wanted.where(studies.c.study_id.in_(one))
    if asked.owner is not None:
        wanted = wanted.where(studies.c.owner == asked.owner)
    if asked.served is not None:
        wanted = wanted.where(studies.c.served == asked.served)
    if asked.after is not None:
        wanted = wanted.where(studies.c.study_id < asked.after)
    return [study_of(row) for row in connection.execute(wanted)]


def names(connection: Connection, prefix: str) -> list[str]:
    """The names that begin with the prefix, the newest study's first."""
    wanted = select(optuna.studies.c.study_name).join(
        studies, studies.c.study_id == optuna.studies.c.study_id
    )
    if prefix:
        wanted = wanted.where(func.substr(optuna.studies.c.study_name, 1, len(prefix)) == prefix)
    return list(connection.execute(wanted.order_by(studies.c.study_id.desc())).scalars())


def want(connection: Connection, name: str, wanted: Wanted, instead_of: Wanted | None) -> Study:
    """Leave word for the driver; a study that has none, and will have none, keeps no wishes."""
    row = find(connection, name, lock=True)
    if StudyState(row.state) in HEEDS_WISHES and instead_of in (None, row.wanted):
        change(connection, row.study_id, wanted=wanted)
    return reread(connection, row.study_id)


def move(
    connection: Connection, name: str, state: StudyState, reason: str | None, served: bool | None
) -> Study:
    """Move a study that nobody drives. Raises StudyNotFound, IllegalMove, StudyOwned, QuotaReached."""
    row = find(connection, name, lock=True)
    study = study_of(row)
    check_not_driven(study)
    check_move(name, study.state, state)
    quotas.check_growth(connection, study, study.n_trials, wakes=state not in FINAL)
    leave(connection, row, state, reason)
    hand_over(connection, study, served)
    return reread(connection, study.id)


def hand_over(connection: Connection, study: Study, served: bool | None) -> None:
    """Make a study that nobody drives a server's, or not; None: leave it as it is."""
    if served is not None and not is_driven(study):
        change(connection, study.id, served=served and not study.external)


def leave(connection: Connection, row: Row[Any], state: StudyState, reason: str | None) -> None:
    """Put a study into a state in which nobody drives it; settle what was open."""
    settle(connection, row, state)
    ended = state in (StudyState.COMPLETED, StudyState.FAILED)
    planned = sum(getattr(row, column) for column in COUNTERS.values())
    change(
        connection,
        row.study_id,
        state=state,
        reason=reason,
        wanted=Wanted.NOTHING,
        seconds=seconds_spent(row),
        running_since=None,
        live=None,
        since=planned if ended else row.since,
        finished_at=utc(row.now) if state in FINAL else None,
        queued_at=utc(row.now) if state is StudyState.QUEUED else row.queued_at,
        **driver_columns(None, None),
    )


def settle(connection: Connection, row: Row[Any], state: StudyState) -> None:
    """At a final state open cohorts are DONE, their trials FAIL `cancelled`; else they go back to READY."""
    mine = cohorts.c.study_id == row.study_id
    if state not in FINAL:
        connection.execute(
            update(cohorts)
            .where(mine, cohorts.c.state == CohortState.RUNNING)
            .values(state=CohortState.READY, **driver_columns(None, None))
        )
        return
    kept = select(cohorts.c.checkpoint).where(mine, cohorts.c.checkpoint.is_not(None))
    connection.execute(delete(blobs).where(blobs.c.id.in_(kept)))
    connection.execute(
        update(cohorts)
        .where(mine, cohorts.c.state != CohortState.DONE)
        .values(state=CohortState.DONE, **driver_columns(None, None))
    )
    connection.execute(delete(leases).where(leases.c.study_id == row.study_id))
    open_states = (TrialState.WAITING, TrialState.RUNNING)
    open_trials = (trials.c.study_id == row.study_id) & trials.c.state.in_(open_states)
    found = select(trials.c.number, trials.c.trial_id).where(open_trials).order_by(trials.c.number)
    ended = [
        {"of_number": number, "id": id_, "new_place": place}
        for place, (number, id_) in enumerate(connection.execute(found), n_finished(row) + 1)
    ]
    if not ended:
        return
    now = utc(row.now)
    of_optuna = update(optuna.trials).where(optuna.trials.c.trial_id == bindparam("id"))
    connection.execute(of_optuna.values(state=TrialState.FAIL.value, datetime_complete=now), ended)
    narrow = update(trials).where(
        trials.c.study_id == row.study_id, trials.c.number == bindparam("of_number")
    )
    connection.execute(
        narrow.values(
            state=TrialState.FAIL, reason=Reason.CANCELLED, finished_at=now, place=bindparam("new_place")
        ),
        ended,
    )
    change(connection, row.study_id, n_waiting=0, n_running=0, n_fail=studies.c.n_fail + len(ended))


def change(connection: Connection, id_: int, **columns: Any) -> None:
    """Set columns of a study."""
    connection.execute(update(studies).where(studies.c.study_id == id_).values(**columns))


def set_trials(connection: Connection, name: str, n_trials: int) -> Study:
    """Raise the total of trials. Raises StudyNotFound, IllegalMove when it would fall, QuotaReached."""
    row = find(connection, name, lock=True)
    _check_total(connection, study_of(row), n_trials)
    change(connection, row.study_id, n_trials=n_trials)
    return reread(connection, row.study_id)


def _check_total(connection: Connection, study: Study, n_trials: int) -> None:
    """Raises IllegalMove, QuotaReached. A final study gets a new total in order to go on."""
    check_new_total(study, n_trials)
    quotas.check_growth(connection, study, n_trials, wakes=study.n_finished < n_trials)


def amend(connection: Connection, name: str, changes: Amendment, check: Check | None) -> Study:
    """Set what may change while a study lives, in its row and its study file.

    Raises StudyNotFound, IllegalMove, QuotaReached.
    """
    row = find(connection, name, lock=True)
    study = study_of(row)
    if check is not None:
        check(study)
    columns: dict[str, Any] = {"spec": to_json(amended_spec(study.spec, changes))}
    if changes.n_trials is not None:
        _check_total(connection, study, changes.n_trials)
        columns["n_trials"] = changes.n_trials
    if changes.priority is not None:
        columns["priority"] = changes.priority
    if changes.labels is not None:
        columns["labels"] = to_json(changes.labels)
        connection.execute(delete(labels).where(labels.c.study_id == row.study_id))
        set_labels(connection, row.study_id, changes.labels)
    change(connection, row.study_id, **columns)
    return reread(connection, row.study_id)


def set_labels(connection: Connection, id_: int, given: Mapping[str, str]) -> None:
    """Labels stand twice, on purpose: the JSON is what a study shows, the table what a list filters by."""
    if given:
        pairs = [{"study_id": id_, "label": label, "value": value} for label, value in given.items()]
        connection.execute(insert(labels), pairs)


def remove(connection: Connection, name: str) -> None:
    """Delete a study from Optuna's tables; ours go with it. Raises StudyNotFound, StudyOwned."""
    row = find(connection, name, lock=True)
    check_not_driven(study_of(row))
    id_ = row.study_id
    its_trials = select(optuna.trials.c.trial_id).where(optuna.trials.c.study_id == id_).scalar_subquery()
    for table in optuna.OF_A_TRIAL:
        connection.execute(delete(table).where(table.c.trial_id.in_(its_trials)))
    for table in optuna.OF_A_STUDY:
        connection.execute(delete(table).where(table.c.study_id == id_))
    connection.execute(delete(optuna.studies).where(optuna.studies.c.study_id == id_))
