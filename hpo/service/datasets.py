"""Data sets: built in, in files, and kept in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hpo.data.prepare import describe, prepare
from hpo.data.registry import BUILT_IN
from hpo.dataset import PreparedData, TrainingData
from hpo.errors import DataError, DatasetNotFound, SpecError, suggest
from hpo.service import records
from hpo.service.objectives import metrics_named
from hpo.storage.base import Storage, StoredDataset
from hpo.study import DataSpec, StudySpec

CHUNK = 1 << 20
STORED = "ds_"  # ids of stored data sets begin with it

# Opens the database; called only when a data set of the database is asked for.
OpenStorage = Callable[[], Storage]


def prepared(
    spec: StudySpec, *, scalings: Sequence[str | None], folder: Path, storage: OpenStorage
) -> PreparedData:
    """The data of a study, ready for training. Raises DataError, DatasetNotFound, SpecError."""
    if spec.external:
        raise SpecError(
            "trials of this study are trained elsewhere: submit it to a server, and ask for them over REST",
            field="trainer",
        )
    if spec.data is None:
        raise DataError("the study names no data; add `data: {source: …}`", field="data")
    found = prepare(spec.data, scalings=scalings, folder=folder, seed=spec.seed, stored=_reader(storage))
    if "auc" in metrics_named(spec):
        _check_ranked(next(iter(found.scaled.values())).training)
    return found


def _check_ranked(data: TrainingData) -> None:
    """Raises DataError when auc has no value: no trial could be compared with another."""
    for _, validation in data.folds:
        if data.n_classes and (validation.y == validation.y[0]).all():
            raise DataError(
                "auc needs validation rows of two classes, and all are of one; divide the rows otherwise, or choose "
                "another metric",
                field="data.split",
            )


def _reader(storage: OpenStorage) -> Callable[[str], bytes]:
    return lambda key: b"".join(storage().read_dataset(key))


def add(storage: Storage, path: Path, *, name: str | None = None) -> dict[str, Any]:
    """Keep a file's bytes in the database; the same bytes again give the same data set.

    Raises DataError for what is no file.
    """
    if not path.is_file():
        raise DataError(f"no file is called {str(path)!r}")
    if path.stat().st_size == 0:
        raise DataError(f"the file {str(path)!r} is empty")
    kept = storage.add_dataset(name or path.name, _chunks(path), {"file": path.name})
    return stored_record(kept)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def listed(storage: Storage) -> list[dict[str, Any]]:
    """Every data set there is: the built-in ones, then those of the database."""
    built_in = [
        {"id": name, "name": name, "kind": "built in", "n_bytes": None, "about": about}
        for name, about in BUILT_IN.items()
    ]
    return built_in + [stored_record(kept) for kept in storage.list_datasets()]


def stored_record(kept: StoredDataset) -> dict[str, Any]:
    """An uploaded data set as lists show it."""
    return {
        "id": kept.id,
        "name": kept.name,
        "kind": "stored",
        "n_bytes": kept.n_bytes,
        "about": f"SHA-256 {kept.sha256[:16]}…",
    }


def shown(storage: OpenStorage, source: str, *, target: str | None, folder: Path) -> dict[str, Any]:
    """What hpo makes of a data set: its columns, its task, its split. Raises DataError, DatasetNotFound."""
    if source not in BUILT_IN and not (folder / source).exists():
        source = _stored_id(storage(), source)
    spec = DataSpec(source=source, target=target)
    return records.info_record(describe(spec, folder, stored=_reader(storage)))


def _stored_id(storage: Storage, key: str) -> str:
    try:
        return storage.get_dataset(key).id
    except DatasetNotFound:
        known = [*BUILT_IN, *(kept.name for kept in storage.list_datasets())]
        raise DatasetNotFound(
            f"no data set, built in or stored, and no file is called {key!r}{suggest(key, known)}"
        ) from None


def stored(storage: Storage, key: str) -> StoredDataset:
    """A data set of the database by its id or name. Raises DatasetNotFound."""
    if key in BUILT_IN:
        raise DatasetNotFound(f"{key} is built in: it comes with hpo and cannot be removed")
    return storage.get_dataset(key)


def remove(storage: Storage, key: str) -> StoredDataset:
    """Remove a stored data set. Raises DatasetNotFound, IllegalMove while a study uses it."""
    kept = storage.get_dataset(key)
    storage.delete_dataset(kept.id)
    return kept
