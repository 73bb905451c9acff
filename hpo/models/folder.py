"""A model as a folder or a zip: model.json, model.safetensors, README.md, perhaps model.onnx; read without trust."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hpo.errors import DataError, HpoError
from hpo.models.files import described, restored, tensors
from hpo.models.model import Model
from hpo.models.readme import readme
from hpo.models.saved import SavedModel

ABOUT, WEIGHTS, README, ONNX = "model.json", "model.safetensors", "README.md", "model.onnx"
FORMAT = "hpo-model"
VERSION = 1
MAX_ABOUT_BYTES = 256 << 20
MAX_WEIGHTS_BYTES = 8 << 30
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip knows: the same model gives the same bytes


def folder_files(saved: SavedModel, onnx: bytes | None = None) -> dict[str, bytes]:
    """The files of a model's folder by name; the same model gives the same bytes."""
    about = {"format": FORMAT, "version": VERSION, **saved.about, "model": described(saved.model)}
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True)
    files = {
        ABOUT: text.encode() + b"\n",
        WEIGHTS: save(tensors(saved.model)),
        README: readme(saved, onnx=onnx is not None).encode(),
    }
    return files if onnx is None else files | {ONNX: onnx}


def zip_of(files: Mapping[str, bytes], top: str) -> bytes:
    """The files as one zip, stored as they are, in a folder `top`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{top}/{name}", date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return out.getvalue()


def write_folder(path: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write a model's folder, whole or not at all. replace: in place of a model's folder that is there.

    Raises HpoError when something is there already, or it cannot be written.
    """
    check_free(path, replace=replace)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.absolute().parent))
    except OSError as error:
        raise HpoError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    try:
        for name, data in files.items():
            with (part / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        part.chmod(0o755)
        _move(part, path)
    except OSError as error:
        raise HpoError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_free(path: Path, *, replace: bool) -> None:
    """Raises HpoError when something else than a model that may be replaced is there already."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir() or path.is_symlink():
        raise HpoError(f"{str(path)!r} is there already and is no folder; choose another name")
    if Path.cwd().is_relative_to(path.resolve()):
        raise HpoError(f"{str(path)!r} is the folder that you are in; name a new one")
    names = {entry.name for entry in path.iterdir()}
    if not names:
        return
    if ABOUT not in names or names - {ABOUT, WEIGHTS, README, ONNX}:
        raise HpoError(f"the folder {str(path)!r} is there already and holds other things; choose another")
    if not replace:
        raise HpoError(f"the folder {str(path)!r} is there already; --yes writes over it")


def _move(part: Path, path: Path) -> None:
    """Put a finished folder in its place; an earlier one goes only when the new one stands."""
    if not path.exists():
        part.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.absolute().parent))
    kept = old / path.name
    try:
        path.rename(kept)
        part.rename(path)
    except OSError:
        if kept.exists():
            kept.rename(path)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def load_folder(path: str | Path) -> SavedModel:
    """The model of a folder, or of a zip of one. Raises DataError, one sentence, for whatever is wrong with it.

    Needs numpy and safetensors only. No file of it can run any code.
    """
    path = Path(path)
    try:
        if path.is_dir():
            about = _bounded(path / ABOUT, MAX_ABOUT_BYTES)
            weights = _bounded(path / WEIGHTS, MAX_WEIGHTS_BYTES)
        elif path.is_file():
            if path.suffix == ".onnx":
                raise DataError(f"{str(path)!r} is for ONNX Runtime; give the folder that it stands in")
            about, weights = _of_zip(path, str(path))
        else:
            raise DataError(f"no model is called {str(path)!r}")
    except OSError as error:
        raise DataError(f"the model {str(path)!r} cannot be read: {error.strerror or error}") from None
    return _parsed(about, weights, str(path))


def load_zip(data: bytes, where: str = "the model's zip") -> SavedModel:
    """The model of a zip's bytes. Raises DataError."""
    return _parsed(*_of_zip(io.BytesIO(data), where), where)


def _bounded(path: Path, most: int) -> bytes:
    """A file's bytes. Raises DataError when it is not there, no file, or too large to be right."""
    if not path.exists():
        raise DataError(
            f"the folder {str(path.parent)!r} has no {path.name}; is it one that `hpo model` has written?"
        )
    if not path.is_file():
        raise DataError(f"{str(path)!r} is no file")
    if path.stat().st_size > most:
        raise DataError(f"{str(path)!r} has {path.stat().st_size:,} bytes, too many for a model")
    return path.read_bytes()


def _of_zip(file: Path | IO[bytes], where: str) -> tuple[bytes, bytes]:
    """The two files of a zip; names of folders before them do not matter, nothing is unpacked on disk."""
    try:
        with zipfile.ZipFile(file) as archive:
            about = _entry(archive, ABOUT, MAX_ABOUT_BYTES, where)
            return about, _entry(archive, WEIGHTS, MAX_WEIGHTS_BYTES, where)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        EOFError,
        RuntimeError,
        struct.error,
        ValueError,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where!r} is neither the folder of a model nor a zip of one") from None


