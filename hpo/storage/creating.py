"""A new study in the database: once per request, within its owner's quota, on data that is still there."""

from __future__ import annotations

import json

from sqlalchemy import Connection, insert, select

from hpo.account import Quota, Usage
from hpo.errors import StudyExists
from hpo.states import StudyState, Wanted
from hpo.storage import optuna_tables as optuna
from hpo.storage import queue, quotas
from hpo.storage import studies as study_rows
from hpo.storage.base import Once
from hpo.storage.engine import database_now, utc
from hpo.storage.records import COUNTERS, objectives_text, to_json
from hpo.storage.rules import check_same, dataset_gone, uploaded_source
from hpo.storage.service_tables import once as requests
from hpo.storage.tables import datasets, studies
from hpo.study import EXTERNAL, NewStudy, ObjectiveSpec, Study


def create(connection: Connection, new: NewStudy, once: Once | None, quota: Quota | None) -> Study:
    """A new study, QUEUED, in Optuna's tables and ours; or the one that the same request made before.

    Raises StudyExists, KeyReused, QuotaReached, DatasetNotFound.
    """
    if quota is not None and new.owner is not None:
        quotas.one_by_one(connection, new.owner)
    made = _made_before(connection, once)
    if made is not None:
        return study_rows.reread(connection, made)
    if quota is not None and new.owner is not None:
        quotas.check(connection, new.owner, quota, Usage(studies=1, trials=new.n_trials))
    _hold_dataset(connection, new)
    taken = select(optuna.studies.c.study_id).where(optuna.studies.c.study_name == new.name)
    if connection.execute(taken).first() is not None:
        made = _made_before(connection, once)  # on PostgreSQL by the same request, since the last look
        if made is not None:
            return study_rows.reread(connection, made)
        raise StudyExists(
            f"a study called {new.name!r} exists already, see `hpo show {new.name}`; choose another name"
        )
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
            queued_at=now,
            objectives=objectives_text(new.objectives),
            served=new.served and new.spec.get("trainer") != EXTERNAL,
        )
    )
    study_rows.set_labels(connection, id_, new.labels)
    queue.add(connection, id_, [(params, None) for params in new.enqueue], now)
    if once is not None:
        keep = {"owner": once.owner, "key": once.key, "digest": once.digest}
        connection.execute(insert(requests).values(study_id=id_, created_at_s=database_now(), **keep))
    return study_rows.reread(connection, id_)


def _made_before(connection: Connection, once: Once | None) -> int | None:
    """The study that this request made when it came before. Raises KeyReused when another one had its key."""
    if once is None:
        return None
    wanted = select(requests.c.digest, requests.c.study_id).where(
        requests.c.owner == once.owner, requests.c.key == once.key
    )
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    check_same(once, row.digest)
    return int(row.study_id)


def _hold_dataset(connection: Connection, new: NewStudy) -> None:
    """Keep the uploaded data set of a study file from being removed meanwhile. Raises DatasetNotFound."""
    source = uploaded_source(new.spec)
    if source is None:
        return
    wanted = select(datasets.c.id).where(datasets.c.id == source).with_for_update(read=True)
    if connection.execute(wanted).one_or_none() is None:
        raise dataset_gone(source)


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
