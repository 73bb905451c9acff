"""What every storage decides alike about trials that are trained elsewhere."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from hpo.errors import IllegalMove
from hpo.states import Reason, StudyState, TrialState
from hpo.storage.base_external import OneByOne, Told
from hpo.storage.rules import directions_of
from hpo.study import Study
from hpo.trial import Curve, Trial, TrialPlan, TrialResult

MOST_STEPS = 20  # points of a trial in Optuna's table
OPEN = frozenset({StudyState.QUEUED, StudyState.RUNNING, StudyState.STOPPING})


class Report(NamedTuple):
    """What was reported after an epoch; best: the best value so far; prune: what was answered."""

    epoch: int
    value: float
    best: float
    rung: int | None = None
    prune: bool = False


def best_so_far(study: Study, before: Sequence[Report], value: float) -> float:
    """The better of a value and those reported before."""
    sign = study.direction.sign
    return value if not before or sign * value < sign * before[-1].best else before[-1].best


def is_shown(epoch: int, epochs: int | None) -> bool:
    """Whether Optuna's table gets the point: at most MOST_STEPS of a trial do, the last one always.

    >>> [e for e in range(1, 101) if is_shown(e, 100)][:3], [e for e in range(1, 40) if is_shown(e, None)]
    ([6, 12, 18], [1, 2, 4, 8, 16, 32])
    """
    if epochs is None:
        return epoch & (epoch - 1) == 0
    return epoch % math.ceil(epochs / (MOST_STEPS - 1)) == 0


def result_of(study: Study, number: int, told: Told, reports: Sequence[Report]) -> TrialResult:
    """How a trial ended, by what was told and, where that says less, by what was reported.

    reports: by epoch. A value that is not told is the best that was reported.
    """
    last = reports[-1].epoch if reports else 0
    epochs = last if told.epochs is None else told.epochs
    values = told.values
    if not values and reports and told.state is not TrialState.FAIL:
        values = (reports[-1].best,)
    best = next((report.epoch for report in reports if report.value == report.best == reports[-1].best), None)
    several = len(directions_of(study)) > 1
    return TrialResult(
        number=number,
        state=told.state,
        reason=_reason(told, reports, epochs),
        value=values[0] if values and not several else None,
        values=values if several else (),
        best_epoch=best,
        epochs=epochs,
        curve=curve_of(study.metric, reports),
        steps={last: reports[-1].value} if reports else {},
    )


def _reason(told: Told, reports: Sequence[Report], epochs: int) -> str | None:
    """As told; a trial that was told to end says by whom and when, one that diverged when."""
    if told.reason == Reason.DIVERGED.value:
        return Reason.DIVERGED.at(epochs)
    if told.state is TrialState.PRUNED and told.reason is not None and "@" not in told.reason:
        asked = next((report.epoch for report in reports if report.prune), epochs)
        return f"{told.reason}@{asked}"
    return told.reason


def curve_of(metric: str, reports: Sequence[Report]) -> Curve | None:
    """What was reported, an entry per epoch from 1 on; NaN where nothing was."""
    if not reports:
        return None
    block = array("f", [math.nan]) * reports[-1].epoch
    for report in reports:
        block[report.epoch - 1] = report.value
    return Curve(columns=(metric,), block=block)


def lost(study: Study, number: int, reports: Sequence[Report]) -> TrialResult:
    """A trial whose clients fell silent once too often."""
    told = Told(state=TrialState.FAIL, reason=Reason.LOST.value)
    return result_of(study, number, told, reports)


def out_of_time(study: Study, number: int, reports: Sequence[Report]) -> TrialResult:
    """A trial that ran when the study's time was over: its best so far."""
    epoch = reports[-1].epoch if reports else 0
    told = Told(state=TrialState.PRUNED, reason=Reason.WALL_TIME.at(epoch))
    return result_of(study, number, told, reports)


def check_tell_again(trial: Trial, told: Told) -> None:
    """Raises IllegalMove unless a trial ended just as is told now; what is not told now is not compared."""
    ended = f"trial {trial.number} is {trial.state}" + (f" ({trial.reason})" if trial.reason else "")
    values = trial.values or (() if trial.value is None else (trial.value,))
    same = (
        told.state is trial.state
        and (not told.values or told.values == values)
        and (told.epochs is None or told.epochs == trial.epochs)
        and (told.reason is None or told.reason.split("@")[0] == (trial.reason or "").split("@")[0])
    )
    if not same:
        what = f" with {', '.join(f'{value:g}' for value in values)}" if values else ""
        raise IllegalMove(f"{ended}{what} already, and what is told now is something else")


def check_runs(trial: Trial) -> None:
    """Raises IllegalMove for a trial that has ended."""
    if trial.state.finished:
        why = f" ({trial.reason})" if trial.reason else ""
        raise IllegalMove(
            f"trial {trial.number} is {trial.state}{why}; stop training it, and ask for another"
        )


def check_report(number: int, before: Sequence[Report], epoch: int, value: float) -> Report | None:
    """The report that this one repeats, if any. Raises IllegalMove for another value, or an earlier epoch."""
    for report in before:
        if report.epoch == epoch:
            if report.value == value:
                return report
            raise IllegalMove(
                f"trial {number} reported {report.value:g} after epoch {epoch}, and now {value:g}",
                field="value",
            )
    if before and epoch < before[-1].epoch:
        raise IllegalMove(
            f"trial {number} has reported epoch {before[-1].epoch}; epochs are reported in order",
            field="epoch",
        )
    return None


def rung_of(judge: OneByOne | None, number: int, before: Sequence[Report], epoch: int) -> int | None:
    """The rung at which a trial is judged now, if any."""
    return None if judge is None else judge.rung(number, before[-1].epoch if before else 0, epoch)


def is_stale(plans: Sequence[TrialPlan], planned: int, queue: Sequence[int]) -> bool:
    """Whether plans were made for another state of the study.

    planned: how many trials have a number; queue: ids of the first settings that wait, at least one per plan
    """
    if not plans:
        return False
    ids = [plan.queued for plan in plans]
    head: list[int | None] = list(queue[: len(plans)])
    return plans[0].number != planned or ids != head + [None] * (len(plans) - len(head))


def n_new(study: Study, wanted: int, parallel: int | None) -> int:
    """How many trials that have no number yet a study may begin."""
    if study.state is not StudyState.RUNNING:
        return 0
    left = study.n_trials - study.n_planned
    room = wanted if parallel is None else parallel - study.counts.get(TrialState.RUNNING, 0)
    return max(0, min(wanted, left, room))


def is_over(study: Study) -> bool:
    """Whether nothing runs and nothing more will; settings that wait are part of the total."""
    if study.counts.get(TrialState.RUNNING, 0) or study.state not in (*OPEN, StudyState.PAUSED):
        return False
    if study.state is StudyState.STOPPING:
        return True
    return study.n_planned > 0 and study.n_planned >= study.n_trials
