"""The rounds of a coarse-to-fine search: which places each has and how long it trains, by the study file alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.errors import SpecError, UnknownName, suggest
from hpo.study import StudySpec

DEFAULT_TRIALS = 100
DEFAULT_EPOCHS = 50
FEWEST_IN_ROUND = 8
FEWEST_BEST = 5
PLACE = "sampler.options"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundOptions:
    """`sampler.options` of coarse_to_fine.

    rounds: how many; keep: the best so large a share of a round spans the next box
    growth: each round trains so many times the epochs of the round before, the last the study's
    """

    rounds: int = 3
    keep: float = 0.15
    growth: float = 2.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("rounds", self.rounds, 2, 20),
            ("keep", self.keep, 0.01, 0.5),
            ("growth", self.growth, 1, 100),
        ):
            whole = name == "rounds"
            number = isinstance(value, int) or (isinstance(value, float) and not whole)
            if isinstance(value, bool) or not number:
                what = "a whole number" if whole else "a number"
                raise SpecError(f"must be {what}, got {value!r}", field=f"{PLACE}.{name}")
            if not low <= value <= high:
                raise SpecError(
                    f"must be between {low:g} and {high:g}, got {value:g}", field=f"{PLACE}.{name}"
                )


def round_options(options: Mapping[str, Any]) -> RoundOptions:
    """The options of a study file. Raises SpecError.

    >>> round_options({"rounds": 4}).rounds
    4
    """
    known = ("rounds", "keep", "growth")
    for name in options:
        if name not in known:
            hint = suggest(name, known) or f"; there are {', '.join(known)}"
            raise UnknownName(f"coarse_to_fine has no such option{hint}", field=f"{PLACE}.{name}")
    return RoundOptions(**options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A block of places. index counts from 0; start: its first place; epochs: at most so many a trial."""

    index: int
    start: int
    size: int
    epochs: int

    @property
    def end(self) -> int:
        """The first place of the next round."""
        return self.start + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """All rounds of a study: blocks of nearly equal size, the last one taking the rest.

    A study that is given more trials later goes on in further rounds like the last.

    >>> [(r.start, r.size, r.epochs) for r in map(Rounds(trials=100, epochs=50).at_index, range(4))]
    [(0, 33, 13), (33, 33, 25), (66, 34, 50), (100, 34, 50)]
    """

    trials: int = DEFAULT_TRIALS
    epochs: int = DEFAULT_EPOCHS
    options: RoundOptions = RoundOptions()

    def at_index(self, index: int) -> Round:
        """The round of that index, from 0."""
        n_rounds, size = self.options.rounds, max(1, self.trials // self.options.rounds)
        last = max(1, self.trials - (n_rounds - 1) * size)
        beyond = max(0, index - (n_rounds - 1))
        coarser = max(0, n_rounds - 1 - index)
        return Round(
            index=index,
            start=min(index, n_rounds - 1) * size + beyond * last,
            size=size if index < n_rounds - 1 else last,
            epochs=max(1, math.ceil(self.epochs / self.options.growth**coarser)),
        )

    def at(self, place: int) -> Round:
        """The round that a place belongs to.

        >>> Rounds(trials=100).at(99).index, Rounds(trials=100).at(134).index
        (2, 4)
        """
        last = self.at_index(self.options.rounds - 1)
        if place >= last.start:
            return self.at_index(last.index + (place - last.start) // last.size)
        return self.at_index(place // self.at_index(0).size)

    def n_best(self, index: int) -> int:
        """How many of the best trials span the box after a round."""
        return max(FEWEST_BEST, math.ceil(self.options.keep * self.at_index(index).size))


def rounds_of(spec: StudySpec) -> Rounds:
    """The rounds of a study file. Raises SpecError when its options or its trials make none."""
    options = round_options(spec.sampler.options)
    # Enqueued trials take numbers of the total, but no places of the sampler.
    trials = (DEFAULT_TRIALS if spec.trials is None else spec.trials) - len(spec.enqueue)
    if trials < options.rounds * FEWEST_IN_ROUND:
        fewer = trials // FEWEST_IN_ROUND
        cure = f", or sampler: {{options: {{rounds: {fewer}}}}}" if fewer > 1 else ", or sampler: random"
        raise SpecError(
            f"{trials} are too few for {options.rounds} rounds of at least {FEWEST_IN_ROUND} trials; "
            f"give {options.rounds * FEWEST_IN_ROUND} or more{cure}",
            field="trials",
        )
    return Rounds(trials=trials, epochs=spec.epochs or DEFAULT_EPOCHS, options=options)
