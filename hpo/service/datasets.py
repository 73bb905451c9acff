"""Data sets: built in, in files, and kept in the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from hpo.account import ANYBODY, Account
from hpo.data.prepare import look, prepare
from hpo.data.readers import check_kind, read_content
from hpo.data.registry import BUILT_IN
from hpo.dataset import PreparedData, TrainingData
from hpo.errors import DataError, DatasetNotFound, SpecError, suggest
from hpo.service import records
from hpo.service.accounts import check_may_remove
from hpo.service.cursors import cursor_of, keys_of
from hpo.service.objectives import metrics_named
from hpo.service.paging import check_limit
from hpo.service.remembered import Remembered
from hpo.service.turns import Turns
from hpo.storage.base import Storage, StoredDataset
from hpo.study import DataSpec, StudySpec

CHUNK = 1 << 20
STORED = "ds_"  # ids of stored data sets begin with it

NOWHERE = Path("/dev/null")  # no path begins here: what a server shows are never its own files
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")
_MAX_NAME = 255
_PAGES = "datasets"
# A file takes several times its size in memory while it is looked into. An API process has 40 threads for all.
LOOKING = Turns(2, waiting=8, patience_s=5.0)
_shown: Remembered[dict[str, Any]] = Remembered(kept=64)

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
    """Keep a file's bytes in the database. Raises DataError also for what is no file, SpecError for a wrong name."""
    if not path.is_file():
        raise DataError(f"no file is called {str(path)!r}")
    try:
        with path.open("rb") as file:
            return keep(storage, name or path.name, file)
    except OSError as error:
        raise DataError(f"the file {str(path)!r} cannot be read: {error.strerror}") from error


def keep(storage: Storage, name: str, file: IO[bytes], *, owner: str | None = None) -> dict[str, Any]:
    """Keep a table's bytes after a look into it; the same bytes again give the same data set, under its first name.

    Raises SpecError for a name that cannot be, DataError for what is no table that hpo can read, TooManyRequests.
    """
    check_name(name)
    try:
        check_kind(name)
        with LOOKING.turn():
            # As it will be read from the database, by its content alone.
            table = read_content(file.read(), "")
    except DataError as error:
        raise DataError(f"the file {name!r} {error.detail}") from error
    info = {"file": name, "owner": owner, "n_rows": table.n_rows, "n_columns": len(table.names)}
    del table
    file.seek(0)
    return stored_record(storage.add_dataset(name, _chunks(file), info))


def check_name(name: str) -> None:
    """Raises SpecError unless an uploaded data set may be called that."""
    # Dots alone have a meaning of their own in addresses.
    if not 1 <= len(name) <= _MAX_NAME or _NO_NAME.search(name) or not name.strip(" ."):
        raise SpecError(
            f"must be 1 to {_MAX_NAME} characters without slashes and control characters, got {name[:60]!r}",
            field="name",
        )
    if name in BUILT_IN or name.startswith(STORED):
        what = "the name of a built-in data set" if name in BUILT_IN else "how ids of data sets begin"
        raise SpecError(f"{name[:60]!r} is {what}; choose another name", field="name")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def listed(storage: Storage) -> list[dict[str, Any]]:
    """Every data set there is: the built-in ones, then those of the database."""
    return [*map(_built_in_record, BUILT_IN), *map(stored_record, storage.list_datasets())]


def page(storage: Storage, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """The same a page at a time: `items`, and `next_cursor` while there are more. Raises BadRequest, SpecError."""
    check_limit(limit)
    built_in, after = list(BUILT_IN), None
    if cursor is not None:
        name, id_ = keys_of(cursor, _PAGES, [(str,), (str,)])
        after = None if id_ in BUILT_IN else (name, id_)
        built_in = built_in[built_in.index(id_) + 1 :] if id_ in BUILT_IN else []
    items = [_built_in_record(name) for name in built_in[: limit + 1]]
    left = limit + 1 - len(items)
    if left:
        items += map(stored_record, storage.list_datasets(limit=left, after=after))
    last = items[limit - 1] if len(items) > limit else None
    more = None if last is None else cursor_of(_PAGES, [last["name"], last["id"]])
    return {"items": items[:limit], "next_cursor": more}


def _built_in_record(name: str) -> dict[str, Any]:
    about = {"about": BUILT_IN[name], "owner": None, "added_at": None}
    return {"id": name, "name": name, "kind": "built in", "n_bytes": None, **about}


def stored_record(kept: StoredDataset) -> dict[str, Any]:
    """An uploaded data set as lists show it."""
    info = kept.info
    size = f"{info['n_rows']:,} rows, {info['n_columns']:,} columns, " if "n_rows" in info else ""
    return {
        "id": kept.id,
        "name": kept.name,
        "kind": "stored",
        "n_bytes": kept.n_bytes,
        "about": f"{size}SHA-256 {kept.sha256[:16]}…",
        "owner": info.get("owner"),
        "added_at": records.plain(kept.added_at),
    }


def shown(storage: OpenStorage, source: str, *, target: str | None, folder: Path) -> dict[str, Any]:
    """What a data set holds, and what a study makes of it where its target is known: columns, task, split.

    source: a built-in name, a path that begins at the folder, or a stored one's id or name
    Raises DataError, DatasetNotFound.
    """
    if source in BUILT_IN:
        return _built_in_record(source) | _looked_at(storage, source, target, folder)
    if (folder / source).exists():
        path = folder / source
        n_bytes = path.stat().st_size if path.is_file() else None
        file = {"id": source, "name": path.name, "kind": "file", "n_bytes": n_bytes, "about": ""}
        return file | {"owner": None, "added_at": None} | _looked_at(storage, source, target, folder)
    kept = _stored(storage(), source)
    return stored_record(kept) | _looked_at(storage, kept.id, target, NOWHERE)


def shown_by_server(storage: Storage, key: str, *, target: str | None) -> dict[str, Any]:
    """The same of what is built in or stored, never of a server's own files.

    Raises DataError, DatasetNotFound, TooManyRequests.
    """
    kept = None if key in BUILT_IN else storage.get_dataset(key)
    record = _built_in_record(key) if kept is None else stored_record(kept)
    # Named by its content: what was found of it once holds for ever.
    asked = cursor_of(record["id"], [None if kept is None else kept.sha256, target])
    return record | _shown.get(asked, lambda: _looked_at(lambda: storage, record["id"], target, NOWHERE))


def _looked_at(storage: OpenStorage, source: str, target: str | None, folder: Path) -> dict[str, Any]:
    with LOOKING.turn():
        summary, info = look(DataSpec(source=source, target=target), folder, stored=_reader(storage))
    known = {"source": source, **asdict(summary)}
    rows, columns = known.pop("rows"), known.pop("shown")
    unknown = dict.fromkeys(("task", "task_reason", "target", "n_features"))
    split = dict.fromkeys(("n_folds", "n_train", "n_validation", "n_test"))
    without: dict[str, Any] = {**unknown, "classes": (), "n_inputs": {}, **split, "notes": ()}
    said = without if info is None else asdict(info)
    found: dict[str, Any] = records.plain(known | said | {"preview": {"columns": columns, "rows": rows}})
    return found


def _stored(storage: Storage, key: str) -> StoredDataset:
    try:
        return storage.get_dataset(key)
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


def remove(storage: Storage, key: str, *, account: Account = ANYBODY) -> StoredDataset:
    """Remove a stored data set. Raises DatasetNotFound, NotAllowed, IllegalMove while a study uses it."""
    kept = stored(storage, key)
    check_may_remove(account, kept)
    storage.delete_dataset(kept.id)
    return kept
