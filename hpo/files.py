"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from hpo.errors import HpoError


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Make a file of pieces; one that is there is replaced when the last piece has come.

    Raises HpoError when it cannot be written, and what the pieces raise; what was there stays then.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as out:
            for piece in pieces:
                out.write(piece)
        part.replace(path)
    except OSError as error:
        raise HpoError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):  # it has its name now, or was never made
            part.unlink()
