"""The life of a study and of a trial: states, legal moves, reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

from hpo.errors import IllegalMove


class StudyState(StrEnum):
    """What a study is doing."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class TrialState(StrEnum):
    """Optuna's states of a trial."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the trial."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class CohortState(StrEnum):
    """What a cohort is doing: READY to be claimed, RUNNING under a lease, DONE."""

    READY = "READY"
    RUNNING = "RUNNING"
    DONE = "DONE"


class Wanted(StrEnum):
    """What somebody asked a study's owner to do; the owner obeys within a second."""

    NOTHING = ""
    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


_S = StudyState

MOVES: dict[StudyState, frozenset[StudyState]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.PAUSED, _S.STOPPING, _S.CANCELLED, _S.COMPLETED, _S.FAILED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.COMPLETED, _S.CANCELLED}),
    _S.STOPPING: frozenset({_S.COMPLETED, _S.CANCELLED, _S.FAILED}),
    _S.COMPLETED: frozenset({_S.QUEUED}),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset(),
}

FINAL = frozenset({_S.COMPLETED, _S.CANCELLED, _S.FAILED})
AT_REST = frozenset({_S.QUEUED, _S.PAUSED})  # nobody drives it, and it may go on


def check_move(name: str, old: StudyState, new: StudyState) -> None:
    """Raises IllegalMove unless a study may go from old to new."""
    if new in MOVES[old]:
        return
    if old is StudyState.CANCELLED:
        raise IllegalMove(f"study {name!r} is CANCELLED for good; `hpo fork {name}` makes a new one of it")
    legal = ", ".join(sorted(MOVES[old]))
    raise IllegalMove(f"study {name!r} is {old}, it cannot become {new}; it may become {legal}")


class Reason(StrEnum):
    """Why a trial ended as it did; some carry the epoch, as in `diverged@4`."""

    ERROR = "error"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"
    CANCELLED = "cancelled"
    INFEASIBLE = "infeasible"
    STOPPED_EARLY = "stopped_early"
    WALL_TIME = "wall_time"

    def at(self, epoch: int) -> str:
        """The reason with its epoch.

        >>> Reason.DIVERGED.at(4)
        'diverged@4'
        """
        return f"{self.value}@{epoch}"


def why_failed(
    reasons: Sequence[str | None], constraints: Mapping[str, str], *, all_pruned: bool = False
) -> str:
    """One sentence about a study in which not one trial is complete, or none that meets its constraints.

    all_pruned: whether each of its trials ended PRUNED, for the reasons that name the pruners

    >>> why_failed(["diverged@4", "diverged@1", "error"], {})
    'not one trial is complete: 2 diverged, 1 error'
    >>> why_failed(["infeasible", "infeasible"], {"n_parameters": "<= 100"})
    'not one of the trials meets the constraints (n_parameters <= 100); loosen them, or narrow the parameters'
    """
    if reasons and set(reasons) == {Reason.INFEASIBLE.value}:
        bounds = ", ".join(f"{expression} {condition}" for expression, condition in constraints.items())
        return (
            f"not one of the trials meets the constraints ({bounds}); loosen them, or narrow the parameters"
        )
    counts = Counter((reason or "failed").split("@")[0] for reason in reasons)
    by_pruners = all_pruned and not counts.keys() & {Reason.WALL_TIME.value, Reason.INFEASIBLE.value}
    cure = "; all were pruned: loosen the pruner, or leave it out" if by_pruners else ""
    return (
        f"not one trial is complete: {', '.join(f'{n} {reason}' for reason, n in counts.most_common())}{cure}"
    )
