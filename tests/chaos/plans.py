"""What is drawn of a round before it begins: where, which studies, and what happens when."""

from __future__ import annotations

import argparse
import itertools
import random
from dataclasses import dataclass

from tests.chaos.faults import FAULTS, possible
from tests.chaos.stages import STAGES
from tests.chaos.studies import STUDIES

HOLDS_S = (0.2, 1.0, 3.0, 6.0, 18.0)  # the last is longer than a lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Faults that come together, so long after a study has begun to run, for so long."""

    study: str
    after_s: float
    faults: tuple[str, ...]
    hold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is drawn of a round before it begins. sure: each blow must hit somebody while its study runs"""

    stage: str
    database: str
    blows: tuple[Blow, ...]
    sure: bool = False

    @property
    def studies(self) -> list[str]:
        """By name, as they begin."""
        return [blow.study for blow in self.blows]

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
    return Blow(study=study, after_s=0.0, faults=tuple(faults.split(" + ")), hold_s=float(hold_s))


def draw(words: argparse.Namespace, number: int, dice: random.Random) -> Plan:
    """The plan of a round: stages and databases take turns, the rest is chance."""
    stages, databases = words.stages, words.databases
    stage = stages[number % len(stages)]
    base = databases[number // len(stages) % len(databases)]
    kinds = words.studies or dice.sample(list(STUDIES), len(STUDIES))
    names = (f"{kind}-{place}" for place, kind in enumerate(itertools.cycle(kinds)))
    if words.strike:
        told = tuple(named(blow, study) for blow, study in zip(words.strike, names, strict=False))
        return Plan(stage=stage, database=base, blows=told, sure=True)
    may = [name for name in possible(STAGES[stage], base) if not words.faults or name in words.faults]
    blows: list[Blow] = []
    while len(blows) < (words.blows or STAGES[stage].blows):
        left_s = words.held - sum(blow.hold_s for blow in blows)
        hold_s = dice.choice([hold for hold in HOLDS_S if hold <= max(left_s, 1.0)])
        faults = dice.sample(may, min(len(may), dice.choice((1, 1, 1, 2))))
        after_s = dice.uniform(0.0, 1.0)
        blows.append(Blow(study=next(names), after_s=after_s, faults=tuple(faults), hold_s=hold_s))
    return Plan(stage=stage, database=base, blows=tuple(blows))
