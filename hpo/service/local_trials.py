"""Trials of studies of the local database, for `Local`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.service import enqueueing, processes, results
from hpo.service.opened import Opened

CHUNK = 1 << 20

Record = dict[str, Any]


class LocalTrials(Opened):
    """What `hpo.client.base.Trials` says."""

    def trials(
        self,
        name: str,
        *,
        sort: str = "number",
        states: Sequence[str] = (),
        where: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Trials, read page by page."""
        return results.trials(self.storage, name, sort=sort, states=states, limit=limit)

    def trial(self, name: str, number: int) -> Record:
        """All there is to say of one trial."""
        return results.trial(self.storage, name, number)

    def best(self, name: str) -> Record:
        """The best trial."""
        return results.best(self.storage, name)[0]

    def top(self, name: str, n: int) -> list[Record]:
        """The n best trials, each with `tied_with_best`."""
        from hpo.service import top

        return top.top(self.storage, name, n)

    def export(self, name: str, format: str) -> Iterator[bytes]:  # noqa: A002
        """All trials as a file."""
        from hpo.service import export

        with tempfile.TemporaryFile() as file:
            export.export(self.storage, name, format, file)
            file.seek(0)
            while chunk := file.read(CHUNK):
                yield chunk

    def enqueue(self, name: str, settings: Sequence[Mapping[str, Any]]) -> Record:
        """Have settings tried first."""
        done = enqueueing.enqueue(self.storage, name, settings, is_alive=processes.is_alive)
        return enqueueing.record_of(done)

    def retry(self, name: str, numbers: Sequence[int] = ()) -> Record:
        """Train failed trials once more."""
        done = enqueueing.retry(self.storage, name, numbers, is_alive=processes.is_alive)
        return enqueueing.record_of(done)
