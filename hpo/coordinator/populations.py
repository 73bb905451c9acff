"""Populations on the coordinator's side: which numbers they are made of, and what their workers are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hpo.errors import SpecError, StudyFailed
from hpo.evolution import Change, Evolution, history, schedule_of
from hpo.pruners.population import default_every
from hpo.space import Params
from hpo.states import Reason
from hpo.study import StudySpec
from hpo.trial import Trial

if TYPE_CHECKING:
    from hpo.coordinator.flight import Flight
    from hpo.coordinator.planner import Part, ReadyTrial, Resolver

POPULATION = "population"


def size_of(spec: StudySpec) -> int | None:
    """Trials of a population; None for a study without any, as one that replays a schedule."""
    if spec.pruner.name != POPULATION or "schedule" in spec.pruner.options:
        return None
    return spec.pruner.bracket


def evolution_of(spec: StudySpec, part: Part) -> Evolution | None:
    """How a cohort's trials change while they train; None for not at all."""
    if spec.pruner.name != POPULATION:
        return None
    params = {trial.number: trial.params for trial in part}
    options: dict[str, Any] = dict(spec.pruner.options)
    if "schedule" in options:
        return _told(spec, params, _changes(options["schedule"]))
    down, up = options["perturb"]
    return Evolution(
        space=spec.parameters,
        settled=spec.settled,
        params=params,
        seed=spec.seed,
        every=spec.pruner.min_epochs or default_every(spec.epochs or 1),
        quantile=options["quantile"],
        perturb=(down, up),
        resample=options["resample"],
    )


def until_of(spec: StudySpec) -> int | None:
    """The epoch after which a replayed trial ends; None for any other."""
    until: int | None = spec.pruner.options.get("until") if spec.pruner.name == POPULATION else None
    return until


def _changes(written: Sequence[dict[str, Any]]) -> tuple[Change, ...]:
    """The schedule of a study file: a list of {epoch, NAME: VALUE, …}."""
    return tuple(
        Change(epoch=entry["epoch"], values={name: v for name, v in entry.items() if name != "epoch"})
        for entry in written
    )


def _told(spec: StudySpec, params: dict[int, Params], schedule: tuple[Change, ...]) -> Evolution:
    return Evolution(
        space=spec.parameters, settled=spec.settled, params=params, seed=spec.seed, schedule=schedule
    )


def once_more(
    spec: StudySpec, resolver: Resolver, best: Trial, trials: Callable[[int, int], Sequence[Trial]]
) -> tuple[ReadyTrial, Evolution | None]:
    """How a finished trial's weights are trained anew, alone: what it begins with, and how it changes if it does.

    trials: gives the stored trials of so many numbers from a first one on. Raises SpecError when what it
    inherited is not known.
    """
    size = size_of(spec)
    if size is None or best.best_epoch is None:
        ready = resolver.resolve(best.number, best.params, best.budget)
        return ready, evolution_of(spec, (ready,))
    members = {trial.number: trial for trial in trials(best.number // size * size, size)}
    start, changes = history(members, best.number, best.best_epoch)
    schedule = schedule_of(spec.parameters, start, changes)
    return resolver.resolve(best.number, start), _told(spec, {best.number: start}, schedule)


def blocks(trials: Sequence[ReadyTrial], size: int) -> list[Part]:
    """Populations: blocks of consecutive numbers. Raises SpecError when one cannot train as a single cohort."""
    found: dict[int, list[ReadyTrial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        found.setdefault(trial.number // size, []).append(trial)
    for members in found.values():
        if len({trial.shared for trial in members}) > 1:
            raise SpecError(
                "trials of a population train side by side; give batch_size, widths and whatever else they must "
                "share one value",
                field="parameters",
            )
    return [tuple(members) for members in found.values()]


def whole_blocks(first: int, n: int, size: int) -> int:
    """As many trials from `first` on as end with a population: n, or a few more.

    >>> whole_blocks(0, 64, 20), whole_blocks(30, 5, 20)
    (80, 10)
    """
    return -(-(first + n) // size) * size - first


def again_whole(flight: Flight, *, too_large: bool) -> StudyFailed | None:
    """Let a population that did not end train from its start again, those that have ended for the others.

    Their second ends are like the first ones, and what is stored of these stays.
    One that is too large for a worker's memory ends, and with it the study: what to raise then.
    """
    if too_large:
        flight.fail_living(Reason.OUT_OF_MEMORY)
        return StudyFailed(
            f"a population of {len(flight.part)} trials does not fit into a worker's memory, and it cannot be "
            "cut; make pruner.bracket, hidden_units or batch_size smaller"
        )
    flight.work.parts.appendleft(flight.part)
    return None
