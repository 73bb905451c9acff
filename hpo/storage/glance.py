"""Names out of a SQLite database within milliseconds, for who cannot wait until the storage proper is imported."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

MOST = 200  # more nobody reads
PATIENCE_S = 0.1
PREFIX = "sqlite:///"

# what -> how its names that begin with a word are read, the newest first
_QUERIES: dict[str, str] = {
    "studies": "SELECT study_name FROM studies WHERE substr(study_name, 1, ?) = ? ORDER BY study_id DESC LIMIT ?",
    "datasets": "SELECT name FROM hpo_datasets WHERE substr(name, 1, ?) = ? ORDER BY added_at DESC LIMIT ?",
}


def names(url: str, what: str, start: str) -> list[str]:
    """The names of `studies` or `datasets` that begin so; none where the database is no SQLite file, away or busy.

    It is opened for reading only: nothing is made, upgraded or locked.
    """
    if not url.startswith(PREFIX) or not Path(url.removeprefix(PREFIX)).is_file():
        return []
    file = f"file:{quote(url.removeprefix(PREFIX))}?mode=ro"
    try:
        with closing(sqlite3.connect(file, uri=True, timeout=PATIENCE_S)) as database:
            found = database.execute(_QUERIES[what], (len(start), start, MOST)).fetchall()
    except sqlite3.Error:
        return []
    return [str(name) for (name,) in found]
