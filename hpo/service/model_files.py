"""A model as what is taken home: a zip of its folder, its weights alone, or an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from hpo.errors import NotInstalled, lookup
from hpo.models import SavedModel, to_bytes
from hpo.models.folder import folder_files, zip_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file. name: what it is called when it is saved."""

    data: bytes
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of file that a model can be had as."""

    ending: str
    media_type: str
    make: Callable[[SavedModel], bytes]


def check_onnx() -> None:
    """Raises NotInstalled without the package onnx."""
    if find_spec("onnx") is None:
        raise NotInstalled("ONNX files need a package; `pip install 'hpo[onnx]'` installs it")


def onnx_of(saved: SavedModel) -> bytes:
    """The model as an ONNX file. Raises NotInstalled without the package onnx, DataError."""
    check_onnx()
    # Named, not imported: most installations never need it.
    data: bytes = import_module("hpo.models.onnx").to_onnx(saved)
    return data


def stem_of(saved: SavedModel) -> str:
    """What the folder of a model is called."""
    return f"{saved.about.get('study', 'model')}-{saved.model.number}"


def zipped(saved: SavedModel) -> bytes:
    """The folder of a model as a zip."""
    return zip_of(folder_files(saved), stem_of(saved))


KINDS: dict[str, FileKind] = {
    "zip": FileKind("zip", "application/zip", zipped),
    "safetensors": FileKind("safetensors", "application/octet-stream", lambda saved: to_bytes(saved.model)),
    "onnx": FileKind("onnx", "application/octet-stream", onnx_of),
}


def model_file(saved: SavedModel, kind: str) -> ModelFile:
    """A model as a file: zip, safetensors or onnx. Raises UnknownName, NotInstalled, DataError."""
    how = lookup(KINDS, kind, "format")
    return ModelFile(data=how.make(saved), name=f"{stem_of(saved)}.{how.ending}", media_type=how.media_type)
