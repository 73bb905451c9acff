"""What a pruner does: say which trials are compared, when, and which of them end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hpo.bracket import Bracket, History


class Pruner(Protocol):
    """Judges trials bracket by bracket; brackets are a function of the study file alone.

    name: stands in the reason of a trial it ends, `halving@9`
    """

    @property
    def name(self) -> str:
        """As the study file has it."""

    @property
    def widest(self) -> int:
        """The size of its largest bracket."""

    def bracket(self, number: int) -> Bracket:
        """The bracket a trial belongs to."""

    def losers(self, bracket: Bracket, epoch: int, members: Mapping[int, History]) -> frozenset[int]:
        """Which of the bracket's trials end after an epoch.

        members: all of the bracket, by number, with at least `epoch` values each unless they have ended
        Judgements of a bracket come in order of epochs.
        """


def contenders(epoch: int, members: Mapping[int, History]) -> list[int]:
    """The members that are judged after an epoch, by number: they train on, or would have."""
    return sorted(n for n, history in members.items() if history.last >= epoch <= len(history.values))
