"""Trials, many per transaction, into Optuna's own tables and the narrow one beside them.

One trial at a time through Optuna's ask, report and tell costs 100 statements and 27 commits; here a
cohort's step is one statement. Readers of Optuna cache finished trials for ever, so everything about a
trial is written before its state, in the same transaction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text

from hpo.cohort import Cohort, CohortPlan
from hpo.errors import IllegalMove, TrialNotFound
from hpo.space import SearchSpace
from hpo.states import CohortState, TrialState
from hpo.storage import by_param, queue
from hpo.storage import cohorts as cohort_rows
from hpo.storage import optuna_tables as optuna
from hpo.storage import studies as study_rows
from hpo.storage.base import Claim
from hpo.storage.bulk import BulkInsert, BulkUpdate
from hpo.storage.claims import fence
from hpo.storage.engine import utc
from hpo.storage.records import COUNTERS, TRIAL, curve_columns, lineage_text, n_finished, to_json, trial_of
from hpo.storage.rules import check_plan, facts_of, finite, planned_before, storable, values_of
from hpo.storage.tables import curves, studies, trials
from hpo.trial import TrialPlan, TrialResult

_INSERT_OPTUNA = BulkInsert(optuna.trials, ("trial_id", "number", "study_id", "state", "datetime_start"))
_INSERT_NARROW = BulkInsert(
    trials,
    (
        "study_id",
        "number",
        "trial_id",
        "state",
        "epochs",
        "retry_of",
        "cohort",
        "started_at",
        "params",
        "sampled",
        "budget",
        "feasible",
    ),
)
_UPSERT_STEPS = BulkInsert(
    optuna.steps,
    ("trial_id", "step", "intermediate_value", "intermediate_value_type"),
    conflict=("trial_id", "step"),
)
_INSERT_PARAMS = BulkInsert(optuna.params, ("trial_id", "param_name", "param_value", "distribution_json"))
# Another program may have told Optuna of a trial that runs here: what was found here counts.
_UPSERT_VALUES = BulkInsert(
    optuna.values, ("trial_id", "objective", "value", "value_type"), conflict=("trial_id", "objective")
)
_INSERT_CURVES = BulkInsert(curves, ("study_id", "number", "columns", "block"))
_FINISH_OPTUNA = BulkUpdate(optuna.trials, ("state", "datetime_complete"), keys=("trial_id",))
_FINISH_NARROW = BulkUpdate(
    trials,
    (
        "state",
        "reason",
        "value",
        "values",
        "first",
        "stderr",
        "best_epoch",
        "epochs",
        "finished_at",
        "facts",
        "feasible",
        "lineage",
        "place",
    ),
    keys=("study_id", "number"),
)


def plan(
    connection: Connection,
    held: Claim,
    space: SearchSpace,
    plans: Sequence[TrialPlan],
    cohort_plans: Sequence[CohortPlan],
) -> list[Cohort]:
    """Insert trials, RUNNING, and their cohorts, READY. Raises LeaseLost, IllegalMove, ValueError."""
    row = fence(connection, held)
    first = sum(getattr(row, column) for column in COUNTERS.values())
    if plans and plans[0].number < first:
        before = _planned_before(connection, held, plans, cohort_plans)
        if before:
            return before
    check_plan(first, plans, cohort_plans)
    if not plans:
        return []
    queue.take(connection, held.study, plans)
    made = cohort_rows.add(connection, held.study, cohort_plans)
    add(connection, row, space, plans, {number: cohort.id for cohort in made for number in cohort.numbers})
    return made


def _planned_before(
    connection: Connection, held: Claim, plans: Sequence[TrialPlan], cohort_plans: Sequence[CohortPlan]
) -> list[Cohort]:
    last = select(*TRIAL).where(trials.c.study_id == held.study, trials.c.number >= plans[0].number)
    rows = connection.execute(last.order_by(trials.c.number))
    unfinished = cohort_rows.not_done(connection, held.study)
    return planned_before(plans, cohort_plans, [trial_of(row) for row in rows], unfinished)


def add(
    connection: Connection,
    row: Row[Any],
    space: SearchSpace,
    plans: Sequence[TrialPlan],
    cohort_of: Mapping[int, int],
) -> None:
    """Insert trials of the next numbers, RUNNING. row: the study's, locked. Raises IllegalMove."""
    _lock_numbering(connection, row, plans[0].number)
    ids = _new_trial_ids(connection, len(plans))
    now = utc(row.now)
    # RUNNING at once: a foreign study.ask would pop trials that are WAITING.
    state = TrialState.RUNNING.value
    planned = list(zip(ids, plans, strict=True))
    _INSERT_OPTUNA(connection, [(id_, plan.number, row.study_id, state, now) for id_, plan in planned])
    _INSERT_PARAMS(connection, list(_params(ids, plans, space)))
    _INSERT_NARROW(
        connection,
        [
            (
                row.study_id,
                plan.number,
                id_,
                state,
                0,
                plan.retry_of,
                cohort_of.get(plan.number),
                now,
                to_json(dict(plan.params)),
                plan.queued is None,
                plan.epochs,
                True,
            )
            for id_, plan in planned
        ],
    )
    by_param.add(connection, row.study_id, space, plans)
    study_rows.change(connection, row.study_id, n_running=studies.c.n_running + len(plans))


