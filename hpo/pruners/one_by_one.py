"""Judge trials one by one as they report, by what others had shown at the same rung: no trial waits for another.

The rules are those of Optuna, whose users expect them, on best values so far: a trial is compared with all that came
before it, not with a bracket that would have to be complete first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from hpo.errors import lookup
from hpo.pruners import hyperband
from hpo.pruners.brackets import Brackets, rungs
from hpo.pruners.own import completed
from hpo.study import Direction, PrunerSpec, StudySpec

STARTUP = 5  # trials that the median rule waits for

# sign, the trial's best so far, those of others at the rung -> whether it should end
Rule = Callable[[int, float, Sequence[float]], bool]


def median_loses(sign: int, best: float, others: Sequence[float]) -> bool:
    """Whether a value is worse than the median of others, once there are STARTUP of them.

    sign: 1 when small values are good, else -1

    >>> median_loses(1, 0.5, [0.1, 0.2, 0.3, 0.6, 0.7]), median_loses(1, 0.5, [0.1, 0.2])
    (True, False)
    """
    return len(others) >= STARTUP and sign * best > sign * median(others)


def halving_loses(factor: int, sign: int, best: float, others: Sequence[float]) -> bool:
    """Whether a value is not among the best n // factor, at least one, of the n at a rung, itself included.

    >>> [halving_loses(3, -1, best, [0.9, 0.8, 0.7, 0.6, 0.5]) for best in (0.95, 0.8, 0.65)]
    [False, False, True]
    """
    ranked = sorted(sign * value for value in (*others, best))
    return sign * best > ranked[max(1, len(ranked) // factor) - 1]


@dataclass(frozen=True, slots=True)
class Judge:
    """Which trials are compared at which rungs, and by what rule; see `storage.base_external.OneByOne`.

    brackets: their epochs are the rungs; trials of brackets with other rungs are not compared
    """

    name: str
    brackets: Brackets
    sign: int
    rule: Rule
    only_complete: bool = False

    def rung(self, number: int, last: int, epoch: int) -> int | None:
        """The highest rung that lies behind the last epoch and not behind this one."""
        passed = [rung for rung in self.brackets.of(number).epochs if last < rung <= epoch]
        return passed[-1] if passed else None

    def loses(self, number: int, best: float, rivals: Mapping[int, float]) -> bool:
        """Whether the trial should end, by the rivals that have its rungs."""
        epochs = self.brackets.of(number).epochs
        others = [value for other, value in rivals.items() if self.brackets.of(other).epochs == epochs]
        return self.rule(self.sign, best, others)


def _median(spec: PrunerSpec, epochs: int, sign: int) -> Judge:
    brackets = Brackets([(1, tuple(range(spec.min_epochs or 1, epochs)))])
    return Judge(spec.name, brackets, sign, median_loses, only_complete=True)


def _halving(spec: PrunerSpec, epochs: int, sign: int) -> Judge:
    brackets = Brackets([(1, rungs(spec.min_epochs or 1, spec.factor or 2, epochs))])
    return Judge(spec.name, brackets, sign, partial(halving_loses, spec.factor or 2))


def _hyperband(spec: PrunerSpec, epochs: int, sign: int) -> Judge:
    brackets = Brackets(hyperband.kinds(spec.min_epochs or 1, spec.factor or 2, epochs))
    return Judge(spec.name, brackets, sign, partial(halving_loses, spec.factor or 2))


JUDGES: dict[str, Callable[[PrunerSpec, int, int], Judge]] = {
    "median": _median,
    "halving": _halving,
    "hyperband": _hyperband,
}


def make_judge(spec: StudySpec, direction: Direction) -> Judge | None:
    """The judge that a study asks for, if any. Raises UnknownName for a pruner that judges only side by side."""
    if spec.pruner.name == "none" or spec.epochs is None:
        return None
    make = lookup(JUDGES, spec.pruner.name, "pruner of trials that are trained elsewhere")
    return make(completed(spec.pruner, spec.epochs), spec.epochs, direction.sign)
