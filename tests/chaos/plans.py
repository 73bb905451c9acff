"""What is drawn of a round before it begins: where, which studies, and what happens when."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass

from tests.chaos.faults import FAULTS, possible
from tests.chaos.stages import STAGES
from tests.chaos.studies import STUDIES

HOLDS_S = (0.2, 1.0, 3.0, 6.0, 18.0)  # the last is longer than a lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Faults that come together, after so long, for so long. begins: the studies that begin before"""

    begins: tuple[str, ...]
    after_s: float
    faults: tuple[str, ...]
    hold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is drawn of a round before it begins. sure: each blow comes while its study runs, and must hit somebody"""

    stage: str
    database: str
    blows: tuple[Blow, ...]
    sure: bool = False

    @property
    def studies(self) -> list[str]:
        """By name, as they begin."""
        return [name for blow in self.blows for name in blow.begins]

    def __str__(self) -> str:
        blows = ", ".join(f"{' + '.join(blow.faults)} {blow.hold_s:g} s" for blow in self.blows)
        return f"{self.stage} on {self.database}, {' '.join(self.studies)}: {blows}"


def named(words: str, study: str) -> Blow:
    """A blow that is told rather than drawn: faults, and for how many seconds, as in `kill api + silence data 6`.

    Raises:
        ValueError: there is no such fault, or no number of seconds
    """
    faults, hold_s = words.rsplit(maxsplit=1)
    if unknown := set(faults.split(" + ")) - FAULTS.keys():
        raise ValueError(f"no fault: {', '.join(unknown)}")
    return Blow(begins=(study,), after_s=0.0, faults=tuple(faults.split(" + ")), hold_s=float(hold_s))


def draw(words: argparse.Namespace, number: int, dice: random.Random) -> Plan:
    """The plan of a round: stages and databases take turns, the rest is chance."""
    stages, databases = words.stages, words.databases
    stage = stages[number % len(stages)]
    base = databases[number // len(stages) % len(databases)]
    studies = words.studies or dice.sample(list(STUDIES), 3)
    if words.strike:
        kinds = [studies[place % len(studies)] for place in range(len(words.strike))]
        told = [
            named(blow, f"{kind}-{place}")
            for place, (blow, kind) in enumerate(zip(words.strike, kinds, strict=True))
        ]
        return Plan(stage=stage, database=base, blows=tuple(told), sure=True)
    before = [0, *(dice.randrange(words.blows) for _ in studies[1:])]  # which blow each study begins
    may = [name for name in possible(STAGES[stage], base) if not words.faults or name in words.faults]
    blows: list[Blow] = []
    while may and len(blows) < words.blows:
        left_s = words.held - sum(blow.hold_s for blow in blows)
        hold_s = dice.choice([hold for hold in HOLDS_S if hold <= max(left_s, 1.0)])
        faults = dice.sample(may, min(len(may), dice.choice((1, 1, 1, 2))))
        begins = tuple(name for name, place in zip(studies, before, strict=True) if place == len(blows))
        after_s = dice.uniform(0.1, 3.0)
        blows.append(Blow(begins=begins, after_s=after_s, faults=tuple(faults), hold_s=hold_s))
    return Plan(stage=stage, database=base, blows=tuple(blows))