def _lock_numbering(connection: Connection, row: Row[Any], first: int) -> None:
    """Keep Optuna's own ask out while numbers are given, and see that it gave none itself."""
    lock = select(optuna.studies.c.study_id).where(optuna.studies.c.study_id == row.study_id)
    connection.execute(lock.with_for_update())
    last = (
        select(optuna.trials.c.number)
        .where(optuna.trials.c.study_id == row.study_id)
        .order_by(optuna.trials.c.trial_id.desc())
        .limit(1)
    )
    number = connection.execute(last).scalar_one_or_none()
    if (-1 if number is None else number) != first - 1:
        raise IllegalMove(
            f"another program added trials to study {row.study_name!r} with Optuna's own tools; "
            f"`hpo fork {row.study_name}` makes a new one of its study file"
        )


def _new_trial_ids(connection: Connection, n: int) -> Sequence[int]:
    """Ids for n new rows of Optuna's trials, ascending as the numbers are: Optuna counts by them."""
    if connection.dialect.name == "sqlite":
        last = connection.execute(text("SELECT coalesce(max(trial_id), 0) FROM trials")).scalar_one()
        return range(last + 1, last + 1 + n)
    drawn = text("SELECT nextval(pg_get_serial_sequence('trials', 'trial_id')) FROM generate_series(1, :n)")
    return sorted(connection.execute(drawn, {"n": n}).scalars())


def _params(
    ids: Sequence[int], plans: Sequence[TrialPlan], space: SearchSpace
) -> Iterable[tuple[int, str, float, str]]:
    """Rows of Optuna's trial_params. The study file's range goes with each value, not a round's own."""
    searched = {name: (p, p.distribution_json()) for name, p in space.searched.items()}
    for id_, plan in zip(ids, plans, strict=True):
        for name, value in plan.params.items():
            parameter, distribution = searched[name]
            yield id_, name, parameter.internal(value), distribution


def record(
    connection: Connection,
    held: Claim,
    cohort: int,
    attempt: int,
    epoch: int,
    steps: Mapping[int, Mapping[int, float]],
) -> None:
    """How far a cohort is, and steps of its trials that still run. Raises LeaseLost."""
    row = fence(connection, held)
    cohort_rows.check(connection, held, cohort, attempt)
    cohort_rows.change(connection, cohort, epoch=epoch, lease_until=row.lease_until)
    known = _of_cohort(connection, held, cohort, list(steps))
    write_steps(
        connection,
        {known[n][0]: points for n, points in steps.items() if n in known and not known[n][1].finished},
    )


def finish(
    connection: Connection,
    held: Claim,
    cohort: int,
    attempt: int,
    results: Sequence[TrialResult],
    done: bool,
) -> list[int]:
    """RUNNING trials to their final states; the numbers that ended now. Raises LeaseLost, TrialNotFound."""
    row = fence(connection, held)
    if done and cohort_rows.is_done(connection, held, cohort, attempt):
        return []  # it has been carried out, only the answer was lost
    kept = cohort_rows.check(connection, held, cohort, attempt)
    known = _of_cohort(connection, held, cohort, [r.number for r in results])
    for result in results:
        if result.number not in known:
            raise TrialNotFound(f"cohort {cohort} of study {held.name!r} has no trial {result.number}")
    fresh: dict[int, TrialResult] = {}
    for result in map(storable, results):
        if not known[result.number][1].finished:
            fresh.setdefault(result.number, result)
    close(connection, row, {known[number][0]: result for number, result in fresh.items()})
    if done:
        cohort_rows.forget(connection, kept)
        cohort_rows.change(connection, cohort, state=CohortState.DONE)
    return sorted(fresh)


