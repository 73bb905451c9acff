"""How much each searched parameter of a study matters."""

from __future__ import annotations

from typing import Any

from hpo.analysis.importance import importances
from hpo.errors import UnknownName
from hpo.service import specfile
from hpo.service.results import pages
from hpo.states import TrialState
from hpo.storage.base import Storage, TrialQuery
from hpo.study import Direction, Study


def importance(storage: Storage, name: str, *, metric: str | None = None) -> dict[str, Any]:
    """Each searched parameter with its share in what parameters explain, the largest first.

    metric: of several objectives the one to look at; the first unless given
    A parameter that cannot be judged has null, and says why. Raises StudyNotFound, UnknownName.
    """
    study = storage.get_study(name)
    place, chosen, direction = objective_of(study, metric)
    complete = TrialQuery(states=(TrialState.COMPLETE,), unread=("facts", "lineage"))
    seen = [
        (trial.params, value)
        for trial in pages(storage, name, complete)
        if trial.feasible and (value := trial.values[place] if trial.values else trial.value) is not None
    ]
    space = specfile.parameters_of(study.spec)
    distributions = {one: p.distribution_json() for one, p in space.searched.items()}
    minimize = direction is Direction.MINIMIZE
    found = importances(seen, distributions, minimize=minimize)
    return {
        "study": name,
        "metric": chosen,
        "n_trials": len(seen),
        "items": [{"name": one.name, "importance": one.share, "reason": one.reason} for one in found],
    }


def objective_of(study: Study, metric: str | None) -> tuple[int, str, Direction]:
    """The place of an objective among a trial's values, its metric and its direction. Raises UnknownName."""
    if not study.objectives:
        if metric not in (None, study.metric):
            raise UnknownName(f"study {study.name!r} has one objective, {study.metric}", field="metric")
        return 0, study.metric, study.direction
    names = [one.metric for one in study.objectives]
    wanted = names[0] if metric is None else metric
    if wanted not in names:
        raise UnknownName(f"the objectives are {', '.join(names)}, got {wanted[:80]!r}", field="metric")
    place = names.index(wanted)
    return place, wanted, study.objectives[place].direction or study.direction
