"""Trials that are trained elsewhere, in the database: handed out under leases, reported on, told, lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from hpo.errors import LeaseLost, TrialNotFound
from hpo.space import SearchSpace
from hpo.states import StudyState, TrialState, why_failed
from hpo.storage import optuna_tables as optuna
from hpo.storage import queue, reading
from hpo.storage import studies as study_rows
from hpo.storage import trials as trial_rows
from hpo.storage.base_external import RIVALS, HandedOut, Look, OneByOne, Terms, Told, Wanted
from hpo.storage.engine import utc
from hpo.storage.external_rules import (
    OPEN,
    Report,
    best_so_far,
    check_report,
    check_runs,
    check_tell_again,
    is_over,
    is_shown,
    is_stale,
    lost,
    n_new,
    out_of_time,
    result_of,
    rung_of,
)
from hpo.storage.records import TRIAL, queued_of, study_of, to_json, trial_of
from hpo.storage.rules import DRIVEN, storable
from hpo.storage.service_tables import leases, reports
from hpo.storage.tables import queue as queue_table
from hpo.storage.tables import studies, trials
from hpo.study import Study
from hpo.trial import Trial, TrialPlan, TrialResult

_REPORT = (reports.c.epoch, reports.c.value, reports.c.best, reports.c.rung, reports.c.prune)


def look(connection: Connection, name: str, client: str, count: int) -> Look:
    """What there is to hand out. Raises StudyNotFound."""
    row = study_rows.find(connection, name)
    mine = leases.c.study_id == row.study_id
    n = select(func.count()).select_from(leases)
    return Look(
        study=study_of(row),
        pending=connection.execute(n.where(mine, leases.c.client == client)).scalar_one(),
        lapsed=connection.execute(
            n.where(mine, leases.c.client != client, leases.c.until_s <= row.now)
        ).scalar_one(),
        queue=[queued_of(entry) for entry in _head(connection, row.study_id, count)],
    )


def _head(connection: Connection, study: int, n: int) -> Sequence[Row[Any]]:
    """The first settings that wait."""
    of_study = select(queue_table).where(queue_table.c.study_id == study)
    return connection.execute(of_study.order_by(queue_table.c.id).limit(n)).all()


# Handing out


def hand_out(
    connection: Connection, name: str, space: SearchSpace, wanted: Wanted, terms: Terms
) -> HandedOut:
    """Trials for a client. Raises StudyNotFound, IllegalMove."""
    row = study_rows.find(connection, name, lock=True)
    if StudyState(row.state) not in OPEN:
        return HandedOut(study=study_of(row), trials=())
    if row.state == StudyState.QUEUED:
        _begin(connection, row)
    if wanted.notes is not None:
        study_rows.change(connection, row.study_id, notes=to_json(wanted.notes))
    numbers = _hand_out_again(connection, row, wanted, terms)
    row = study_rows.find(connection, name)
    plans, stale = _fitting(connection, row, wanted, wanted.count - len(numbers), terms)
    if plans:
        queue.take(connection, row.study_id, plans)
        trial_rows.add(connection, row, space, plans, {})
        _lease(connection, row, [plan.number for plan in plans], wanted.client, terms)
    numbers += [plan.number for plan in plans]
    of_study = trials.c.study_id == row.study_id, trials.c.number.in_(numbers)
    found = connection.execute(select(*TRIAL).where(*of_study).order_by(trials.c.number))
    return HandedOut(
        study=_end_if_over(connection, name), trials=[trial_of(one) for one in found], stale=stale
    )


def _begin(connection: Connection, row: Row[Any]) -> None:
    """QUEUED to RUNNING, as a driver's claim would."""
    study_rows.change(
        connection,
        row.study_id,
        state=StudyState.RUNNING,
        reason=None,
        counted=None,
        running_since=row.now,
        started_at=row.started_at or utc(row.now),
        finished_at=None,
    )


def _hand_out_again(connection: Connection, row: Row[Any], wanted: Wanted, terms: Terms) -> list[int]:
    """The client's own trials, then those whose lease ran out; those that were lost too often end."""
    reachable = (leases.c.client == wanted.client) | (leases.c.until_s <= row.now)
    found = select(leases).where(leases.c.study_id == row.study_id, reachable).order_by(leases.c.number)
    own, others, gone = list[Row[Any]](), list[Row[Any]](), list[int]()
    for lease in connection.execute(found):
        if lease.until_s <= row.now and lease.losses >= terms.retries:
            gone.append(lease.number)
        else:
            (own if lease.client == wanted.client else others).append(lease)
    _lose(connection, row, gone, terms)
    given = (own + others)[: wanted.count]
    for lease in given:
        connection.execute(
            update(leases)
            .where(leases.c.study_id == row.study_id, leases.c.number == lease.number)
            .values(
                client=wanted.client,
                until_s=row.now + terms.lease_s,
                losses=lease.losses + (lease.until_s <= row.now),
            )
        )
    return [lease.number for lease in given]


