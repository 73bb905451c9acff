"""Find a source, read its bytes once, and hand them to the reader of their format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

from hpo.data.inflate import GZIP, gunzip
from hpo.data.registry import BUILT_IN, load_built_in
from hpo.data.table import Table
from hpo.errors import DataError, suggest

Stored = Callable[[str], bytes]

# A format's reader is a module with `read(content, suffix) -> Table`. They are named, not imported: a
# search on a built-in set should not wait for pyarrow.
_READERS: dict[str, str] = {
    "csv": "hpo.data.delimited",
    "parquet": "hpo.data.parquet",
    "npz": "hpo.data.npz",
}
_SUFFIXES: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".data": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
}
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),
)
_REFUSED: dict[str, str] = {
    ".xlsx": "is an Excel workbook; save it as CSV",
    ".xls": "is an Excel workbook; save it as CSV",
    ".npy": "is a single array; save x and y together with numpy.savez_compressed",
    ".pkl": "is a pickle, which could run any code; save it as Parquet or NPZ",
    ".pickle": "is a pickle, which could run any code; save it as Parquet or NPZ",
    ".json": "is JSON; save it as CSV or Parquet",
    ".zip": "is an archive; unpack it first",
}
UPLOADED = "ds_"


def read_source(
    source: str, options: Mapping[str, Any], folder: Path, stored: Stored | None
) -> tuple[Table, str]:
    """The table of a source and its SHA-256. Raises DataError with the place `data.source`.

    source: a built-in name, `ds_…` for uploaded data, else a path, relative to folder
    stored: gives the bytes of uploaded data
    """
    try:
        if source in BUILT_IN:
            return load_built_in(source, options)
        if options:
            raise DataError(
                f"only the built-in sets of the Playground have options, not {source!r}", field="data.options"
            )
        if source.startswith(UPLOADED) and not (folder / source).exists():
            content = _uploaded(source, stored)
            return read_content(content, ""), hashlib.sha256(content).hexdigest()
        return _read_path(source, folder)
    except DataError as error:
        if error.field is not None:
            raise
        raise DataError(f"{source} {error.detail}", field="data.source") from error


def _uploaded(source: str, stored: Stored | None) -> bytes:
    if stored is None:
        raise DataError("is the id of uploaded data, which needs the database it was uploaded to")
    return stored(source)


def _read_path(source: str, folder: Path) -> tuple[Table, str]:
    path = folder / Path(source).expanduser() if source.startswith("~") else folder / source
    try:
        if path.is_dir():
            table, digest = import_module("hpo.data.idx").read(path)
            return table, digest
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(_not_found(source, path)) from None
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return read_content(content, path.name), hashlib.sha256(content).hexdigest()


def _not_found(source: str, path: Path) -> str:
    near = suggest(source, BUILT_IN)
    if not near and path.parent.is_dir():
        near = suggest(path.name, sorted(entry.name for entry in path.parent.iterdir())[:1000])
    return f"is neither a built-in data set nor a file{near or f'; looked for {path}'}"


def read_content(content: bytes, name: str) -> Table:
    """The table of a file's bytes; the ending of its name may say of which format. Raises DataError without a place."""
    if content.startswith(GZIP):
        content = gunzip(content)
    if not content.strip():
        raise DataError("is empty")
    suffix = check_kind(name)
    kind = _SUFFIXES.get(suffix) or _kind_of(content)
    table: Table = import_module(_READERS[kind]).read(content, suffix)
    if table.n_rows == 0:
        raise DataError("has a header but no rows")
    return table


def check_kind(name: str) -> str:
    """The ending of a file's name, in small letters and without .gz. Raises DataError for one that is never read."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _REFUSED:
        raise DataError(_REFUSED[suffix])
    return suffix


def _kind_of(content: bytes) -> str:
    return next((kind for magic, kind in _MAGICS if content.startswith(magic)), "csv")
