"""Where workers can be in a cluster: which shares of which machines, as these come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SHARE = 0.5  # of a machine's free memory is for cohorts; the rest for processes, data and other programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine of a cluster that lives. memory_bytes: what it offers"""

    id: str
    host: str
    n_cpus: int
    n_gpus: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one worker can be, and remains while it is replaced.

    node: the machine's id, host: its name, both empty in a pool of one machine; rank: among its places
    memory_bytes: for a cohort, unless the worker knows better; share: of a GPU
    """

    device: str
    rank: int
    node: str = ""
    share: float = 0.0
    host: str = field(default="", compare=False)
    memory_bytes: int = field(compare=False)


def places_of(node: Node, *, gpus: bool, per_gpu: int = 1) -> list[Place]:
    """Every place of a machine: one for each core, or so many for each GPU (each needs a core, too).

    >>> node = Node(id="a", host="box", n_cpus=8, n_gpus=2, memory_bytes=800)
    >>> len(places_of(node, gpus=False)), places_of(node, gpus=False)[0].memory_bytes
    (8, 50)
    >>> [(place.device, place.share) for place in places_of(node, gpus=True, per_gpu=2)]
    [('cuda:0', 0.5), ('cuda:0', 0.5), ('cuda:1', 0.5), ('cuda:1', 0.5)]
    """
    n_places = min(node.n_cpus, node.n_gpus * per_gpu) if gpus else node.n_cpus
    return [
        Place(
            device=f"cuda:{rank // per_gpu}" if gpus else "cpu",
            memory_bytes=int(SHARE * node.memory_bytes) // n_places,
            rank=rank,
            node=node.id,
            host=node.host,
            share=1 / per_gpu if gpus else 0.0,
        )
        for rank in range(n_places)
    ]


def chosen(possible: Iterable[Place], taken: Iterable[Place], most: int | None) -> list[Place]:
    """At most so many of the possible places: those that are taken stay, new ones are spread over machines.

    >>> a, b = (Node(id=name, host=name, n_cpus=2, n_gpus=0, memory_bytes=0) for name in "ab")
    >>> both = places_of(a, gpus=False) + places_of(b, gpus=False)
    >>> [(place.node, place.rank) for place in chosen(both, [], 2)]
    [('a', 0), ('b', 0)]
    >>> [(place.node, place.rank) for place in chosen(both, places_of(a, gpus=False), 3)]
    [('a', 0), ('a', 1), ('b', 0)]
    """
    there = dict.fromkeys(possible)
    stay = dict.fromkeys(place for place in taken if place in there)
    others = sorted(there.keys() - stay.keys(), key=lambda place: (place.rank, place.host, place.node))
    return [*stay, *others][:most]


def has_gpus(nodes: Sequence[Node]) -> bool:
    """Whether some machine has a GPU."""
    return any(node.n_gpus for node in nodes)
