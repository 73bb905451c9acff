"""When a study ends before its trials are all done: `stop`, and the limits of time and of failures.

`stop` looks at the longest finished prefix of numbers: the first trial by which it is fulfilled is the same on any
number of workers, and only the trials up to that one make the result. Those that run beyond it are kept as they
end, and never the best. Time and failures are of this world: who trains faster gets further.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hpo.durations import seconds_of
from hpo.errors import StudyFailed
from hpo.front import is_better
from hpo.states import Reason, TrialState
from hpo.study import Study, StudySpec
from hpo.trial import Trial, TrialResult

# What `limits.max_failed` counts; a trial that diverged was a bad setting, not a failure.
FAILURES = (Reason.ERROR, Reason.OUT_OF_MEMORY, Reason.LOST)


@dataclass(frozen=True, slots=True)
class Verdict:
    """No further trial begins. reason: for the study

    counted: only trials below this number count (None: all); at_once: the running ones end too
    """

    reason: str
    counted: int | None = None
    at_once: bool = False


class Stopping:
    """Watches a study for what ends it early. study: as it was when this coordinator took it."""

    def __init__(self, spec: StudySpec, study: Study, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._direction = study.direction
        self._since = study.since
        self._clock = clock
        self.amend(spec, study)
        self._failures: Counter[str] = Counter()
        self._held: dict[int, float | None] = {}  # values of finished trials beyond the prefix
        self._prefix = 0
        self._best: tuple[float, int] | None = None  # of the prefix
        self._fulfilled: Verdict | None = None

    def amend(self, spec: StudySpec, study: Study) -> None:
        """The limits of the study file are others now. study: as it is now"""
        self._spec = spec
        wall_time = spec.limits.wall_time
        left = None if wall_time is None else seconds_of(wall_time) - study.seconds
        self._deadline = None if left is None else self._clock() + left

    def finished(self, trials: Iterable[Trial | TrialResult]) -> None:
        """Trials that have ended, in any order, each once."""
        for trial in trials:
            counts = trial.state is TrialState.COMPLETE and trial.feasible
            self._held[trial.number] = trial.first if counts else None
            if trial.state is TrialState.FAIL and trial.reason in FAILURES and trial.number >= self._since:
                self._failures[trial.reason] += 1
        while self._prefix in self._held:
            self._count(self._prefix, self._held.pop(self._prefix))
            self._prefix += 1

    def _count(self, number: int, value: float | None) -> None:
        """Take the next trial of the prefix; the first one by which a rule is fulfilled decides."""
        if value is not None and is_better(self._direction, (value, number), self._best):
            self._best = value, number
        # After a resume rules are looked at anew: what fulfilled them before cannot do so again.
        if self._spec.stop is not None and self._fulfilled is None and number >= self._since:
            reason = self._reached(number, value) or self._plateau(number)
            if reason is not None:
                self._fulfilled = Verdict(f"{reason}; later trials do not count", counted=number + 1)

    def _reached(self, number: int, value: float | None) -> str | None:
        goal = self._spec.stop.value if self._spec.stop is not None else None
        if goal is None or value is None or self._direction.sign * (value - goal) > 0:
            return None
        return f"stop.value {goal:g} reached by trial {number}"

    def _plateau(self, number: int) -> str | None:
        patience = (self._spec.stop.plateau or {}).get("trials") if self._spec.stop is not None else None
        if patience is None or self._best is None:  # no value yet: that is no plateau
            return None
        last_better = max(self._best[1], self._since - 1)
        if number - last_better < patience:
            return None
        return f"stop.plateau: {patience} trials after trial {last_better} brought no better value"

    def check(self) -> Verdict | None:
        """Whether the study is to end now, and how. Raises StudyFailed for too many failures."""
        self._check_failures()
        if self._fulfilled is not None:
            return self._fulfilled
        if self._deadline is not None and self._clock() >= self._deadline:
            return Verdict(f"limits.wall_time {_words(self._spec.limits.wall_time)} is over", at_once=True)
        return None

    def _check_failures(self) -> None:
        most = self._spec.limits.max_failed
        n_failed = self._failures.total()
        if most is None or n_failed <= most:
            return
        counts = ", ".join(f"{n} {reason}" for reason, n in self._failures.most_common())
        verb = "trial has" if n_failed == 1 else "trials have"
        raise StudyFailed(f"{n_failed} {verb} failed ({counts}), and limits.max_failed allows {most}")


def _words(duration: str | float | None) -> str:
    """A time as the study file has it.

    >>> _words("1h30m"), _words(90.0)
    ('1h30m', '90 s')
    """
    return duration if isinstance(duration, str) else f"{duration:g} s"
