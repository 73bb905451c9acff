"""What a pruner saves, for `hpo validate`: how many of a study's epochs are trained if nothing surprises it."""

from __future__ import annotations

from hpo.bracket import Bracket, History
from hpo.pruners.own import OwnPruner

ENOUGH = 4096  # trials; more of them only repeat the same brackets


def share_trained(pruner: OwnPruner, *, epochs: int, trials: int) -> float:
    """The epochs that trials 0 to `trials` - 1 train, as a share of all: 1 when nobody is ever pruned.

    epochs: of a trial that goes all the way
    Who is better after one epoch is taken to be better after all, and nobody to end by itself.
    """
    number, spent, known = 0, 0, min(trials, ENOUGH)
    while number < known:
        bracket = pruner.bracket(number)
        number = min(bracket.first + bracket.size, known)
        spent += _epochs_of(pruner, bracket, number - bracket.first, epochs)
    return spent / (known * epochs)


def _epochs_of(pruner: OwnPruner, bracket: Bracket, size: int, epochs: int) -> int:
    """The epochs that the first members of a bracket train together."""
    last = dict.fromkeys(range(bracket.first, bracket.first + size), epochs)
    for epoch in bracket.epochs:
        members = {
            n: History(values=(float(n),) * min(epoch, end), last=min(end, epochs - 1))
            for n, end in last.items()
        }
        losers = pruner.losers(bracket, epoch, members)
        if not losers:  # nobody becomes better or worse, so nobody ever will end
            break
        last |= dict.fromkeys(losers, epoch)
    return sum(last.values())
