"""The schedule that a population found for one trial, as a study file that trains it again."""

from __future__ import annotations

import copy
from typing import Any

from hpo.errors import IllegalMove, SpecError
from hpo.evolution import Change, history, schedule_of
from hpo.service import records, results, specfile
from hpo.service.populations import POPULATION
from hpo.space import Params
from hpo.storage.base import Storage, TrialQuery
from hpo.study import Study, StudySpec
from hpo.trial import Trial

# What a study file says of many trials, and one trial that ends at a known epoch has no use for.
_OF_MANY = ("name", "sampler", "early_stopping", "stop", "limits", "enqueue", "constraints", "warm_start")


def replayed(storage: Storage, name: str, number: int | None = None) -> dict[str, Any]:
    """The study file, as JSON types, of one trial that goes through what a trial of a population went through.

    It follows the weights that the trial had in its best epoch back to their beginning, and ends in that
    epoch: data, seed and settings are the same at every step, so the value is too. number: of the best trial
    unless given. Raises StudyNotFound, TrialNotFound, StudyFailed when none has a value; SpecError for a study without populations, and when what
    an ancestor inherited is not known; IllegalMove for a trial without a value.
    """
    study = storage.get_study(name)
    spec = specfile.from_json(study.spec)
    if spec.pruner.name != POPULATION or spec.pruner.bracket is None:
        raise SpecError(f"study {name!r} has no population, so there is no schedule to replay")
    chosen = results.best(storage, name)[0]["number"] if number is None else number
    trial = storage.get_trial(name, chosen)
    if trial.best_epoch is None:
        raise IllegalMove(f"trial {trial.number} of study {name!r} has no value; there is nothing to replay")
    size = spec.pruner.bracket
    block = storage.trials(name, TrialQuery(limit=size, offset=trial.number // size * size))
    start, changes = history({one.number: one for one in block}, trial.number, trial.best_epoch)
    return _tree(study, spec, trial, start, schedule_of(spec.parameters, start, changes))


def _tree(
    study: Study, spec: StudySpec, trial: Trial, start: Params, schedule: tuple[Change, ...]
) -> dict[str, Any]:
    tree = copy.deepcopy({key: value for key, value in study.spec.items() if key not in _OF_MANY})
    entries = [{"epoch": change.epoch, **records.plain(change.values)} for change in schedule]
    return tree | {
        "description": f"Trial {trial.number} of {study.name} again, by the schedule that its population found",
        "trials": 1,
        "parameters": records.plain(spec.parameters.active(start)),
        "pruner": {"name": POPULATION, "options": {"schedule": entries, "until": trial.best_epoch}},
    }
