"""What one can do with the database itself: look how it stands, and bring it up to date."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hpo.errors import StorageUnavailable, StorageVersion
from hpo.storage import inspection
from hpo.storage.inspection import Inspection, inspect_database
from hpo.storage.open import open_storage

# What follows from the state of a database, in a sentence.
MEANINGS: dict[str, str] = {
    inspection.MISSING: "there is no database yet; the first study makes it",
    inspection.EMPTY: "the database is empty; the first study makes its tables",
    inspection.FOREIGN: "the database belongs to another program; name another one in HPO_STORAGE",
    inspection.OLDER: "the database is older than this hpo; `hpo db upgrade` brings it up to date",
    inspection.CURRENT: "the database is up to date",
    inspection.NEWER: "the database was written by a newer hpo; upgrade hpo",
}


def status(url: str) -> dict[str, Any]:
    """How a database stands, as a record; nothing in it is changed. Raises SpecError, StorageUnavailable."""
    found = inspect_database(url)
    return {**asdict(found), "upgrade": found.state == inspection.OLDER, "note": MEANINGS[found.state]}


def look_before_upgrade(url: str) -> Inspection:
    """The database as it stands, if it may be upgraded. Raises StorageVersion for a newer one, StorageUnavailable."""
    found = inspect_database(url)
    if found.state == inspection.NEWER:
        raise StorageVersion(
            f"the database {found.place} is of revision {found.revision}, which is newer than this hpo's "
            f"{found.newest}; upgrade hpo"
        )
    if found.state == inspection.FOREIGN:
        raise StorageUnavailable(f"{found.place}: {MEANINGS[found.state]}")
    return found


def upgrade(url: str) -> dict[str, Any]:
    """Make or upgrade the tables, and say how the database stands then. Raises StorageVersion, StorageUnavailable."""
    open_storage(url, upgrade=True).close()
    return status(url)


def without_password(url: str) -> str:
    """The address of a database without its password.

    >>> without_password("postgresql+psycopg://me:secret@host/hpo"), without_password("memory://")
    ('postgresql+psycopg://me:…@host/hpo', 'memory://')
    """
    scheme, _, rest = url.partition("://")
    account, sign, place = rest.rpartition("@")
    user, colon, _ = account.partition(":")
    return f"{scheme}://{user}{':…' if colon else ''}{sign}{place}"
