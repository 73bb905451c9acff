"""Where a cohort stood when it was last saved, as the database keeps it: a line of JSON, then the worker's checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hpo.cohort import CohortSaved

# What all workers of a pool together may give the coordinator to write. Long cohorts are saved rarely then, short ones never.
BYTES_PER_S = 8e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """numbers: the trials that trained on after the epoch; checkpoint: of theirs, which only workers read."""

    epoch: int
    numbers: frozenset[int]
    checkpoint: bytes


def saved_of(report: CohortSaved) -> Saved:
    """What a worker has said."""
    return Saved(epoch=report.epoch, numbers=frozenset(report.numbers), checkpoint=report.checkpoint)


def packed(saved: Saved) -> bytes:
    """As bytes.

    >>> unpacked(packed(Saved(epoch=3, numbers=frozenset({1}), checkpoint=b"ab"))).checkpoint
    b'ab'
    """
    head = json.dumps({"epoch": saved.epoch, "numbers": sorted(saved.numbers)})
    return head.encode() + b"\n" + saved.checkpoint


def unpacked(data: bytes) -> Saved:
    """The same back. Raises ValueError for anything else."""
    line, _, checkpoint = data.partition(b"\n")
    head = json.loads(line)
    return Saved(epoch=head["epoch"], numbers=frozenset(head["numbers"]), checkpoint=checkpoint)


def rate(n_slots: int) -> float:
    """The bytes a second that one of so many workers may spend.

    >>> rate(4)
    2000000.0
    """
    return BYTES_PER_S / max(1, n_slots)
