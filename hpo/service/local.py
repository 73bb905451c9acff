"""The local database behind the client's interface: the same answers as a server's, by the same functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hpo.progress import Progress
from hpo.service import follow, lifecycle, paging, processes, results
from hpo.service.local_data import LocalData
from hpo.service.local_running import LocalRunning
from hpo.service.local_trials import LocalTrials
from hpo.states import Wanted

Record = dict[str, Any]


class Local(LocalTrials, LocalData, LocalRunning):
    """What `hpo.client.base.Backend` says, on a database that this process opens itself."""

    def studies(
        self, *, state: str | None = None, labels: Mapping[str, str] | None = None, limit: int | None = None
    ) -> Iterator[Record]:
        """The studies, the newest first, one line each."""
        cursor = None
        left = limit
        while left is None or left > 0:
            size = paging.MAX_PAGE if left is None else min(left, paging.MAX_PAGE)
            page = paging.studies_page(
                self.storage,
                states=[] if state is None else [state],
                labels=[f"{name}={value}" for name, value in (labels or {}).items()],
                limit=size,
                cursor=cursor,
            )
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return
            left = None if left is None else left - size

    def study(self, name: str) -> Record:
        """All there is to say of a study."""
        return results.show(self.storage, name)

    def act(self, name: str, verb: str) -> Record:
        """pause, stop or cancel."""
        me = processes.this_process()
        lifecycle.wish(self.storage, name, Wanted(verb), me=me, is_alive=processes.is_alive)
        return results.show(self.storage, name)

    def remove(self, name: str) -> None:
        """Remove a study with its trials."""
        me = processes.this_process()
        lifecycle.remove(self.storage, name, me=me, is_alive=processes.is_alive)

    def progress(self, name: str) -> Progress:
        """How far a study is."""
        return follow.progress(self.storage, name, is_alive=processes.is_alive)
