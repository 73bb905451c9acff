"""The pruners of our own by name, which workers use too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from hpo.bracket import Bracket, History
from hpo.errors import lookup
from hpo.pruners import halving, hyperband, median
from hpo.pruners.brackets import Brackets, rungs
from hpo.study import Direction, PrunerSpec

DEFAULT_BRACKET = 64
DEFAULT_FACTOR = 3
MEDIAN_WARM_UP = 10  # a tenth of the epochs

Rule = Callable[[int, Mapping[int, History]], frozenset[int]]


@dataclass(frozen=True, slots=True)
class OwnPruner:
    """Brackets, and a rule that sees one of them after an epoch."""

    name: str
    brackets: Brackets
    rule: Rule

    @property
    def widest(self) -> int:
        """The size of its largest bracket."""
        return self.brackets.widest

    def bracket(self, number: int) -> Bracket:
        """The bracket a trial belongs to."""
        return self.brackets.of(number)

    def losers(self, bracket: Bracket, epoch: int, members: Mapping[int, History]) -> frozenset[int]:
        """Which of the bracket's trials end after an epoch; see Pruner."""
        return self.rule(epoch, members)


def completed(spec: PrunerSpec, epochs: int) -> PrunerSpec:
    """The keys that a pruner reads, with their defaults."""
    given = {
        "factor": DEFAULT_FACTOR if spec.factor is None else spec.factor,
        "min_epochs": 1 if spec.min_epochs is None else spec.min_epochs,
        "bracket": DEFAULT_BRACKET if spec.bracket is None else spec.bracket,
    }
    if spec.name == "median" and spec.min_epochs is None:
        given["min_epochs"] = max(1, epochs // MEDIAN_WARM_UP)
    reads = READS[spec.name]
    return PrunerSpec(name=spec.name, options=spec.options, **{key: given[key] for key in reads})


def _halving(spec: PrunerSpec, epochs: int, sign: int) -> OwnPruner:
    least, factor, size = _numbers(spec, epochs)
    brackets = Brackets([(size, rungs(least, factor, epochs))])
    return OwnPruner(spec.name, brackets, partial(halving.losers, sign=sign, factor=factor))


def _hyperband(spec: PrunerSpec, epochs: int, sign: int) -> OwnPruner:
    least, factor, _ = _numbers(spec, epochs)
    brackets = Brackets(hyperband.kinds(least, factor, epochs))
    return OwnPruner(spec.name, brackets, partial(halving.losers, sign=sign, factor=factor))


def _median(spec: PrunerSpec, epochs: int, sign: int) -> OwnPruner:
    least, _, size = _numbers(spec, epochs)
    brackets = Brackets([(size, tuple(range(least, epochs)))])
    return OwnPruner(spec.name, brackets, partial(median.losers, sign=sign))


def _numbers(spec: PrunerSpec, epochs: int) -> tuple[int, int, int]:
    """min_epochs, factor and bracket, where a pruner reads them."""
    whole = completed(spec, epochs)
    return whole.min_epochs or 1, whole.factor or DEFAULT_FACTOR, whole.bracket or DEFAULT_BRACKET


OWN: dict[str, Callable[[PrunerSpec, int, int], OwnPruner]] = {
    "median": _median,
    "halving": _halving,
    "hyperband": _hyperband,
}
# The keys of `pruner` that each reads.
READS: dict[str, tuple[str, ...]] = {
    "median": ("min_epochs", "bracket"),
    "halving": ("min_epochs", "factor", "bracket"),
    "hyperband": ("min_epochs", "factor"),
}


def own_pruner(spec: PrunerSpec, epochs: int, direction: Direction) -> OwnPruner:
    """The pruner of that name. epochs: of the study. Raises UnknownName."""
    return lookup(OWN, spec.name, "pruner")(spec, epochs, direction.sign)
