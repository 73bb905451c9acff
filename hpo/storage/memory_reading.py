"""Reading trials of the in-memory storage."""

from __future__ import annotations

from collections.abc import Sequence

from hpo.errors import TrialNotFound
from hpo.states import TrialState
from hpo.storage.base import Origins, TrialQuery
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_query import page
from hpo.storage.rules import directions_of, front_of
from hpo.study import Direction
from hpo.trial import Curve, Trial


class MemoryReading(MemoryBase):
    """Pages of trials, the best, curves; what each method does and raises stands in `base.Storage`."""

    @alone
    def trials(self, name: str, query: TrialQuery = TrialQuery()) -> list[Trial]:  # noqa: B008 - frozen
        """Trials of a study."""
        return page(self.find(name).trials.values(), query)

    @alone
    def get_trial(self, name: str, number: int) -> Trial:
        """One trial."""
        kept = self.find(name)
        if number not in kept.trials:
            raise TrialNotFound(f"study {name!r} has no trial {number}")
        return kept.trials[number]

    @alone
    def origins(self, name: str) -> Origins:
        """Where its trials come from."""
        found = self.find(name).trials.values()
        return Origins(
            n_enqueued=sum(not trial.sampled for trial in found),
            n_inherited=sum(bool(trial.lineage) for trial in found),
            retries={trial.retry_of: trial.number for trial in found if trial.retry_of is not None},
        )

    @alone
    def best_trials(self, name: str, n: int = 1) -> list[Trial]:
        """The best COMPLETE trials."""
        study = self.find(name).study
        if study.objectives:
            return self.pareto(name)[:n]
        maximize = study.direction is Direction.MAXIMIZE
        query = TrialQuery(states=(TrialState.COMPLETE,), sort="-value" if maximize else "value")
        found = [t for t in self.trials(name, query) if t.value is not None and t.feasible]
        return [t for t in found if study.counted is None or t.number < study.counted][:n]

    @alone
    def leaders(self, names: Sequence[str]) -> dict[str, Trial]:
        """The first of the best trials of each of the studies."""
        found = {name: self.best_trials(name, 1) for name in names if name in self.kept}
        return {name: trials[0] for name, trials in found.items() if trials}

    @alone
    def pareto(self, name: str) -> list[Trial]:
        """The Pareto front."""
        kept = self.find(name)
        points = {
            number: trial.values or ((trial.value,) if trial.value is not None else ())
            for number, trial in kept.trials.items()
            if trial.state is TrialState.COMPLETE and trial.feasible
            if kept.study.counted is None or number < kept.study.counted
        }
        points = {number: values for number, values in points.items() if values}
        return [kept.trials[number] for number in front_of(points, directions_of(kept.study))]

    @alone
    def curve(self, name: str, number: int) -> Curve | None:
        """The curve of a finished trial."""
        self.get_trial(name, number)
        return self.find(name).curves.get(number)

    @alone
    def curves(self, name: str, numbers: Sequence[int]) -> dict[int, Curve]:
        """The curves of those of the trials that have one."""
        kept = self.find(name)
        return {number: kept.curves[number] for number in numbers if number in kept.curves}

    @alone
    def finished_after(self, name: str, place: int, limit: int) -> list[Trial]:
        """Trials that finished after the one of that place."""
        trials = self.find(name).trials.values()
        later = [trial for trial in trials if trial.place is not None and trial.place > place]
        return sorted(later, key=lambda trial: trial.place or 0)[:limit]
