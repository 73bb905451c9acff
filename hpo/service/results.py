"""What came out of a study: its best trial, its trials, itself; and which studies there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hpo.errors import SpecError, StudyFailed, TrialNotFound, UnknownName, suggest
from hpo.service import records, specfile
from hpo.service.populations import POPULATION
from hpo.service.repeating import commands
from hpo.service.resting import seen, stored
from hpo.space import Params, SearchSpace, Value
from hpo.states import FINAL, StudyState, TrialState
from hpo.storage.base import Storage, StudyQuery, TrialQuery
from hpo.storage.ordering import after_of
from hpo.study import Study
from hpo.trial import Trial

SORTS = ("number", "-number", "value", "-value")
PAGE = 1_000
MAX_LIMIT = 10_000_000


def best(storage: Storage, name: str, *, top: int = 1) -> list[dict[str, Any]]:
    """The best trials of a study, the best first, each as `hpo best -f json` shows it.

    With several objectives they are those on the Pareto front, by the first objective; one alone also holds
    the whole `front`. Raises StudyNotFound; StudyFailed when the study ended without a value, TrialNotFound when there
    is none yet.
    """
    if top < 1:
        raise SpecError(f"must be >= 1, got {top}", field="top")
    study = storage.get_study(name)
    front = storage.pareto(name) if study.objectives else storage.best_trials(name, top)
    if not front:
        raise _no_value(study)
    space = specfile.parameters_of(study.spec)
    found = [_best_record(study, trial, space) for trial in front[:top]]
    if study.objectives and top == 1:
        found[0]["front"] = [_front_record(trial) for trial in front]
    return found


def front(storage: Storage, name: str) -> list[dict[str, Any]]:
    """The Pareto front, by the first objective; with one objective the trials that share the best value.

    Raises StudyNotFound.
    """
    return [_front_record(trial) for trial in storage.pareto(name)]


def _front_record(trial: Trial) -> dict[str, Any]:
    """A trial on the Pareto front; values in the order of the study's objectives."""
    return {
        "number": trial.number,
        "values": records.plain(trial.values or (trial.value,)),
        "stderr": records.plain(trial.stderr),
        "params": records.plain(trial.params),
    }


def _no_value(study: Study) -> StudyFailed | TrialNotFound:
    states = ", ".join(f"{n} {state}" for state, n in records.counts_record(study).items()) or "no trials"
    if study.counts.get(TrialState.COMPLETE):
        bounds = ", ".join(f"{e} {c}" for e, c in study.spec.get("constraints", {}).items())
        said = f"meets its constraints ({bounds}; {states})"
        kind = StudyFailed if study.state in FINAL else TrialNotFound
        return kind(
            f"not one complete trial of study {study.name!r} {said}; `hpo trials {study.name}` shows them"
        )
    if study.state in FINAL:
        return StudyFailed(
            f"study {study.name!r} is {study.state} and no trial has a value ({states}); "
            f"`hpo trials {study.name}` gives each one's reason"
        )
    return TrialNotFound(f"study {study.name!r} has no finished trial with a value yet ({states})")


def _best_record(study: Study, trial: Trial, space: SearchSpace) -> dict[str, Any]:
    test = None
    if study.test is not None and study.test.get("number") == trial.number:
        test = {key: score for key, score in study.test.items() if key != "number"}
    return {
        "study": study.name,
        "number": trial.number,
        "value": records.plain(trial.value),
        "stderr": records.plain(trial.stderr),
        "metric": study.metric,
        **records.objectives_record(study, trial),
        "params": records.plain(trial.params),
        "fixed": records.plain(fixed_of(space, trial.params)),
        "test": records.plain(test),
        "n_trials": study.n_trials,
        "states": records.counts_record(study),
        "seconds": records.plain(study.seconds),
        **({"lineage": records.lineage_record(trial)} if trial.lineage else {}),
    }


def fixed_of(space: SearchSpace, params: Params) -> dict[str, Value]:
    """The fixed values that count for a trial: those whose condition its values meet."""
    known = {**space.fixed, **params}
    return {name: value for name, value in space.fixed.items() if space.is_active(name, known)}


