"""Who gets a free slot of a shared pool: owners alike, then an owner's studies by their weight. All pure.

Nothing that trains is interrupted for another's sake: what is decided is whose cohort goes next when one has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

HIGHEST_PRIORITY = 10  # what lies beyond, either way, counts as this
LONGEST_LAG = 600.0  # slot-seconds; what is older is forgotten
_CLOSE = 1e-9

# The slots of an owner that count for him while others wait; None: no limit.
SlotsOf = Callable[[str | None], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A study that shares a pool, at one moment.

    weight: of its share among its owner's studies; held: slots that train for it
    hungry: whether a task of it waits for a slot
    """

    key: int
    owner: str | None
    weight: float
    held: int
    hungry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """How many slots each is to have, in the mean over time; fractions are had in turns."""

    owners: Mapping[str | None, float]
    studies: Mapping[int, float]


@dataclass(slots=True)
class Lags:
    """By how many slot-seconds each has had less than it was entitled to."""

    owners: dict[str | None, float] = field(default_factory=dict)
    studies: dict[int, float] = field(default_factory=dict)

    def accrue(self, standings: Sequence[Standing], entitled: Entitled, seconds: float) -> None:
        """So much time has passed. Who holds nothing and wants nothing saves nothing up."""
        held, hungry = _of_owners(standings)
        self.owners = {
            owner: _later(
                self.owners.get(owner, 0.0), (share - held[owner]) * seconds, hungry[owner] or held[owner]
            )
            for owner, share in entitled.owners.items()
        }
        self.studies = {
            one.key: _later(
                self.studies.get(one.key, 0.0),
                (entitled.studies[one.key] - one.held) * seconds,
                one.hungry or one.held,
            )
            for one in standings
        }


def _later(lag: float, more: float, active: float) -> float:
    lag = max(-LONGEST_LAG, min(LONGEST_LAG, lag + more))
    return lag if active else min(lag, 0.0)


def weight_of(priority: int) -> float:
    """What a priority weighs: each step up is twice the share.

    >>> weight_of(0), weight_of(2), weight_of(-1)
    (1.0, 4.0, 0.5)
    """
    return 2.0 ** max(-HIGHEST_PRIORITY, min(HIGHEST_PRIORITY, priority))


def entitlements(standings: Sequence[Standing], n_slots: int, slots_of: SlotsOf) -> Entitled:
    """The slots that each owner and each study is entitled to.

    Owners have equal shares, up to their quota; a study that wants no more than it holds leaves the rest to others.
    """
    held, hungry = _of_owners(standings)
    wanted = {}
    for owner in held:
        idle = sum(one.held for one in standings if one.owner == owner and not one.hungry)
        most = slots_of(owner)
        wanted[owner] = min(math.inf if hungry[owner] else idle, math.inf if most is None else most)
    owners = shared_out(n_slots, wanted, dict.fromkeys(wanted, 1.0))
    studies: dict[int, float] = {}
    for owner, share in owners.items():
        its = [one for one in standings if one.owner == owner]
        caps = {one.key: math.inf if one.hungry else one.held for one in its}
        studies |= shared_out(share, caps, {one.key: one.weight for one in its})
    return Entitled(owners=owners, studies=studies)


def shared_out(total: float, caps: Mapping[K, float], weights: Mapping[K, float]) -> dict[K, float]:
    """A total by weights, nobody more than his cap; what that leaves goes to the others.

    >>> shared_out(8, {"a": 1, "b": 100, "c": 100}, {"a": 1, "b": 1, "c": 1})
    {'a': 1, 'b': 3.5, 'c': 3.5}
    """
    shares: dict[K, float] = dict.fromkeys(caps, 0.0)
    open_, left = list(caps), float(total)
    while open_:
        per_weight = left / sum(weights[key] for key in open_)
        full = [key for key in open_ if caps[key] <= per_weight * weights[key]]
        if not full:
            return shares | {key: per_weight * weights[key] for key in open_}
        for key in full:
            shares[key] = caps[key]
            left -= caps[key]
        open_ = [key for key in open_ if key not in full]
    return shares


def choose(standings: Sequence[Standing], entitled: Entitled, lags: Lags) -> int | None:
    """The study whose task takes the next free slot; None when none waits.

    Whoever lacks a whole slot goes first, then whoever is behind in time; ties go to whoever came first.
    """
    held, hungry = _of_owners(standings)
    owners = [owner for owner in held if hungry[owner]]
    if not owners:
        return None
    lacks = {owner: entitled.owners[owner] - held[owner] for owner in owners}
    owner = _most_entitled(lacks, lags.owners)
    waiting = [one for one in standings if one.owner == owner and one.hungry]
    return _most_entitled({one.key: entitled.studies[one.key] - one.held for one in waiting}, lags.studies)


def _most_entitled(lacks: Mapping[K, float], lags: Mapping[K, float]) -> K:
    """lacks: slots to have less slots held."""
    whole = [key for key, lack in lacks.items() if lack >= 1.0 - _CLOSE]
    if whole:
        return max(whole, key=lambda key: (lacks[key], lags.get(key, 0.0)))
    some = [key for key, lack in lacks.items() if lack > -_CLOSE] or list(lacks)
    return max(some, key=lambda key: (lags.get(key, 0.0), lacks[key]))


def _of_owners(standings: Iterable[Standing]) -> tuple[dict[str | None, int], dict[str | None, bool]]:
    """The slots that each owner holds, and whether he waits for one."""
    held: dict[str | None, int] = {}
    hungry: dict[str | None, bool] = {}
    for one in standings:
        held[one.owner] = held.get(one.owner, 0) + one.held
        hungry[one.owner] = hungry.get(one.owner, False) or one.hungry
    return held, hungry
