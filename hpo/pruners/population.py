"""Population-based training: the worst trials go on from the best ones, with other hyperparameters.

Jaderberg et al. 2017, Population Based Training of Neural Networks, with truncation selection: at the end
of a generation each trial of the worst share takes over weights, optimizer state and hyperparameters of one
of the best share, drawn evenly, and perturbs what may move. Judged is the value of that epoch, not the best
so far: the weights that are copied are those of that epoch.

Every draw is a function of the study's seed, the trial's number, the generation and a name, so nothing
depends on workers or on the other parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from hpo.evolution import Evolution
from hpo.hyperparams import HYPERPARAMETERS
from hpo.seeds import uniform
from hpo.space import Choice, Fixed, Params, Range, Searched, SearchSpace, Value

DEFAULT_SIZE = 64  # trials of a population when the study has more
DEFAULT_GENERATIONS = 10

# The fusible ones that stay as they are: some say how weights begin, some how long training lasts, some
# which states an optimizer keeps (hpo.fused.copying).
STAYING = frozenset(
    {
        "optimizer",
        "centered",
        "initializer",
        "init_scale",
        "init_mode",
        "init_distribution",
        "bias_init",
        "epochs",
        "patience",
        "min_delta",
    }
)


def default_size(n_trials: int) -> int:
    """Trials of a population unless the study file says it: all of a small study, else blocks of 64.

    >>> default_size(20), default_size(1000)
    (20, 64)
    """
    return n_trials if n_trials <= DEFAULT_SIZE else DEFAULT_SIZE


def default_every(epochs: int) -> int:
    """Epochs of a generation unless the study file says it: about ten generations.

    >>> default_every(50), default_every(4)
    (5, 1)
    """
    return max(1, epochs // DEFAULT_GENERATIONS)


def movable(space: SearchSpace) -> dict[str, Searched]:
    """The searched parameters that a trial may change while it trains.

    One on whose value others depend moves only if all of those do: else a trial could come to need what
    its weights do not have.
    """
    names = {
        name
        for name, parameter in space.searched.items()
        if HYPERPARAMETERS[name].fusible
        and name not in STAYING
        and not (name == "skip_norm" and parameter.when)  # lanes cannot begin to skip updates
    }
    while True:
        held = {
            other
            for name, parameter in space.parameters.items()
            if name not in names and not _harmless(name, parameter)
            for other in parameter.when
        }
        if not names & held:
            return {name: parameter for name, parameter in space.searched.items() if name in names}
        names -= held


def _harmless(name: str, parameter: object) -> bool:
    """Whether a fixed value may come and go while a trial trains."""
    return (
        isinstance(parameter, Fixed) and HYPERPARAMETERS[name].fusible and name not in STAYING | {"skip_norm"}
    )


def sources(values: Mapping[int, float], sign: int, evolution: Evolution, generation: int) -> dict[int, int]:
    """Who takes over from whom: a trial of the worst share -> one of the best share that is better.

    values: of the living trials at this epoch, by number; sign * value is to be made small, NaN is worst.
    Of equals the lower number is better; a share is at least one trial and at most half of them.
    """
    # A NaN would compare false with everything.
    ranks = {n: math.inf if math.isnan(value) else sign * value for n, value in values.items()}
    order = sorted(ranks, key=lambda number: (ranks[number], number))
    share = min(max(1, int(evolution.quantile * len(order) + 1e-9)), len(order) // 2)
    found = {}
    for number in sorted(order[len(order) - share :]):
        place = int(uniform(evolution.seed, number, generation, "source") * share)
        if ranks[order[place]] < ranks[number]:
            found[number] = order[place]
    return found


def perturbed(params: Params, evolution: Evolution, number: int, generation: int) -> dict[str, Value]:
    """The searched values with which a trial goes on, from those of the trial it takes over from.

    What cannot move stays; what a changed choice switches on is drawn from its whole range.
    """
    space, moves = evolution.space, movable(evolution.space)
    values: dict[str, Value] = {}
    found: dict[str, Value] = {}
    for name in space.in_order():
        parameter = space.parameters[name]
        if not space.is_active(name, values):
            continue
        if isinstance(parameter, Fixed):
            values[name] = parameter.value
            continue
        words = (evolution.seed, number, generation, name)
        if name not in params:
            value = drawn(parameter, uniform(*words, "value"))
        elif name not in moves:
            value = params[name]
        elif uniform(*words, "resample") < evolution.resample:
            value = drawn(parameter, uniform(*words, "value"))
        elif isinstance(parameter, Range):
            down, up = evolution.perturb
            value = moved(parameter, params[name], down if uniform(*words, "direction") < 0.5 else up)
        else:
            value = params[name]
        values[name] = found[name] = value
    return found


def moved(range_: Range, value: Value, factor: float) -> Value:
    """A value a little lower (factor below 1) or higher, inside its range.

    With log it is multiplied by the factor; else it moves by as large a share of the range's width, since
    nothing is a multiple of a dropout of 0. Whole and stepped numbers move by one step at least.

    >>> moved(Range(low=1e-4, high=1e-1, log=True), 0.01, 1.5), moved(Range(low=0.0, high=0.5), 0.0, 1.5)
    (0.015, 0.25)
    >>> moved(Range(low=1, high=9, log=True, type="int"), 2, 1.2), moved(Range(low=1, high=9, type="int"), 9, 1.2)
    (3, 9)
    """
    number, width = float(value), range_.high - range_.low  # type: ignore[arg-type]
    target = number * factor if range_.log else number + (factor - 1.0) * width
    step = _step(range_)
    if step is None:
        return min(max(target, range_.low), range_.high)
    place, before = (round((x - range_.low) / step) for x in (target, number))
    if place == before:
        place += 1 if factor > 1.0 else -1
    return _at(range_, step, place)


def drawn(parameter: Searched, share: float) -> Value:
    """The value at a share, 0 to 1 without it, of a parameter's range; evenly by decade with log.

    >>> drawn(Choice(choices=("relu", "tanh")), 0.5), drawn(Range(low=1, high=4, type="int"), 0.999)
    ('tanh', 4)
    """
    if isinstance(parameter, Choice):
        return parameter.choices[int(share * len(parameter.choices))]
    low, high, step = parameter.low, parameter.high, _step(parameter)
    if step is not None and not parameter.log:
        return _at(parameter, step, math.floor(share * (_last(parameter, step) + 1)))
    if step is not None:  # each whole number has the room around it
        target = math.exp(math.log(low - 0.5) + share * (math.log(high + 0.5) - math.log(low - 0.5)))
        return _at(parameter, step, round(target - low))
    if parameter.log:
        return min(max(math.exp(math.log(low) + share * (math.log(high) - math.log(low))), low), high)
    return min(low + share * (high - low), high)


def _step(range_: Range) -> float | None:
    """The distance of neighbouring values; None where there is none."""
    return range_.step or (1.0 if range_.is_int else None)


def _last(range_: Range, step: float) -> int:
    """The number, from 0, of the highest value."""
    return math.floor((range_.high - range_.low) / step + 1e-9)


def _at(range_: Range, step: float, place: int) -> Value:
    """The value of that number from 0, or the nearest there is."""
    number = min(range_.low + min(max(place, 0), _last(range_, step)) * step, range_.high)
    return int(number) if range_.is_int else float(number)
