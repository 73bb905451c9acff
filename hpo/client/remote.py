"""A server behind the client's interface, over REST."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hpo.asked import Asked
from hpo.client.address import FIELD
from hpo.client.asking import Record, study_path
from hpo.client.following import progress_of
from hpo.client.remote_data import RemoteData
from hpo.client.remote_models import RemoteModels
from hpo.client.remote_running import RemoteRunning
from hpo.client.remote_trials import RemoteTrials
from hpo.client.stream import events_of
from hpo.client.transport import Transport
from hpo.errors import StudyExists
from hpo.progress import Event, Progress

TRIES = 20  # names, while others take the same ones


class Remote(RemoteTrials, RemoteModels, RemoteData, RemoteRunning):
    """What `hpo.client.base.Backend` says, asked of a server. said_in: where its address was said"""

    def __init__(
        self, server: str, *, api_key: str | None = None, insecure: bool = False, said_in: str = FIELD
    ) -> None:
        super().__init__(Transport(server, api_key=api_key, insecure=insecure, said_in=said_in))

    # Studies

    def studies(
        self, *, state: str | None = None, labels: Mapping[str, str] | None = None, limit: int | None = None
    ) -> Iterator[Record]:
        """The studies, the newest first, one line each."""
        wanted = [f"{name}={value}" for name, value in (labels or {}).items()]
        return self._pages("studies", limit=limit, state=state, label=wanted or None)

    def study(self, name: str) -> Record:
        """All there is to say of a study."""
        return self._study(self._get(study_path(name)))

    def submit(self, asked: Asked) -> Record:
        """Store a study for the server's coordinator to run; local data files are uploaded before."""
        with self._with_data(asked, upload=True) as body:
            return self._submit(body, asked)

    def _submit(self, body: Record, asked: Asked) -> Record:
        """Store a study whose data is there; a name made of its file's gets a counter while it is taken."""
        if body.get("name") is not None or asked.stem is None or asked.key is not None:
            return self._study(self._post("studies", body, **_once(asked.key)))
        name = asked.stem
        for _ in range(TRIES):
            try:
                return self._study(self._post("studies", body | {"name": name}, **_once()))
            except StudyExists:
                name = self._free_name(asked.stem)
        raise StudyExists(f"no free name was found after {asked.stem!r}; give one")

    def _free_name(self, stem: str) -> str:
        """The stem with the first counter above all there are."""
        counter = re.compile(re.escape(stem) + r"-([1-9][0-9]{0,5})")
        matches = (counter.fullmatch(study["name"]) for study in self.studies())
        return f"{stem}-{max((int(m[1]) for m in matches if m), default=1) + 1}"

    def validate(self, asked: Asked) -> Record:
        """The completed study file and what would run."""
        with self._with_data(asked, upload=False) as body:
            return self._record(self._post("studies:validate", body, repeatable=True))

    def act(self, name: str, verb: str) -> Record:
        """pause, stop or cancel."""
        return self._study(self._post(study_path(name, verb=verb), repeatable=True))

    def resume(self, name: str, *, trials: int | None = None) -> Record:
        """Have the server's coordinator go on."""
        body = {} if trials is None else {"trials": trials}
        return self._study(self._post(study_path(name, verb="resume"), body, repeatable=True))

    def amend(self, name: str, changes: Mapping[str, Any]) -> Record:
        """Change trials, priority, limits or labels."""
        return self._study(self._patch(study_path(name), changes))

    def fork(
        self,
        name: str,
        changes: Mapping[str, Any],
        *,
        replay: bool = False,
        trial: int | None = None,
    ) -> Record:
        """A new study with the study file of this one and changes."""
        body: Record = {"set": dict(changes)}
        body |= {"replay": True} if replay else {}
        body |= {} if trial is None else {"trial": trial}
        return self._study(self._post(study_path(name, verb="fork"), body, **_once()))

    def figure(self, name: str, figure: str, **options: str | int | None) -> Record:
        """A figure in Plotly's JSON."""
        return self._record(self._get(study_path(name, "figures", quote(figure, safe="")), **options))

    def report_html(self, name: str) -> Iterator[bytes]:
        """One HTML file of the study."""
        return self._file(study_path(name, "report"))

    def remove(self, name: str) -> None:
        """Remove a study with its trials."""
        self._delete(study_path(name))

    def progress(self, name: str) -> Progress:
        """How far a study is."""
        return progress_of(self.study(name))

    def events(self, name: str, *, after: str | None = None) -> Iterator[Event]:
        """What happens to a study."""
        return events_of(self._transport, study_path(name, "events"), after=after)


def _once(key: str | None = None) -> dict[str, Any]:
    """How a request is sent that works once however often it arrives."""
    return {"headers": {"Idempotency-Key": key or str(uuid.uuid4())}, "repeatable": True}