def _fitting(
    connection: Connection, row: Row[Any], wanted: Wanted, n: int, terms: Terms
) -> tuple[Sequence[TrialPlan], bool]:
    """The plans that can be begun now, and whether they were made for another state of the study."""
    study = study_of(row)
    n = n_new(study, n, terms.parallel)
    if not n:
        return (), False
    ids = [entry.id for entry in _head(connection, row.study_id, max(1, len(wanted.plans)))]
    stale = is_stale(wanted.plans, study.n_planned, ids)
    return (() if stale else wanted.plans[:n]), stale


def _lease(connection: Connection, row: Row[Any], numbers: Sequence[int], client: str, terms: Terms) -> None:
    until = row.now + terms.lease_s
    columns = {"study_id": row.study_id, "client": client, "until_s": until, "losses": 0}
    connection.execute(insert(leases), [columns | {"number": number} for number in numbers])


# While a trial is trained


def report(
    connection: Connection,
    name: str,
    number: int,
    client: str | None,
    epoch: int,
    value: float,
    terms: Terms,
) -> bool:
    """Keep a value; whether the trial should end. Raises TrialNotFound, IllegalMove, LeaseLost."""
    row = study_rows.find(connection, name, lock=True)
    trial, id_ = _running(connection, row, number)
    _renew(connection, row, number, client, terms)
    before = _near(connection, row.study_id, number, epoch)
    known = check_report(trial.number, before, epoch, value)
    if known is not None:
        return known.prune
    best = best_so_far(study_of(row), before, value)
    rung = rung_of(terms.judge, number, before, epoch)
    prune = False
    if terms.judge is not None and rung is not None:
        prune = terms.judge.loses(number, best, _rivals(connection, row.study_id, number, rung, terms.judge))
    connection.execute(
        insert(reports).values(
            study_id=row.study_id, number=number, epoch=epoch, value=value, best=best, rung=rung, prune=prune
        )
    )
    of_trial = trials.c.study_id == row.study_id, trials.c.number == number
    connection.execute(update(trials).where(*of_trial).values(epochs=epoch))
    if is_shown(epoch, terms.epochs):
        trial_rows.write_steps(connection, {id_: {epoch: value}})
    return prune


def renew(connection: Connection, name: str, number: int, client: str | None, terms: Terms) -> Study:
    """Keep a trial for another lease. Raises TrialNotFound, IllegalMove, LeaseLost."""
    row = study_rows.find(connection, name, lock=True)
    _running(connection, row, number)
    _renew(connection, row, number, client, terms)
    return study_of(row)


def _running(connection: Connection, row: Row[Any], number: int) -> tuple[Trial, int]:
    """A trial that has not ended, and its id in Optuna's tables."""
    trial, id_ = _trial(connection, row, number)
    check_runs(trial)
    return trial, id_


def _trial(connection: Connection, row: Row[Any], number: int) -> tuple[Trial, int]:
    wanted = select(*TRIAL, trials.c.trial_id).where(
        trials.c.study_id == row.study_id, trials.c.number == number
    )
    found = connection.execute(wanted).one_or_none()
    if found is None:
        raise TrialNotFound(f"study {row.study_name!r} has no trial {number}")
    return trial_of(found), found.trial_id


def _renew(connection: Connection, row: Row[Any], number: int, client: str | None, terms: Terms) -> None:
    """Raises LeaseLost when another client has the trial now."""
    of_trial = leases.c.study_id == row.study_id, leases.c.number == number
    holder = connection.execute(select(leases.c.client).where(*of_trial)).scalar_one_or_none()
    if client is not None and holder is not None and holder != client:
        raise LeaseLost(
            f"the lease of {client!r} on trial {number} ran out, and {holder!r} has the trial now"
        )
    connection.execute(update(leases).where(*of_trial).values(until_s=row.now + terms.lease_s))


def _reports(connection: Connection, study: int, number: int) -> list[Report]:
    """What a trial has reported, by epoch."""
    of_trial = select(*_REPORT).where(reports.c.study_id == study, reports.c.number == number)
    return [Report(*row) for row in connection.execute(of_trial.order_by(reports.c.epoch))]


def _near(connection: Connection, study: int, number: int, epoch: int) -> list[Report]:
    """A trial's last report, and that of an epoch: all that a new one hangs on, whatever came before."""
    of_trial = select(*_REPORT).where(reports.c.study_id == study, reports.c.number == number)
    found = list(connection.execute(of_trial.order_by(reports.c.epoch.desc()).limit(1)))
    if found and epoch < found[0].epoch:
        found[:0] = connection.execute(of_trial.where(reports.c.epoch == epoch))
    return [Report(*row) for row in found]


def _rivals(connection: Connection, study: int, number: int, rung: int, judge: OneByOne) -> dict[int, float]:
    """The best so far of others when they reached a rung: of the newest that did."""
    mine = reports.c.study_id == study, reports.c.rung == rung, reports.c.number != number
    wanted = select(reports.c.number, reports.c.best).where(*mine)
    if judge.only_complete:
        same = (trials.c.study_id == reports.c.study_id) & (trials.c.number == reports.c.number)
        wanted = wanted.join(trials, same).where(trials.c.state == TrialState.COMPLETE)
    newest = connection.execute(wanted.order_by(reports.c.number.desc()).limit(RIVALS))
    return {row.number: row.best for row in newest}


