"""How much each parameter matters for a study's value: Optuna's PED-ANOVA over trials that are finished.

It asks how the best tenth of the trials differs from all of them, at a cost that hardly grows with their number
(fANOVA took two minutes for 2,000 trials).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import optuna
from optuna.distributions import json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import create_trial

from hpo.space import Params, Value

FEWEST = 20  # trials: of fewer the best tenth is one, which says nothing
FEWEST_WITH = 10  # trials that have a parameter which counts only in some
MOST = 10_000  # trials that are looked at: under a second

Valued = tuple[Params, float]


class Importance(NamedTuple):
    """A parameter's share in what all of them explain, 0 to 1; None with the reason where it cannot be judged."""

    name: str
    share: float | None
    reason: str | None = None


def importances(
    trials: Sequence[Valued], distributions: Mapping[str, str], *, minimize: bool
) -> list[Importance]:
    """The importance of each parameter, the largest first, then those that cannot be judged.

    trials: values of their active parameters, and what they came to; distributions: name -> Optuna's JSON
    """
    finite = [(params, value) for params, value in trials if math.isfinite(value)]
    seen = _spread(finite)
    reasons = {name: _reason(name, seen) for name in distributions}
    judged = {name: text for name, text in distributions.items() if reasons[name] is None}
    shares = _shares(seen, judged, minimize=minimize)
    found = [Importance(name, shares[name]) for name in sorted(judged, key=lambda name: -shares[name])]
    return found + [Importance(name, None, reason) for name, reason in reasons.items() if reason is not None]


def _spread(trials: Sequence[Valued]) -> list[Valued]:
    """At most MOST of them, evenly from first to last."""
    n = min(len(trials), MOST)
    return [trials[place * len(trials) // n] for place in range(n)]


def _reason(name: str, trials: Sequence[Valued]) -> str | None:
    """Why a parameter cannot be judged by these trials; None: it can."""
    if len(trials) < FEWEST:
        return f"needs at least {FEWEST} finished trials with a value, there are {len(trials)}"
    if len({value for _, value in trials}) == 1:
        return "all trials have the same value"
    having = [params[name] for params, _ in trials if name in params]
    if len(having) < FEWEST_WITH:
        return f"counts in {len(having)} of {len(trials)} trials, too few to say"
    if len(set(map(_key, having))) == 1:
        return "has the same value in all of these trials"
    return None


def _key(value: Value) -> tuple[str, Value]:
    """Tells 1, 1.0 and true apart."""
    return type(value).__name__, value


def _shares(
    trials: Sequence[Valued], distributions: Mapping[str, str], *, minimize: bool
) -> dict[str, float]:
    """The shares of parameters that can be judged, together 1; all 0 where none explains anything."""
    if not distributions:
        return {}
    study = _quiet_study(StudyDirection.MINIMIZE if minimize else StudyDirection.MAXIMIZE)
    kinds = {name: json_to_distribution(text) for name, text in distributions.items()}
    for params, value in trials:
        mine = {name: params[name] for name in kinds if name in params}
        study.add_trial(
            create_trial(params=mine, distributions={name: kinds[name] for name in mine}, value=value)
        )
    # Optuna's other evaluators bring scikit-learn: 1.5 s for every start of the API, which is seldom asked this.
    evaluator = importlib.import_module("optuna.importance").PedAnovaImportanceEvaluator()
    found = evaluator.evaluate(study, params=list(kinds))
    total = sum(found.values())
    return {name: float(found[name] / total) if total > 0 else 0.0 for name in kinds}


def _quiet_study(direction: StudyDirection) -> optuna.Study:
    """A study in memory, of which Optuna would say on standard error that it made it."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction=direction)
    finally:
        optuna.logging.set_verbosity(level)
