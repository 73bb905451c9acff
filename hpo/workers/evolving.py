"""Let a cohort's trials change between epochs: a population by its values, a replayed trial by its schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hpo.cohort import EpochResult
from hpo.dataset import TrainingData
from hpo.evolution import Evolution
from hpo.fused.trainer import Report, Trainer
from hpo.pruners.population import perturbed, sources
from hpo.space import Params
from hpo.training import LaneSettings, settings_of
from hpo.trial import Inheritance


def evolving(trainer: Trainer, data: TrainingData, report: Report) -> Report:
    """A `report` that also changes the trainer's trials, if its task says how; else the same one."""
    evolution = trainer.task.evolution
    return report if evolution is None else Evolving(trainer, evolution, data, report)


class Evolving:
    """Reports an epoch, then changes trials before the next one.

    params: the searched values of each trial as they are now; lineage: what each has inherited
    """

    def __init__(self, trainer: Trainer, evolution: Evolution, data: TrainingData, report: Report) -> None:
        self._trainer = trainer
        self._evolution = evolution
        self._data = data
        self._report = report
        self._changes = {change.epoch for change in evolution.schedule}
        self.params: dict[int, Params] = dict(evolution.params)
        self.lineage: dict[int, tuple[Inheritance, ...]] = {}

    def __call__(self, result: EpochResult) -> Sequence[bool] | None:
        """Report with the lineage of those who ended. Raises what the report and `Trainer.copy` raise."""
        ended = tuple(replace(one, lineage=self.lineage.get(one.number, ())) for one in result.ended)
        mask = self._report(replace(result, ended=ended))
        dropped = (
            set() if mask is None else {n for n, keep in zip(result.numbers, mask, strict=True) if not keep}
        )
        living = [number for number in self._trainer.trials if number not in dropped]
        every = self._evolution.every
        if every and result.epoch % every == 0:
            values = dict(zip(result.numbers, result.values, strict=True))
            self._inherit(result.epoch, {number: values[number] for number in living})
        if result.epoch in self._changes and living:
            new = {n: self._settings(n, self.params[n], result.epoch) for n in living}
            self._trainer.copy({n: n for n in living}, new)
        return mask

    def _inherit(self, epoch: int, values: Mapping[int, float]) -> None:
        """Let the worst trials go on from the best ones."""
        generation = epoch // self._evolution.every
        pairs = sources(values, self._trainer.task.direction.sign, self._evolution, generation)
        if not pairs:
            return
        new = {to: perturbed(self.params[of], self._evolution, to, generation) for to, of in pairs.items()}
        self._trainer.copy(pairs, {to: self._settings(pairs[to], new[to], epoch) for to in pairs})
        for to, source in pairs.items():
            change = Inheritance(epoch=epoch, source=source, params=new[to])
            self.lineage[to] = (*self.lineage.get(to, ()), change)
            self.params[to] = new[to]

    def _settings(self, source: int, params: Params, epoch: int) -> LaneSettings:
        """The settings of these searched values, with the widths of the trial whose weights are taken over."""
        values = self._evolution.values(params, epoch)
        _, settings = settings_of(values, task=self._data.task, n_classes=self._data.n_classes)
        # A rule for widths reads more of the data than a change of settings may ask for.
        return replace(settings, hidden=self._trainer.trials[source].settings.hidden)
