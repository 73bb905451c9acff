"""The secret of a Ray of our own: without it anyone on the network could run commands on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def token_file(home: Path) -> Path:
    """The file of the token in HPO_HOME, mode 0600; made when it is not there. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "ray_token"
    if not file.exists():
        # Written aside and linked: of two processes that begin at once both end with the same token.
        aside = home / f".ray_token.{os.getpid()}"
        fd = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(aside, file)
        aside.unlink()
    file.chmod(0o600)
    return file
