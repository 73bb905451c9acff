"""Trials of studies of the local database, for `Local`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.account import ANYBODY
from hpo.service import enqueueing, paging, processes, results
from hpo.service.opened import Opened
from hpo.service.paging import Wanted

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
        wanted = Wanted(states=tuple(states), sort=sort, where=where)
        return paging.all_items(
            lambda size, cursor: paging.trials_page(self.storage, name, wanted, limit=size, cursor=cursor),
            limit,
        )

    def trial(self, name: str, number: int) -> Record:
        """All there is to say of one trial."""
        return results.trial(self.storage, name, number)

    def curve(self, name: str, number: int, *, points: int = 200) -> Record:
        """What a trial's epochs came to."""
        from hpo.service import curves

        return curves.curve(self.storage, name, number, points=points)

    def best(self, name: str) -> Record:
        """The best trial."""
        return results.best(self.storage, name)[0]

    def top(self, name: str, n: int) -> list[Record]:
        """The n best trials, each with `tied_with_best`."""
        from hpo.service import top

        return top.top(self.storage, name, n)

    def importance(self, name: str) -> Record:
        """How much each parameter matters."""
        from hpo.service import importance

        return importance.importance(self.storage, name)

    def diagnosis(self, name: str, *, trial: int | None = None) -> Record:
        """What ails the study or one of its trials."""
        from hpo.service import diagnosing

        return diagnosing.diagnosis(self.storage, name, trial)

    def pareto(self, name: str) -> list[Record]:
        """The trials that no other beats in every objective."""
        return results.front(self.storage, name)

    def ask(self, name: str, *, client_id: str, count: int = 1) -> Record:
        """Trials to train elsewhere, or why there are none now."""
        from hpo.service import external

        return external.ask(self.storage, ANYBODY, name, client=client_id, count=count)

    def report(self, name: str, number: int, *, epoch: int, value: float, client_id: str) -> Record:
        """Say what an epoch came to."""
        from hpo.service import external

        return external.report(
            self.storage, ANYBODY, name, number, epoch=epoch, value=value, client=client_id
        )

    def heartbeat(self, name: str, number: int, *, client_id: str) -> Record:
        """Keep a trial for another lease."""
        from hpo.service import external

        return external.heartbeat(self.storage, ANYBODY, name, number, client=client_id)

    def tell(self, name: str, number: int, outcome: Mapping[str, Any]) -> Record:
        """Say what a trial came to."""
        from hpo.service import external

        return external.tell(self.storage, ANYBODY, name, number, external.Outcome(**outcome))

    def export(self, name: str, format: str) -> Iterator[bytes]:  # noqa: A002
        """All trials as a file."""
        from hpo.service import export

        return export.pieces(self.storage, name, format)

    def enqueue(self, name: str, settings: Sequence[Mapping[str, Any]]) -> Record:
        """Have settings tried first."""
        done = enqueueing.enqueue(self.storage, name, settings, is_alive=processes.is_alive)
        return enqueueing.record_of(done)

    def retry(self, name: str, numbers: Sequence[int] = ()) -> Record:
        """Train failed trials once more."""
        done = enqueueing.retry(self.storage, name, numbers, is_alive=processes.is_alive)
        return enqueueing.record_of(done)
