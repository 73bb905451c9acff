"""What ails a study or one of its trials, and the study file to try next, from what the storage has of it.

However many trials there are, it reads the best few, a sample of the others, and their curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.analysis.diagnosis.illnesses import Finding
from hpo.analysis.diagnosis.learning import Observed
from hpo.analysis.diagnosis.next_step import next_study, stem_of
from hpo.analysis.diagnosis.study import Seen, diagnose_study, n_best
from hpo.analysis.diagnosis.trial import diagnose_trial
from hpo.analysis.importance import Importance, importances
from hpo.service import forking, specfile
from hpo.service.records import plain
from hpo.service.results import fixed_of
from hpo.service.submit import Draft
from hpo.service.top import judge_of
from hpo.space import SearchSpace
from hpo.states import Reason, TrialState
from hpo.storage.base import Condition, Storage, TrialQuery
from hpo.study import Direction, Study
from hpo.trial import Trial

SAMPLE = 40  # trials whose curves are read: half of them with an illness is 50 % give or take 16
VALUED = 1_000  # trials for importances, which come at 0.1 s
FINISHED = tuple(state for state in TrialState if state.finished)


def diagnose(storage: Storage, name: str, number: int | None = None) -> dict[str, Any]:
    """The findings about a study, or about one of its trials, the most severe first.

    Raises StudyNotFound, TrialNotFound.
    """
    study = storage.get_study(name)
    if number is None:
        return {"study": name, "trial": None, "findings": records(_of_study(storage, study))}
    trial = storage.get_trial(name, number)
    [observed] = _observed(storage, study, [trial])
    return {"study": name, "trial": number, "findings": records(diagnose_trial(observed))}


def records(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings in JSON types."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "sentence": finding.sentence,
            "cure": finding.cure,
            "numbers": plain(dict(finding.numbers)),
            "trials": list(finding.trials),
        }
        for finding in findings
    ]


def next_file(storage: Storage, name: str) -> str:
    """The study file to try next, as YAML. Raises StudyNotFound, SpecError."""
    study = storage.get_study(name)
    best = storage.best_trials(name)
    tree = next_study(
        study.spec,
        _of_study(storage, study),
        best[0].params if best else {},
        name=name,
        taken=storage.study_names(stem_of(name)),
    )
    draft = Draft(spec=specfile.from_json(tree), folder=Path(study.folder), stem=name)
    return forking.text_of(draft)


def _of_study(storage: Storage, study: Study) -> list[Finding]:
    space = specfile.parameters_of(study.spec)
    complete, failed = (study.counts.get(state, 0) for state in (TrialState.COMPLETE, TrialState.FAIL))
    best = storage.best_trials(study.name, n_best(complete))
    sample = _spread(storage, study, SAMPLE, FINISHED)
    observed = _observed(storage, study, [*best, *sample])
    return diagnose_study(
        Seen(
            space=space,
            best=observed[: len(best)],
            sample=observed[len(best) :],
            ended=study.n_finished,
            failed=failed,
            complete=complete,
            diverged=_diverged(sample, failed),
            judge=judge_of(study),
            importances=_importances(storage, study, space),
        )
    )


def _spread(storage: Storage, study: Study, most: int, states: tuple[TrialState, ...]) -> list[Trial]:
    """At most so many trials in these states, from the first number to the last at equal steps."""
    n = min(study.n_planned, most)
    numbers = tuple(place * study.n_planned // n for place in range(n))
    if not numbers:
        return []
    among = Condition(name="number", op="in", value=numbers)
    return storage.trials(study.name, TrialQuery(states=states, where=(among,), limit=most))


def _diverged(sample: Sequence[Trial], failed: int) -> int:
    """How many of the failed trials diverged, by their share in a sample."""
    reasons = [trial.reason or "" for trial in sample if trial.state is TrialState.FAIL]
    ours = sum(reason.startswith(Reason.DIVERGED.value) for reason in reasons)
    return round(failed * ours / len(reasons)) if reasons else 0


def _observed(storage: Storage, study: Study, trials: Sequence[Trial]) -> list[Observed]:
    """The trials with their curves and all their settings."""
    space, curves = specfile.parameters_of(study.spec), storage.curves(study.name, [t.number for t in trials])
    return [
        Observed(
            trial=trial,
            curve=curves.get(trial.number),
            settings={**_epochs(study.spec), **fixed_of(space, trial.params), **trial.params},
        )
        for trial in trials
    ]


def _epochs(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"epochs": spec["epochs"]} if "epochs" in spec else {}


def _importances(storage: Storage, study: Study, space: SearchSpace) -> list[Importance]:
    seen = _spread(storage, study, VALUED, (TrialState.COMPLETE,))
    valued = [(trial.params, trial.first) for trial in seen if trial.feasible and trial.first is not None]
    distributions = {name: one.distribution_json() for name, one in space.searched.items()}
    return importances(valued, distributions, minimize=study.direction is Direction.MINIMIZE)
