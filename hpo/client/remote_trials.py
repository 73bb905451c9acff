"""Trials of studies of a server, for `Remote`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.client.asking import Asking, Record, study_path


class RemoteTrials(Asking):
    """What `hpo.client.base.Trials` and `External` say."""

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
        return self._pages(
            study_path(name, "trials"), limit=limit, sort=sort, state=list(states) or None, where=where
        )

    def trial(self, name: str, number: int) -> Record:
        """All there is to say of one trial."""
        return self._record(self._get(study_path(name, "trials", str(number))))

    def curve(self, name: str, number: int, *, points: int = 200) -> Record:
        """What a trial's epochs came to."""
        return self._record(self._get(study_path(name, "trials", str(number), "curve"), points=points))

    def best(self, name: str) -> Record:
        """The best trial."""
        return self._record(self._get(study_path(name, "best")))

    def top(self, name: str, n: int) -> list[Record]:
        """The n best trials, each with `tied_with_best`."""
        return self._list(self._get(study_path(name, "best"), top=n))

    def importance(self, name: str) -> Record:
        """How much each parameter matters."""
        return self._record(self._get(study_path(name, "importance")))

    def diagnosis(self, name: str, *, trial: int | None = None) -> Record:
        """What ails the study or one of its trials."""
        return self._record(self._get(study_path(name, "diagnosis"), trial=trial))

    def pareto(self, name: str) -> list[Record]:
        """The trials that no other beats in every objective."""
        return self._list(self._get(study_path(name, "pareto")))

    def export(self, name: str, format: str) -> Iterator[bytes]:  # noqa: A002
        """All trials as a file."""
        return self._file(study_path(name, "export"), format=format)

    def ask(self, name: str, *, client_id: str, count: int = 1) -> Record:
        """Trials to train elsewhere, or why there are none now."""
        body = {"client_id": client_id, "count": count}
        answer = self._post(study_path(name, "trials", verb="ask"), body, repeatable=True)
        return self._record(answer, "trials", "over", "retry_after_s")

    def report(self, name: str, number: int, *, epoch: int, value: float, client_id: str) -> Record:
        """Say what an epoch came to."""
        body = {"epoch": epoch, "value": value, "client_id": client_id}
        path = study_path(name, "trials", str(number), verb="report")
        return self._record(self._post(path, body, repeatable=True), "prune")

    def heartbeat(self, name: str, number: int, *, client_id: str) -> Record:
        """Keep a trial for another lease."""
        path = study_path(name, "trials", str(number), verb="heartbeat")
        return self._record(self._post(path, {"client_id": client_id}, repeatable=True))

    def tell(self, name: str, number: int, outcome: Mapping[str, Any]) -> Record:
        """Say what a trial came to."""
        path = study_path(name, "trials", str(number), verb="tell")
        return self._record(self._post(path, outcome, repeatable=True))

    def enqueue(self, name: str, settings: Sequence[Mapping[str, Any]]) -> Record:
        """Have settings tried first."""
        return self._record(
            self._post(study_path(name, "trials", verb="enqueue"), {"settings": list(settings)})
        )

    def retry(self, name: str, numbers: Sequence[int] = ()) -> Record:
        """Train failed trials once more."""
        return self._record(self._post(study_path(name, "trials", verb="retry"), {"numbers": list(numbers)}))