def _entry(archive: zipfile.ZipFile, name: str, most: int, where: str) -> bytes:
    found = [info for info in archive.infolist() if info.filename.split("/")[-1] == name]
    if len(found) != 1:
        raise DataError(f"the zip {where!r} has {len(found) or 'no'} {name}; is it a model's?")
    if found[0].file_size > most or found[0].file_size > 200 * max(found[0].compress_size, 1 << 10):
        raise DataError(f"{name} in the zip {where!r} is too large for a model")
    with archive.open(found[0]) as file:
        data = file.read(found[0].file_size + 1)
    if len(data) != found[0].file_size:
        raise DataError(f"{name} in the zip {where!r} is damaged")
    return data


def _parsed(text: bytes, weights: bytes, where: str) -> SavedModel:
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{ABOUT} of {where!r} is damaged: it is no JSON") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{ABOUT} of {where!r} is not a model's")
    if not isinstance(about.get("version"), int) or about["version"] > VERSION:
        raise DataError(f"the model {where!r} was written by a newer version of hpo; upgrade to read it")
    try:
        arrays = load(weights)
    except (SafetensorError, ValueError, KeyError, TypeError, MemoryError):
        raise DataError(f"{WEIGHTS} of {where!r} is damaged") from None
    _check_arrays(arrays, where)
    try:
        model = restored(about.pop("model"), arrays)
        saved = SavedModel(model=model, about=about)
        _try_out(saved)
    except DataError as error:
        raise DataError(f"the model {where!r} is damaged: {error.detail}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, HpoError):
        raise DataError(f"the model {where!r} is damaged: {ABOUT} does not describe a network") from None
    return saved


def _check_arrays(arrays: Mapping[str, Any], where: str) -> None:
    for name, array in arrays.items():
        if array.dtype not in (np.float32, np.float64):
            raise DataError(f"{WEIGHTS} of {where!r} is damaged: {name} holds {array.dtype}")
        if not np.isfinite(array).all():
            raise DataError(f"{WEIGHTS} of {where!r} is damaged: {name} holds what is no number")


def _try_out(saved: SavedModel) -> None:
    """Predict one row without any value, so that a description that does not fit is found now."""
    model: Model = saved.model
    if any(record["n_features"] != model.n_features for record in model.preprocessing):
        raise DataError("its preparation gives other inputs than its network takes")
    if model.n_classes and len(saved.classes) != model.n_classes:
        raise DataError("it has not as many classes as outputs")
    if any(array.dtype != np.float32 for lane in model.lanes for array in (*lane.weights, *lane.biases)):
        raise DataError("its weights are no 32-bit floats")
    row = {column.name: [None] for column in saved.columns}
    with np.errstate(all="ignore"):
        saved.predict(row)
