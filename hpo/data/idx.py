"""Read a folder of IDX files, as MNIST comes: images, labels, and the official test rows."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np

from hpo.data.inflate import GZIP, gunzip
from hpo.data.npz import table_of
from hpo.data.table import Array, Table
from hpo.dataset import Task
from hpo.errors import DataError

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(?P<part>.*?)[-_.]?(?P<what>images|labels)[-_.]idx[0-9]+[-_.]ubyte(\.gz)?")
_TRAINING, _TEST = ("train",), ("t10k", "test")
TARGET = "label"


def read(folder: Path) -> tuple[Table, str]:
    """The images of a folder and the SHA-256 of its files' bytes, in order. Raises DataError without a place."""
    files = _find(folder)
    digest = hashlib.sha256()
    arrays: dict[str, Array] = {}
    for key in sorted(files):
        content = files[key].read_bytes()
        digest.update(content)
        arrays[key] = parse(_unpack(content, files[key].name), files[key].name)
    parts = [part for part in ("train", "test") if f"{part} images" in arrays]
    for part in parts:
        images, labels = arrays[f"{part} images"], arrays[f"{part} labels"]
        if len(images) != len(labels) or labels.ndim != 1:
            raise DataError(f"has {len(images):,} {part} images but labels of shape {labels.shape}")
    x = [arrays[f"{part} images"] for part in parts]
    if len({part.shape[1:] for part in x}) > 1:
        raise DataError(f"has training images of {x[0].shape[1:]} but test images of {x[1].shape[1:]}")
    n = sum(map(len, x))
    if n == 0:
        raise DataError("has IDX files without any image")
    test = np.arange(n) >= len(x[0]) if len(parts) == 2 else None
    table = table_of(
        np.concatenate(x), np.concatenate([arrays[f"{part} labels"] for part in parts]), test, TARGET
    )
    return _as_classes(table), digest.hexdigest()


def parse(content: bytes, name: str) -> Array:
    """The array of an IDX file: two zero bytes, type, number of axes, their lengths, the cells. Raises DataError."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise DataError(f"has a file {name} that is not in IDX format")
    n_axes, dtype = content[3], np.dtype(_DTYPES[content[2]])
    start = 4 + 4 * n_axes
    if n_axes == 0 or len(content) < start:
        raise DataError(f"has a file {name} that ends in its header")
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", n_axes, 4))
    size = int(np.prod([float(length) for length in shape]))
    if len(content) - start != size * dtype.itemsize:
        raise DataError(
            f"has a file {name} of {len(content) - start:,} bytes where {size * dtype.itemsize:,} belong; download it again"
        )
    return (
        np.frombuffer(content, dtype, size, start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    )


def _find(folder: Path) -> dict[str, Path]:
    """Files by "train images", "test labels" and so on; an unpacked file goes before a packed one."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        words = match["part"].lower()
        part = "test" if any(word in words for word in _TEST) else "train" if _TRAINING[0] in words else ""
        if part:
            files.setdefault(f"{part} {match['what']}", path)
    wanted = ["train images", "train labels"]
    if any(key.startswith("test") for key in files):
        wanted += ["test images", "test labels"]
    missing = [key for key in wanted if key not in files]
    if missing:
        raise DataError(
            f"is a folder without IDX files of the {' and '.join(missing)}; "
            "they are called train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-… and so on, .gz or not"
        )
    return files


def _unpack(content: bytes, name: str) -> bytes:
    if not content.startswith(GZIP):
        return content
    try:
        return gunzip(content)
    except DataError as error:
        raise DataError(f"has a file {name} that {error.detail}") from error


def _as_classes(table: Table) -> Table:
    return Table(
        columns=table.columns,
        block=table.block,
        block_names=table.block_names,
        target=TARGET,
        task=Task.CLASSIFICATION if table.columns[0].whole else None,
        images=table.images,
        test=table.test,
    )
