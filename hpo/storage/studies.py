"""Studies in the database: create, read, wish, move, remove. Each function runs inside a transaction."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from hpo.errors import StudyExists, StudyNotFound
from hpo.states import FINAL, CohortState, Reason, StudyState, TrialState, Wanted, check_move
from hpo.storage import optuna_tables as optuna
from hpo.storage.engine import database_now, utc
from hpo.storage.records import (
    COUNTERS,
    driver_columns,
    objectives_text,
    seconds_spent,
    study_of,
    to_json,
)
from hpo.storage.rules import HEEDS_WISHES, check_new_total, check_not_driven
from hpo.storage.tables import cohorts, labels, studies, trials
from hpo.study import NewStudy, ObjectiveSpec, Study


def query() -> Select[Any]:
    """Studies with their names, which stand in Optuna's table alone, and the database's time."""
    return select(studies, optuna.studies.c.study_name, database_now().label("now")).join(
        optuna.studies, optuna.studies.c.study_id == studies.c.study_id
    )


def find(connection: Connection, name: str, *, lock: bool = False) -> Row[Any]:
    """The study's row. Raises StudyNotFound."""
    wanted = query().where(optuna.studies.c.study_name == name)
    row = connection.execute(wanted.with_for_update(of=studies) if lock else wanted).one_or_none()
    if row is None:
        raise StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")
    return row


def study_id(connection: Connection, name: str) -> int:
    """The study's id, without reading its file. Raises StudyNotFound."""
    wanted = (
        select(studies.c.study_id)
        .join(optuna.studies, optuna.studies.c.study_id == studies.c.study_id)
        .where(optuna.studies.c.study_name == name)
    )
    found = connection.execute(wanted).scalar_one_or_none()
    if found is None:
        raise StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")
    return int(found)


def reread(connection: Connection, id_: int) -> Study:
    """The study as it is now."""
    return study_of(connection.execute(query().where(studies.c.study_id == id_)).one())


def create(connection: Connection, new: NewStudy) -> Study:
    """A new study, QUEUED, in Optuna's tables and ours. Raises StudyExists."""
    taken = select(optuna.studies.c.study_id).where(optuna.studies.c.study_name == new.name)
    if connection.execute(taken).first() is not None:
        raise StudyExists(f"a study called {new.name!r} exists already; choose another name")
    now = utc(connection.execute(select(database_now())).scalar_one())
    id_ = _create_for_optuna(connection, new)
    connection.execute(
        insert(studies).values(
            study_id=id_,
            state=StudyState.QUEUED,
            wanted=Wanted.NOTHING,
            metric=new.metric,
            direction=new.direction,
            n_trials=new.n_trials,
            **dict.fromkeys(COUNTERS.values(), 0),
            spec=to_json(new.spec),
            data=to_json(new.data),
            folder=new.folder,
            owner=new.owner,
            priority=new.priority,
            labels=to_json(new.labels),
            versions=to_json(new.versions),
            attempt=0,
            since=0,
            seconds=0.0,
            created_at=now,
            objectives=objectives_text(new.objectives),
        )
    )
    # Twice on purpose: the JSON is what a study shows, the table what a list filters by.
    if new.labels:
        pairs = [{"study_id": id_, "label": k, "value": v} for k, v in new.labels.items()]
        connection.execute(insert(labels), pairs)
    return reread(connection, id_)


def _create_for_optuna(connection: Connection, new: NewStudy) -> int:
    """The study as Optuna's create_study and set_metric_names would write it."""
    result = connection.execute(insert(optuna.studies).values(study_name=new.name))
    id_ = int(result.inserted_primary_key[0])  # type: ignore[index]
    objectives = new.objectives or (ObjectiveSpec(metric=new.metric, direction=new.direction),)
    directions = [(o.direction or new.direction).value.upper() for o in objectives]
    connection.execute(
        insert(optuna.directions),
        [{"study_id": id_, "objective": n, "direction": d} for n, d in enumerate(directions)],
    )
    metrics = [objective.metric for objective in objectives]
    connection.execute(
        insert(optuna.system_attributes).values(
            study_id=id_, key=optuna.METRIC_NAMES, value_json=json.dumps(metrics)
        )
    )
    metric = json.dumps(metrics if new.objectives else new.metric)
    connection.execute(insert(optuna.user_attributes).values(study_id=id_, key="metric", value_json=metric))
    return id_


def list_all(connection: Connection, state: StudyState | None, label: tuple[str, str] | None) -> list[Study]:
    """All studies, the newest first."""
    wanted = query().order_by(studies.c.created_at.desc(), studies.c.study_id.desc())
    if state is not None:
        wanted = wanted.where(studies.c.state == state)
    if label is not None:
        wanted = wanted.join(labels, labels.c.study_id == studies.c.study_id)
        wanted = wanted.where(labels.c.label == label[0], labels.c.value == label[1])
    return [study_of(row) for row in connection.execute(wanted)]


def want(connection: Connection, name: str, wanted: Wanted) -> Study:
    """Leave word for the driver; a study that has none, and will have none, keeps no wishes."""
    row = find(connection, name, lock=True)
    if StudyState(row.state) in HEEDS_WISHES:
        change(connection, row.study_id, wanted=wanted)
    return reread(connection, row.study_id)


def move(connection: Connection, name: str, state: StudyState, reason: str | None) -> Study:
    """Move a study that nobody drives. Raises StudyNotFound, IllegalMove, StudyOwned."""
    row = find(connection, name, lock=True)
    study = study_of(row)
    check_not_driven(study)
    check_move(name, study.state, state)
    leave(connection, row, state, reason)
    return reread(connection, study.id)


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
        since=planned if ended else row.since,
        finished_at=utc(row.now) if state in FINAL else None,
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
    connection.execute(
        update(cohorts)
        .where(mine, cohorts.c.state != CohortState.DONE)
        .values(state=CohortState.DONE, **driver_columns(None, None))
    )
    open_states = (TrialState.WAITING, TrialState.RUNNING)
    open_trials = (trials.c.study_id == row.study_id) & trials.c.state.in_(open_states)
    ids = select(trials.c.trial_id).where(open_trials).scalar_subquery()
    connection.execute(
        update(optuna.trials)
        .where(optuna.trials.c.trial_id.in_(ids))
        .values(state=TrialState.FAIL.value, datetime_complete=utc(row.now))
    )
    ended = connection.execute(
        update(trials)
        .where(open_trials)
        .values(state=TrialState.FAIL, reason=Reason.CANCELLED, finished_at=utc(row.now))
    ).rowcount
    change(connection, row.study_id, n_waiting=0, n_running=0, n_fail=studies.c.n_fail + ended)


def change(connection: Connection, id_: int, **columns: Any) -> None:
    """Set columns of a study."""
    connection.execute(update(studies).where(studies.c.study_id == id_).values(**columns))


def set_trials(connection: Connection, name: str, n_trials: int) -> Study:
    """Raise the total of trials. Raises StudyNotFound, IllegalMove when it would fall."""
    row = find(connection, name, lock=True)
    check_new_total(study_of(row), n_trials)
    change(connection, row.study_id, n_trials=n_trials)
    return reread(connection, row.study_id)


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