# How trials end


def tell(connection: Connection, name: str, number: int, told: Told, terms: Terms) -> Trial:
    """End a trial. Raises TrialNotFound, IllegalMove."""
    row = study_rows.find(connection, name, lock=True)
    trial, id_ = _trial(connection, row, number)
    if trial.state.finished:
        check_tell_again(trial, told)
        return trial
    result = result_of(study_of(row), number, told, _reports(connection, row.study_id, number))
    _close(connection, row, {id_: result}, terms)
    _end_if_over(connection, name)
    return _trial(connection, row, number)[0]


def drop_lapsed(connection: Connection, name: str, terms: Terms) -> Study:
    """End trials that were lost too often. Raises StudyNotFound."""
    row = study_rows.find(connection, name, lock=True)
    if StudyState(row.state) not in OPEN:
        return study_of(row)
    over = leases.c.until_s <= row.now, leases.c.losses >= terms.retries
    found = connection.execute(select(leases.c.number).where(leases.c.study_id == row.study_id, *over))
    _lose(connection, row, list(found.scalars()), terms)
    return _end_if_over(connection, name)


def _lose(connection: Connection, row: Row[Any], numbers: Sequence[int], terms: Terms) -> None:
    study = study_of(row)
    ended = {}
    for number in numbers:
        _, id_ = _trial(connection, row, number)
        ended[id_] = lost(study, number, _reports(connection, row.study_id, number))
    _close(connection, row, ended, terms)


def wind_up(
    connection: Connection, name: str, reason: str | None, counted: int | None, *, at_once: bool, terms: Terms
) -> Study:
    """Hand out no further plans. Raises StudyNotFound."""
    row = study_rows.find(connection, name, lock=True)
    if StudyState(row.state) not in (*OPEN, StudyState.PAUSED):
        return study_of(row)
    if at_once:
        _end_running(connection, row, terms)
        row = study_rows.find(connection, name)
    if row.state != StudyState.STOPPING:
        study_rows.change(
            connection,
            row.study_id,
            state=StudyState.STOPPING,
            reason=reason,
            counted=counted,
            running_since=row.running_since or row.now,
        )
    return _end_if_over(connection, name)


def _end_running(connection: Connection, row: Row[Any], terms: Terms) -> None:
    study = study_of(row)
    of_study = trials.c.study_id == row.study_id, trials.c.state == TrialState.RUNNING
    ended = {}
    for number, id_ in connection.execute(select(trials.c.number, trials.c.trial_id).where(*of_study)).all():
        ended[id_] = out_of_time(study, number, _reports(connection, row.study_id, number))
    _close(connection, row, ended, terms)


def _close(connection: Connection, row: Row[Any], ended: dict[int, TrialResult], terms: Terms) -> None:
    """Write how trials ended; leases go, and reports that nobody is compared with."""
    if not ended:
        return
    trial_rows.close(connection, row, {id_: storable(result) for id_, result in ended.items()})
    numbers = [result.number for result in ended.values()]
    for table in (leases,) if terms.judge is not None else (leases, reports):
        for some in reading.in_parts(numbers):
            connection.execute(
                delete(table).where(table.c.study_id == row.study_id, table.c.number.in_(some))
            )


def _end_if_over(connection: Connection, name: str) -> Study:
    """The study as it is now; ended when nothing runs and nothing more will."""
    row = study_rows.find(connection, name)
    study = study_of(row)
    if not is_over(study):
        return study
    state, reason = StudyState.COMPLETED, study.reason
    if study.n_finished and not study.counts.get(TrialState.COMPLETE, 0):
        of_study = select(trials.c.reason).where(trials.c.study_id == study.id).limit(reading.NAMED)
        reasons = list(connection.execute(of_study).scalars())
        all_pruned = study.counts.get(TrialState.PRUNED, 0) == study.n_finished
        failed = why_failed(reasons, {}, all_pruned=all_pruned)
        state, reason = StudyState.FAILED, "; ".join(filter(None, (failed, study.reason)))
    study_rows.leave(connection, row, state, reason)
    return study_rows.reread(connection, study.id)


def without_driver(connection: Connection) -> list[str]:
    """Names of RUNNING and STOPPING studies that never have a driver."""
    wanted = select(optuna.studies.c.study_name).join(
        studies, studies.c.study_id == optuna.studies.c.study_id
    )
    running = studies.c.state.in_(DRIVEN), studies.c.driver_token.is_(None)
    return list(connection.execute(wanted.where(*running).order_by(studies.c.study_id)).scalars())


def n_unsampled(connection: Connection, name: str, first: int, end: int) -> int:
    """How many of the trials first … end - 1 no sampler proposed. Raises StudyNotFound."""
    mine = trials.c.study_id == study_rows.study_id(connection, name)
    between = trials.c.number >= first, trials.c.number < end, trials.c.sampled.is_(False)
    wanted = select(func.count()).select_from(trials).where(mine, *between)
    return int(connection.execute(wanted).scalar_one())
