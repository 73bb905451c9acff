"""Data sets and named search spaces of this machine, for `Local`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.service import spaces
from hpo.service.opened import Opened

Record = dict[str, Any]


class LocalData(Opened):
    """What `hpo.client.base.Data` says. Reading data takes libraries that a quick verb does not wait for."""

    def datasets(self) -> list[Record]:
        """Every data set, the built-in ones first."""
        from hpo.service import datasets

        return datasets.listed(self.storage)

    def dataset(self, source: str, *, target: str | None = None) -> Record:
        """What hpo makes of a data set, or of a file."""
        from hpo.service import datasets

        return datasets.shown(self.open, source, target=target, folder=Path.cwd())

    def kept_dataset(self, key: str) -> Record:
        """An uploaded data set by id or name."""
        from hpo.service import datasets

        return datasets.stored_record(datasets.stored(self.storage, key))

    def upload(self, path: Path, *, name: str | None = None) -> Record:
        """Keep a file's bytes."""
        from hpo.service import datasets

        return datasets.add(self.storage, path, name=name)

    def remove_dataset(self, key: str) -> Record:
        """Remove an uploaded data set."""
        from hpo.service import datasets

        return datasets.stored_record(datasets.remove(self.storage, key))

    def spaces(self) -> list[Record]:
        """The named search spaces."""
        return spaces.listed()

    def space(self, name: str) -> Record:
        """One of them with its parameters and its text."""
        return spaces.shown(name)
