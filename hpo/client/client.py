"""`Client`: studies from a notebook or a program, of a server or of the database of this machine."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from hpo.client.address import FIELD
from hpo.client.base import Backend, Record
from hpo.client.handle import StudyHandle
from hpo.client.remote import Remote
from hpo.client.study_files import asked_of
from hpo.errors import SpecError
from hpo.settings import Settings, read_settings

Study = Mapping[str, Any] | str | Path


class Frame(Protocol):
    """What a pandas DataFrame can do that is needed of it."""

    def to_parquet(self, path: Path, *, index: bool) -> None:
        """Write the table to a file."""


class Client:
    """Studies of a server, or without one of the database of this machine.

    server: its address; else HPO_SERVER. api_key: else HPO_API_KEY. storage: the URL of a database to work
    on instead; else, where no server is named either, HPO_STORAGE.

    >>> with Client(storage="memory://") as client:
    ...     study = client.submit({"data": "iris", "trials": 4, "parameters": {"learning_rate": [0.1, 0.01]}})
    ...     study.name, study.state, [found["name"] for found in client.studies()]
    ('iris', 'QUEUED', ['iris'])
    """

    def __init__(
        self, server: str | None = None, api_key: str | None = None, storage: str | None = None
    ) -> None:
        """Raises SpecError for an address that is none, or over which a key would travel in clear."""
        if server is not None and storage is not None:
            raise SpecError("is named beside a server; leave one of them out", field="storage")
        settings = read_settings()
        found = replace(
            settings,
            server=server or (settings.server if storage is None else None),
            api_key=api_key or settings.api_key,
            storage=storage or settings.storage,
        )
        self.backend: Backend = _backend(found, FIELD if server is None else "server")
        self._where = found.server or found.storage

    def __repr__(self) -> str:
        return f"Client({self._where!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections; a closed client opens them again when it is asked something."""
        self.backend.close()

    # Studies

    def submit(
        self,
        study: Study,
        *,
        name: str | None = None,
        changes: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> StudyHandle:
        """Have a study run; a data file that it names is uploaded first, once.

        study: a mapping like a study file, its text, or its path; changes: dotted keys that go before it, such
        as {"sampler.name": "tpe"}; key: of this request, so that the same one again makes no second study
        Without a server the study waits in the database for a coordinator (`hpo serve`).
        Raises SpecError, DataError, StudyExists.
        """
        asked = asked_of(study, _named(changes, name), key=key)
        return StudyHandle(self.backend, self.backend.submit(asked)["name"])

    def validate(
        self, study: Study, *, name: str | None = None, changes: Mapping[str, Any] | None = None
    ) -> Record:
        """The completed study file (`spec`), what would run (`plan`), and what it says in vain (`notes`)."""
        return self.backend.validate(asked_of(study, _named(changes, name)))

    def study(self, name: str) -> StudyHandle:
        """A study that is there. Raises StudyNotFound."""
        return StudyHandle(self.backend, self.backend.study(name)["name"])

    def studies(
        self, *, state: str | None = None, labels: Mapping[str, str] | None = None, limit: int | None = 100
    ) -> list[Record]:
        """The studies, the newest first, one line each; limit: None for all of them."""
        return list(self.backend.studies(state=state, labels=labels, limit=limit))

    # Data and the rest

    def upload(self, data: str | Path | Frame, *, name: str | None = None) -> str:
        """Keep a file, or a DataFrame; the id that `data: {source: …}` of a study names it by.

        The same bytes again give the same id and are not sent again. Raises DataError, TooLarge.
        """
        if isinstance(data, str | Path):
            return str(self.backend.upload(Path(data), name=name)["id"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.parquet"
            data.to_parquet(path, index=False)
            return str(self.backend.upload(path, name=name or path.name)["id"])

    def datasets(self) -> list[Record]:
        """The data sets there are, built in and uploaded."""
        return self.backend.datasets()

    def spaces(self) -> list[Record]:
        """The named search spaces."""
        return self.backend.spaces()

    def workers(self) -> list[Record]:
        """The coordinators that serve, and what the slots of each do."""
        return self.backend.workers()

    def version(self) -> Record:
        """The versions of hpo and of what results depend on, where the studies live."""
        return self.backend.version()


def _named(changes: Mapping[str, Any] | None, name: str | None) -> dict[str, Any]:
    return {**(changes or {}), **({} if name is None else {"name": name})}


def _backend(settings: Settings, said_in: str) -> Backend:
    if settings.server is not None:
        key, insecure = settings.api_key, settings.insecure
        return Remote(settings.server, api_key=key, insecure=insecure, said_in=said_in)
    # Loaded only here: whoever asks a server needs no database, no samplers and no data readers.
    local = importlib.import_module("hpo.service.local")
    found: Backend = local.local_of(settings)
    return found
