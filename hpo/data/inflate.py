"""How much a packed file may unpack to: a few kilobytes must not fill a machine's memory."""

from __future__ import annotations

import gzip
import io
import zlib

from hpo.errors import DataError

GZIP = b"\x1f\x8b"
# Real tables pack to a third or a twentieth, very sparse ones to a hundredth; a bomb to a thousandth.
_RATIO = 100
_ALWAYS = 256 << 20
_NEVER = 4 << 30


def allowance(n_packed: int) -> int:
    """Bytes that a file of n_packed bytes may unpack to.

    >>> allowance(10) >> 20, allowance(8 << 20) >> 20, allowance(1 << 30) >> 20, allowance(8 << 30) >> 20
    (256, 800, 4096, 8192)
    """
    return max(n_packed, min(_NEVER, max(_ALWAYS, _RATIO * n_packed)))


def check_inflated(n_bytes: int, n_packed: int) -> None:
    """Raises DataError when a file unpacks to more than it may."""
    if n_bytes > allowance(n_packed):
        raise DataError(
            f"unpacks to {n_bytes / 2**20:,.0f} MiB or more, of a file of {n_packed / 2**20:,.1f} MiB; at most "
            f"{allowance(n_packed) >> 20:,} MiB of that are read: unpack it yourself if it is what it should be"
        )


def gunzip(content: bytes) -> bytes:
    """Unpack gzip, up to what the file may unpack to. Raises DataError."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            found = file.read(allowance(len(content)) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"is a damaged .gz file: {error}") from error
    check_inflated(len(found), len(content))
    return found