def query_of(*, sort: str, states: Sequence[str], limit: int | None) -> TrialQuery:
    """A question for trials from a user's words. Raises SpecError, UnknownName."""
    if sort not in SORTS:
        raise UnknownName(f"must be one of {', '.join(SORTS)}, got {sort!r}", field="sort")
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise SpecError(f"must be between 1 and {MAX_LIMIT}, got {limit}", field="limit")
    return TrialQuery(states=tuple(trial_state(word) for word in states), sort=sort, limit=limit)


def trial_state(word: str) -> TrialState:
    """The state that a word names, in small letters too. Raises UnknownName."""
    names = [state.value for state in TrialState]
    if word.upper() not in names:
        hint = suggest(word.upper(), names) or f"; there are {', '.join(names)}"
        raise UnknownName(f"no trial state is called {word!r}{hint}", field="state")
    return TrialState(word.upper())


def trials(
    storage: Storage,
    name: str,
    *,
    sort: str = "number",
    states: Sequence[str] = (),
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Trials of a study as `hpo trials -f json` shows them, read page by page.

    sort: number, value, or either with `-`, without a value last. Raises StudyNotFound, SpecError.
    """
    query = query_of(sort=sort, states=states, limit=limit)
    study = storage.get_study(name)
    query = replace(query, states=stored(study, query.states))
    return (records.trial_record(seen(study, trial)) for trial in pages(storage, name, query))


def exported(storage: Storage, name: str) -> Iterator[dict[str, Any]]:
    """All trials of a study as exports show them, with their facts. Raises StudyNotFound."""
    study = storage.get_study(name)
    return (records.exported_record(seen(study, trial)) for trial in pages(storage, name, TrialQuery()))


def pages(storage: Storage, name: str, query: TrialQuery) -> Iterator[Trial]:
    """All trials of a query, a page at a time; one after another, wherever the last one ended."""
    left = query.limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = storage.trials(name, replace(query, limit=size))
        yield from page
        if len(page) < size:
            return
        query = replace(query, after=after_of(page[-1], query.sort))
        left = None if left is None else left - size


def show(storage: Storage, name: str) -> dict[str, Any]:
    """All there is to say of a study. Raises StudyNotFound."""
    return record_of(storage, storage.get_study(name))


def record_of(storage: Storage, study: Study) -> dict[str, Any]:
    """All there is to say of a study that was read just now. Raises StudyNotFound."""
    name = study.name
    found = storage.pareto(name) if study.objectives else storage.best_trials(name)
    rare: dict[str, Any] = {"on_front": len(found)} if study.objectives else {}
    if study.spec.get("pruner", {}).get("name") == POPULATION:
        rare["n_inherited"] = storage.origins(name).n_inherited
    rare["n_enqueued"] = study.n_queued
    return records.study_record(study, best=found[0] if found else None) | rare


def trial(storage: Storage, name: str, number: int) -> dict[str, Any]:
    """All there is to say of one trial. Raises StudyNotFound, TrialNotFound."""
    study = storage.get_study(name)
    found = storage.get_trial(name, number)
    fixed = fixed_of(specfile.parameters_of(study.spec), found.params)
    about = {"study": study.name, "metric": study.metric, **records.objectives_record(study, found)}
    more = {"fixed": records.plain(fixed), "repeat": commands(study, found)}
    return about | records.exported_record(seen(study, found)) | more


def studies(storage: Storage, *, state: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The newest studies, one line each. Raises UnknownName for a state that is none."""
    if limit < 1:
        raise SpecError(f"must be >= 1, got {limit}", field="limit")
    query = StudyQuery(states=() if state is None else (study_state(state),), limit=limit)
    return lines_of(storage, storage.list_studies(query))


def lines_of(storage: Storage, studies: Sequence[Study]) -> list[dict[str, Any]]:
    """Studies as lists show them, with the best value of each."""
    led = storage.leaders([study.name for study in studies])
    return [records.study_summary(study, best=led.get(study.name)) for study in studies]


def study_state(word: str) -> StudyState:
    """The state that a word names, in small letters too. Raises UnknownName."""
    names = [state.value for state in StudyState]
    if word.upper() not in names:
        hint = suggest(word.upper(), names) or f"; there are {', '.join(names)}"
        raise UnknownName(f"no study state is called {word!r}{hint}", field="state")
    return StudyState(word.upper())
