"""Trials trained elsewhere, in the database: each method one transaction; what it does stands in `base_external`."""

from __future__ import annotations

from hpo.space import SearchSpace
from hpo.storage import external
from hpo.storage.base_external import HandedOut, Look, Terms, Told, Wanted
from hpo.storage.engine import Transactions
from hpo.study import Study
from hpo.trial import Trial


class DatabaseExternal:
    """Leases, reports and results in SQLite or PostgreSQL."""

    _db: Transactions

    def look(self, name: str, client: str, count: int) -> Look:
        """What there is to hand out."""
        with self._db.read() as connection:
            return external.look(connection, name, client, count)

    def hand_out(self, name: str, space: SearchSpace, wanted: Wanted, terms: Terms) -> HandedOut:
        """Trials for a client."""
        with self._db.write() as connection:
            return external.hand_out(connection, name, space, wanted, terms)

    def report_epoch(
        self, name: str, number: int, client: str | None, epoch: int, value: float, terms: Terms
    ) -> bool:
        """Keep a value; whether the trial should end."""
        with self._db.write() as connection:
            return external.report(connection, name, number, client, epoch, value, terms)

    def renew_lease(self, name: str, number: int, client: str | None, terms: Terms) -> Study:
        """Keep a trial for another lease."""
        with self._db.write() as connection:
            return external.renew(connection, name, number, client, terms)

    def tell_trial(self, name: str, number: int, told: Told, terms: Terms) -> Trial:
        """End a trial."""
        with self._db.write() as connection:
            return external.tell(connection, name, number, told, terms)

    def drop_lapsed(self, name: str, terms: Terms) -> Study:
        """End trials that were lost too often."""
        with self._db.write() as connection:
            return external.drop_lapsed(connection, name, terms)

    def wind_up(
        self,
        name: str,
        terms: Terms,
        *,
        reason: str | None,
        counted: int | None = None,
        at_once: bool = False,
    ) -> Study:
        """Hand out no further plans."""
        with self._db.write() as connection:
            return external.wind_up(connection, name, reason, counted, at_once=at_once, terms=terms)

    def without_driver(self) -> list[str]:
        """Names of running studies that never have a driver."""
        with self._db.read() as connection:
            return external.without_driver(connection)

    def n_unsampled(self, name: str, first: int, end: int) -> int:
        """How many of the trials no sampler proposed."""
        with self._db.read() as connection:
            return external.n_unsampled(connection, name, first, end)
