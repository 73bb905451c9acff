"""What is drawn of a round before it begins: where, which studies, and what happens when."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass

from tests.chaos.faults import possible
from tests.chaos.stages import STAGES
from tests.chaos.studies import STUDIES

HOLDS_S = (0.2, 1.0, 3.0, 6.0, 18.0)  # the last is longer than a lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Faults that come together, after so long, for so long."""

    after_s: float
    faults: tuple[str, ...]
    hold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is drawn of a round before it begins."""

    stage: str
    database: str
    studies: tuple[str, ...]
    blows: tuple[Blow, ...]

    def __str__(self) -> str:
        blows = ", ".join(f"{' + '.join(blow.faults)} {blow.hold_s:g} s" for blow in self.blows)
        return f"{self.stage} on {self.database}, {' '.join(self.studies)}: {blows}"


def draw(words: argparse.Namespace, number: int, dice: random.Random) -> Plan:
    """The plan of a round: stages and databases take turns, the rest is chance."""
    stages, databases = words.stages, words.databases
    stage = stages[number % len(stages)]
    base = databases[number // len(stages) % len(databases)]
    studies = tuple(words.studies) if words.studies else tuple(dice.sample(list(STUDIES), 3))
    may = [name for name in possible(STAGES[stage], base) if not words.faults or name in words.faults]
    blows: list[Blow] = []
    while may and len(blows) < words.blows:
        left_s = words.held - sum(blow.hold_s for blow in blows)
        hold_s = dice.choice([hold for hold in HOLDS_S if hold <= max(left_s, 1.0)])
        faults = dice.sample(may, min(len(may), dice.choice((1, 1, 1, 2))))
        blows.append(Blow(after_s=dice.uniform(0.1, 3.0), faults=tuple(faults), hold_s=hold_s))
    return Plan(stage=stage, database=base, studies=studies, blows=tuple(blows))
