"""What is known of a running study in memory: counts, the best trial, rates; shown as Progress."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from hpo.front import is_better
from hpo.progress import Progress
from hpo.states import StudyState, TrialState
from hpo.study import Study
from hpo.trial import Trial, TrialResult

WINDOW_S = 20.0  # rates are of the last so many seconds
SHOW_S = 0.1


class Tally:
    """Counts and rates of one study while it runs."""

    def __init__(
        self,
        study: Study,
        best: Trial | None,
        watch: Callable[[Progress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = {state: study.counts.get(state, 0) for state in TrialState}
        self.counted = study.counted
        self.best: tuple[float, int] | None = None
        if best is not None and best.first is not None:
            self.best = (best.first, best.number)
        self._study = study
        self._n_trials = study.n_trials
        self._watch = watch
        self._clock = clock
        self._began = clock()
        self._model_steps = 0
        self._shown = -math.inf
        self._marks = deque([(self._began, self._n_finished, 0)])
        self._progress = Progress(
            study=study.name,
            state=study.state,
            n_trials=study.n_trials,
            counts=dict(self.counts),
            metric=study.metric,
        )

    @property
    def _n_finished(self) -> int:
        return sum(n for state, n in self.counts.items() if state.finished)

    def count_only(self, counted: int, best: Trial | None) -> None:
        """Only trials below a number count for the best from now on; best: the best of those."""
        self.counted = counted
        self.best = None if best is None or best.first is None else (best.first, best.number)

    @property
    def n_planned(self) -> int:
        """Trials that have a number."""
        return sum(self.counts.values())

    def planned(self, n: int) -> None:
        """n trials have a number now."""
        self.counts[TrialState.RUNNING] += n

    def finished(self, results: Iterable[TrialResult]) -> None:
        """Trials that ended just now."""
        for result in results:
            self.counts[TrialState.RUNNING] -= 1
            self.counts[result.state] += 1
            if result.state is TrialState.COMPLETE and result.feasible and result.first is not None:
                new = (result.first, result.number)
                counts = self.counted is None or result.number < self.counted
                if counts and is_better(self._study.direction, new, self.best):
                    self.best = new

    def raised(self, n_trials: int) -> None:
        """The study's total is another now."""
        self._n_trials = n_trials
        self._progress = replace(self._progress, n_trials=n_trials)

    def trained(self, model_steps: int) -> None:
        """Steps of single models that were trained."""
        if not self._model_steps:  # rates count from here: workers take seconds to start
            self._marks = deque([(self._clock(), self._n_finished, 0)])
        self._model_steps += model_steps

    def show(
        self,
        state: StudyState,
        *,
        n_slots: int = 0,
        n_busy: int = 0,
        message: str | None = None,
        now: bool = False,
    ) -> None:
        """Hand the progress to whoever watches, ten times a second at most unless it is asked for now."""
        moment = self._clock()
        if moment - self._shown < SHOW_S and not now and message is None:
            return
        self._shown = moment
        trials_per_s, steps_per_s = self._rates(moment)
        self._progress = replace(
            self._progress,
            state=state,
            counts=dict(self.counts),
            best_value=None if self.best is None else self.best[0],
            best_number=None if self.best is None else self.best[1],
            trials_per_s=trials_per_s,
            model_steps_per_s=steps_per_s,
            seconds=self._study.seconds + moment - self._began,
            seconds_left=self._seconds_left(trials_per_s),
            n_slots=n_slots,
            n_busy=n_busy,
            message=message,
        )
        self._watch(self._progress)

    def live(self, *, n_slots: int, n_busy: int, n_lanes: int) -> dict[str, Any]:
        """How fast it goes now, as `Study.live` has it."""
        trials_per_s, steps_per_s = self._rates(self._clock())
        return {
            "trials_per_s": trials_per_s,
            "model_steps_per_s": steps_per_s,
            "seconds_left": self._seconds_left(trials_per_s),
            "n_slots": n_slots,
            "n_busy": n_busy,
            "n_lanes": n_lanes,
        }

    def _seconds_left(self, trials_per_s: float) -> float | None:
        return (self._n_trials - self._n_finished) / trials_per_s if trials_per_s > 0 else None

    def _rates(self, moment: float) -> tuple[float, float]:
        """Trials and model steps a second over the recent window."""
        if moment - self._marks[-1][0] >= 1.0:
            self._marks.append((moment, self._n_finished, self._model_steps))
        while len(self._marks) > 2 and moment - self._marks[0][0] > WINDOW_S:
            self._marks.popleft()
        then, n_finished, model_steps = self._marks[0]
        seconds = moment - then
        if seconds <= 0:
            return 0.0, 0.0
        return (self._n_finished - n_finished) / seconds, (self._model_steps - model_steps) / seconds
