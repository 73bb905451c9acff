"""A private folder that disappears with its process: a lock tells the living from the dead."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "pool-"


class Scratch:
    """A new folder below `parent`, mode 0700, locked as long as this process lives.

    Folders of dead processes are removed on the way: the kernel lets go of a lock with its process,
    whatever killed it. Raises OSError.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(parent)
        self._lock_fd, self._lock = _new_lock(parent)
        self.folder = self._lock.with_suffix("")
        self.folder.mkdir(mode=0o700)

    def remove(self) -> None:
        """Remove the folder with all that is in it; once more does nothing."""
        if self._lock_fd < 0:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        os.close(self._lock_fd)
        self._lock_fd = -1


def _new_lock(parent: Path) -> tuple[int, Path]:
    while True:
        fd, name = tempfile.mkstemp(prefix=_PREFIX, suffix=".lock", dir=parent)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # Between the two lines another pool may have taken the file for a dead one's and removed it.
        if Path(name).exists() and os.stat(name).st_ino == os.fstat(fd).st_ino:
            return fd, Path(name)
        os.close(fd)


def _remove_stale(parent: Path) -> None:
    for lock in parent.glob(f"{_PREFIX}*.lock"):
        try:
            fd = os.open(lock, os.O_RDWR)
        except OSError:
            continue  # just removed, or another user's
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
        except BlockingIOError:
            pass  # its process lives
        finally:
            os.close(fd)