def close(connection: Connection, row: Row[Any], ended: Mapping[int, TrialResult]) -> None:
    """RUNNING trials to their final states. row: the study's, as it is now and locked; ended: storable, by
    Optuna's id."""
    if not ended:
        return
    results = sorted(ended.values(), key=lambda result: result.number)
    _finish_for_optuna(connection, ended, utc(row.now))
    _finish_narrow(connection, row, results)
    _count(connection, row.study_id, results)


def _of_cohort(
    connection: Connection, held: Claim, cohort: int, numbers: Sequence[int]
) -> dict[int, tuple[int, TrialState]]:
    """Optuna's id and the state of those of the numbers that are trials of the cohort."""
    wanted = select(trials.c.number, trials.c.trial_id, trials.c.state).where(
        trials.c.study_id == held.study, trials.c.number.in_(numbers), trials.c.cohort == cohort
    )
    return {number: (id_, TrialState(state)) for number, id_, state in connection.execute(wanted)}


def _kind(value: float) -> tuple[float | None, str]:
    """A number as Optuna stores it: what is not finite becomes a word.

    >>> _kind(0.5), _kind(float("-inf"))
    ((0.5, 'FINITE'), (None, 'INF_NEG'))
    """
    if math.isfinite(value):
        return value, "FINITE"
    if math.isnan(value):
        return None, "NAN"
    return None, "INF_POS" if value > 0 else "INF_NEG"


def write_steps(connection: Connection, steps: Mapping[int, Mapping[int, float]]) -> None:
    """Upsert intermediate values, by Optuna's trial id and step."""
    _UPSERT_STEPS(
        connection,
        [(id_, step, *_kind(value)) for id_, points in steps.items() for step, value in points.items()],
    )


def _finish_for_optuna(connection: Connection, ended: Mapping[int, TrialResult], now: Any) -> None:
    """Steps, values and constraints first, the state last."""
    write_steps(connection, {id_: result.steps for id_, result in ended.items()})
    values = [
        (id_, objective, *_kind(value))
        for id_, result in ended.items()
        for objective, value in enumerate(values_of(result))
    ]
    _UPSERT_VALUES(connection, values)
    broken = [
        {"trial_id": id_, "key": optuna.INFEASIBLE, "value_json": "1.0"}
        for id_, result in ended.items()
        if not result.feasible
    ]
    if broken:
        connection.execute(insert(optuna.trial_system_attributes), broken)
    _FINISH_OPTUNA(connection, [(result.state.value, now, id_) for id_, result in ended.items()])


def _finish_narrow(connection: Connection, row: Row[Any], results: Sequence[TrialResult]) -> None:
    """The same in our own table, and the curves. row: the study's, locked; results: by number."""
    study, now, before = row.study_id, utc(row.now), n_finished(row)
    _FINISH_NARROW(
        connection,
        [
            (
                r.state.value,
                r.reason,
                finite(r.value),
                to_json(r.values) if r.values else None,
                finite(r.first),
                finite(r.stderr),
                r.best_epoch,
                r.epochs,
                now,
                to_json(facts_of(r)) if r.facts else None,
                r.feasible,
                lineage_text(r.lineage),
                place,
                study,
                r.number,
            )
            for place, r in enumerate(results, before + 1)
        ],
    )
    drawn = [(r.number, curve_columns(r.curve)) for r in results if r.curve is not None]
    _INSERT_CURVES(connection, [(study, number, *curve) for number, curve in drawn])


def _count(connection: Connection, study: int, results: Sequence[TrialResult]) -> None:
    """Move the counters that stand with the study."""
    columns: dict[str, Any] = {"n_running": studies.c.n_running - len(results)}
    for state, group in groupby(sorted(r.state for r in results)):
        name = COUNTERS[state]
        columns[name] = studies.c[name] + len(list(group))
    study_rows.change(connection, study, **columns)
