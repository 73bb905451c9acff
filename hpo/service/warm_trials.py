"""Trials of other studies that a sampler is told of before a study begins."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.errors import StudyNotFound
from hpo.service.results import pages
from hpo.space import Params, SearchSpace, Value
from hpo.states import TrialState
from hpo.storage.base import Storage, TrialQuery
from hpo.study import Study, StudySpec
from hpo.trial import Trial

FINISHED = tuple(state for state in TrialState if state.finished)


def warm_trials(storage: Storage, study: Study, spec: StudySpec) -> list[Trial]:
    """What the studies that a study file names have learned by the time that this one was made: the same after every restart.

    A trial counts that has, with what was fixed in its study, a value in range for every parameter that
    would count here; its other parameters are left out. A study that was removed since has nothing to say.
    """
    found = []
    for name in spec.warm_start:
        try:
            source = storage.get_study(name)
        except StudyNotFound:
            continue
        fixed = fixed_of(source.spec)
        for trial in pages(storage, name, TrialQuery(states=FINISHED, unread=("facts", "lineage"))):
            if trial.finished_at is None or trial.finished_at >= study.created_at:
                continue
            params = in_words_of(spec.parameters, {**fixed, **trial.params})
            if params is not None:
                found.append(trial._replace(params=params))
    return found


def in_words_of(space: SearchSpace, values: Params) -> dict[str, Value] | None:
    """The searched parameters of a space that count under these values; None when one is missing or out of range.

    >>> from hpo.space import Choice, Range
    >>> momentum = Range(low=0.5, high=0.9, when={"optimizer": ("momentum",)})
    >>> space = SearchSpace({"optimizer": Choice(choices=("adam", "momentum")), "momentum": momentum})
    >>> in_words_of(space, {"optimizer": "adam", "l2": 0.1})
    {'optimizer': 'adam'}
    >>> in_words_of(space, {"optimizer": "momentum", "momentum": 0.99}) is None
    True
    """
    fixed, searched = space.fixed, space.searched
    found: dict[str, Value] = {}
    for name in space.in_order():
        if not space.is_active(name, found):
            continue
        if name in fixed:
            found[name] = fixed[name]
        elif name in values and searched[name].contains(values[name]):
            found[name] = values[name]
        else:
            return None
    return {name: value for name, value in found.items() if name in searched}


def fixed_of(spec: Mapping[str, object]) -> dict[str, Value]:
    """The parameters of a stored study file that are the same in all of its trials."""
    parameters = spec.get("parameters")
    if not isinstance(parameters, Mapping):
        return {}
    found = {name: _value_of(one) for name, one in parameters.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value_of(written: object) -> Value:
    """A parameter's only value; None when it has several, or counts only under a condition."""
    if isinstance(written, Mapping):
        return None if written.get("when") else _value_of(written.get("value"))
    return written if isinstance(written, bool | int | float | str) else None
