"""What the database says of itself; what each method does and raises stands in `base_census`."""

from __future__ import annotations

from hpo.errors import StorageVersion
from hpo.storage import census
from hpo.storage.base_census import Census
from hpo.storage.engine import Transactions
from hpo.storage.tables import REVISIONS, VERSION_TABLE
from hpo.storage.versions import version_of


class DatabaseCensus:
    """Revision and counts of SQLite or PostgreSQL."""

    _db: Transactions

    def revision(self) -> str:
        """The revision of the tables as they are now."""
        with self._db.read() as connection:
            found = version_of(connection, VERSION_TABLE)
        if found != REVISIONS[-1]:
            raise StorageVersion(
                f"the tables of {self._db.place} are of revision {found or 'none'}, this hpo needs {REVISIONS[-1]}"
            )
        return found

    def census(self) -> Census:
        """Everything there is."""
        with self._db.read() as connection:
            return census.count(connection)
