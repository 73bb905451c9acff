"""Data sets and search spaces of a server, for `Remote`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpo.asked import Asked
from hpo.client.asking import Asking, Record, safe
from hpo.client.study_files import key_of, local_file
from hpo.client.transport import Call
from hpo.errors import DataError, DatasetNotFound, HpoError, ServerError

CHUNK = 1 << 20


class RemoteData(Asking):
    """What `hpo.client.base.Data` and `Models` say."""

    def datasets(self) -> list[Record]:
        """Every data set, the built-in ones first."""
        return list(self._pages("datasets"))

    def dataset(self, source: str, *, target: str | None = None) -> Record:
        """What hpo makes of a data set."""
        return self._record(self._get(f"datasets/{safe(source)}", target=target))

    def kept_dataset(self, key: str) -> Record:
        """An uploaded data set by id or name."""
        known = self.datasets()
        found = [one for one in known if one["id"] == key] or [one for one in known if one["name"] == key]
        if not found:
            raise DatasetNotFound(f"no data set is called {key!r}; `hpo data ls` shows what there is")
        newest = max(found, key=lambda one: one.get("added_at") or "")
        if newest["kind"] != "stored":
            raise DatasetNotFound(f"{key} is built in: it comes with hpo and cannot be removed")
        return newest

    def upload(self, path: Path, *, name: str | None = None) -> Record:
        """Keep a file's bytes, sent in chunks."""
        if not path.is_file():
            raise DataError(f"no file is called {str(path)!r}")
        call = Call(
            method="POST",
            path="datasets",
            params={"name": name or path.name},
            body=lambda: chunks(path),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)},
            repeatable=True,
        )
        return self._record(self._transport.json(call), "id", "name")

    @contextmanager
    def _with_data(self, asked: Asked, *, upload: bool) -> Iterator[Record]:
        """A study file whose data the server has: a local file is uploaded, or named by its id if it is there.

        What was uploaded for a study that is then refused is removed again. Raises DataError for a file that cannot be sent, or that no such study can be on; without upload also for
        one that is not there yet.
        """
        tree = dict(asked.tree)
        path = local_file(asked)
        if path is None:
            yield tree
            return
        key = key_of(path)
        new = not any(record["id"] == key for record in self.datasets())
        if new:
            if not upload:
                source = tree["data"]["source"]
                raise DataError(
                    f"{source!r} is a file that the server has not got; `hpo data add {source}` uploads it",
                    field="data.source",
                )
            # Looked at here, a wrong column costs no upload.
            importlib.import_module("hpo.service.submission").check_file(asked)
            key = self.upload(path)["id"]
        try:
            yield tree | {"data": dict(tree["data"]) | {"source": key}}
        except ServerError:
            raise  # no answer: the study may be there, and need it
        except HpoError:
            if new:
                with suppress(
                    HpoError
                ):  # somebody else's study may use the same bytes by now: then they stay
                    self.remove_dataset(key)
            raise

    def remove_dataset(self, key: str) -> Record:
        """Remove an uploaded data set."""
        return self._record(self._delete(f"datasets/{safe(key)}"))

    def spaces(self) -> list[Record]:
        """The named search spaces."""
        return self._list(self._get("spaces"))

    def space(self, name: str) -> Record:
        """One of them with its text."""
        return self._record(self._get(f"spaces/{safe(name)}"), "name", "text")


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file in pieces. Raises DataError when it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise DataError(f"the file {str(path)!r} cannot be read: {error.strerror}") from None
