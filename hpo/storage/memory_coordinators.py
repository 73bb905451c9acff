"""Coordinators that serve, as the in-memory storage knows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hpo.storage.base import CoordinatorBeat
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_study import now_s, plain
from hpo.storage.rules import SEEN_S


class MemoryCoordinators(MemoryBase):
    """Who is there; what each method does and raises stands in `base.Storage`."""

    def __init__(self) -> None:
        super().__init__()
        self._beats: dict[str, tuple[float, CoordinatorBeat]] = {}

    @alone
    def beat(self, beat: CoordinatorBeat) -> None:
        """A coordinator is there."""
        known = self._beats.get(beat.driver.token)
        started_at = datetime.now(UTC) if known is None else known[1].started_at
        kept = replace(beat, slots=plain(beat.slots), started_at=started_at, age_s=0.0)
        self._beats[beat.driver.token] = (now_s(), kept)

    @alone
    def forget_coordinator(self, token: str) -> None:
        """It has gone."""
        self._beats.pop(token, None)

    @alone
    def coordinators(self) -> list[CoordinatorBeat]:
        """Those that were seen within SEEN_S, the oldest first."""
        now = now_s()
        return [
            replace(beat, age_s=now - seen) for seen, beat in self._beats.values() if now - seen <= SEEN_S
        ]
