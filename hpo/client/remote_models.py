"""Models of a server's studies, for `Remote`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from hpo.client.asking import Asking, Record, study_path
from hpo.client.transport import Call


class RemoteModels(Asking):
    """What `hpo.client.base.Models` says."""

    def model(self, name: str, *, trial: int | None = None) -> bytes | None:
        """A trial's model as a zip; None while its trial is trained once more."""
        call = Call(
            method="GET", path=study_path(name, "model"), params={"trial": trial}, headers={"Accept": "*/*"}
        )
        answer = self._transport.send(call)
        return None if answer.status_code == httpx.codes.ACCEPTED else answer.content

    def predict(self, name: str, rows: Sequence[Mapping[str, Any]], *, trial: int | None = None) -> Record:
        """What a trial's model says of rows."""
        call = Call(
            method="POST",
            path=study_path(name, "predict"),
            params={"trial": trial},
            json=list(rows),
            repeatable=True,
        )
        return self._record(self._transport.json(call), "predictions")
