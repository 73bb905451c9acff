"""What a diagnosis sees of a study: its best few trials, a sample of the others, and their curves.

However many trials there are, at most 60 curves and 2,000 narrow rows are read.
"""

from __future__ import annotations

from collections.abc import Sequence

from hpo.analysis.diagnosis.learning import Observed
from hpo.analysis.diagnosis.study import Seen, n_best
from hpo.analysis.importance import Importance, importances
from hpo.service import specfile
from hpo.service.results import fixed_of
from hpo.service.top import judge_of
from hpo.space import SearchSpace
from hpo.states import Reason, TrialState
from hpo.storage.base import Condition, Storage, TrialQuery
from hpo.study import Direction, Study
from hpo.trial import Trial

SAMPLE = 40  # trials whose curves are read: half of them with an illness is 50 % give or take 16
VALUED = 1_000  # trials for importances, which come at 0.1 s
FINISHED = tuple(state for state in TrialState if state.finished)
NARROW = ("facts", "lineage")


def seen_of(storage: Storage, study: Study, *, weigh: bool = True) -> Seen:
    """What is known of a study. Of several objectives its best trials are those by the first one.

    weigh: parameters too, by importances; these take most of the time, and once in a process more than a second
    """
    space = specfile.parameters_of(study.spec)
    complete, failed = (study.counts.get(state, 0) for state in (TrialState.COMPLETE, TrialState.FAIL))
    best = _best(storage, study, n_best(complete))
    sample = _spread(storage, study, SAMPLE, FINISHED)
    looked_at = observed_of(storage, study, [*best, *sample])
    return Seen(
        space=space,
        best=looked_at[: len(best)],
        sample=looked_at[len(best) :],
        ended=study.n_finished,
        failed=failed,
        complete=complete,
        diverged=_diverged(sample, failed),
        judge=judge_of(study),
        importances=_importances(storage, study, space) if weigh else (),
    )


def observed_of(storage: Storage, study: Study, trials: Sequence[Trial]) -> list[Observed]:
    """Trials with their curves and all their settings."""
    space = specfile.parameters_of(study.spec)
    curves = storage.curves(study.name, [trial.number for trial in trials])
    epochs = {"epochs": study.spec["epochs"]} if "epochs" in study.spec else {}
    return [
        Observed(
            trial=trial,
            curve=curves.get(trial.number),
            settings={**epochs, **fixed_of(space, trial.params), **trial.params},
            elsewhere=study.external,
        )
        for trial in trials
    ]


def _best(storage: Storage, study: Study, n: int) -> list[Trial]:
    """The best n trials; of several objectives by the first, which no cost ever is.

    A front would not do: it holds the cheapest networks too, which are meant to be too small.
    """
    if not study.objectives:
        return storage.best_trials(study.name, n)
    sort = "-value" if _directions(study)[0] is Direction.MAXIMIZE else "value"
    query = TrialQuery(states=(TrialState.COMPLETE,), sort=sort, limit=VALUED, unread=("params", *NARROW))
    counted = study.n_planned if study.counted is None else study.counted
    ranked = [
        trial.number
        for trial in storage.trials(study.name, query)
        if trial.feasible and trial.first is not None and trial.number < counted
    ][:n]
    found = {trial.number: trial for trial in _numbered(storage, study, ranked)}
    return [found[number] for number in ranked]


def _spread(
    storage: Storage, study: Study, most: int, states: tuple[TrialState, ...], unread: tuple[str, ...] = ()
) -> list[Trial]:
    """At most so many trials in these states, from the first number to the last at equal steps."""
    n = min(study.n_planned, most)
    numbers = [place * study.n_planned // n for place in range(n)]
    return _numbered(storage, study, numbers, states, unread)


def _numbered(
    storage: Storage,
    study: Study,
    numbers: Sequence[int],
    states: tuple[TrialState, ...] = (),
    unread: tuple[str, ...] = (),
) -> list[Trial]:
    """Those of the trials that are in these states, by number."""
    if not numbers:
        return []
    among = Condition(name="number", op="in", value=tuple(numbers))
    return storage.trials(study.name, TrialQuery(states=states, where=(among,), unread=unread))


def _diverged(sample: Sequence[Trial], failed: int) -> int:
    """How many of the failed trials diverged, by their share in a sample."""
    reasons = [trial.reason or "" for trial in sample if trial.state is TrialState.FAIL]
    ours = sum(reason.startswith(Reason.DIVERGED.value) for reason in reasons)
    return round(failed * ours / len(reasons)) if reasons else 0


def _importances(storage: Storage, study: Study, space: SearchSpace) -> list[Importance]:
    """The importance of each parameter; of several objectives in the one in which it matters most."""
    seen = [t for t in _spread(storage, study, VALUED, (TrialState.COMPLETE,), NARROW) if t.feasible]
    distributions = {name: one.distribution_json() for name, one in space.searched.items()}
    most: dict[str, Importance] = {}
    for place, direction in enumerate(_directions(study)):
        valued = [
            (trial.params, value)
            for trial in seen
            if (value := trial.values[place] if trial.values else trial.value) is not None
        ]
        for one in importances(valued, distributions, minimize=direction is Direction.MINIMIZE):
            known = most.get(one.name)
            if known is None or known.share is None or (one.share is not None and one.share > known.share):
                most[one.name] = one
    return list(most.values())


def _directions(study: Study) -> list[Direction]:
    """Of each objective."""
    return [one.direction or study.direction for one in study.objectives] or [study.direction]
