"""What a sampler decided goes into the database as soon as it is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.coordinator.proposals import Proposals
from hpo.coordinator.writer import Writer
from hpo.storage.base import Claim, Storage


@dataclass(kw_only=True)
class Noting:
    """Stores the sampler's notes with the study. stored: those that stand there."""

    storage: Storage
    write: Writer
    claim: Claim
    proposals: Proposals
    stored: Mapping[str, Any]

    def write_news(self) -> None:
        """Store the notes if they changed. May raise LeaseLost, StorageUnavailable."""
        notes = self.proposals.notes()
        if notes is self.stored or notes == self.stored:
            return
        self.write(lambda: self.storage.set_notes(self.claim, notes))
        self.stored = notes
