"""Columns of trials in the database; what each method does and raises stands in `base_columns`."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.space import Searched
from hpo.storage import columns
from hpo.storage.base_columns import CohortSpan, Floats, Ints, TrialColumns
from hpo.storage.engine import Transactions
from hpo.storage.study_keys import key_of


class DatabaseColumns:
    """Narrow columns of SQLite or PostgreSQL."""

    _db: Transactions

    def trial_columns(self, name: str) -> TrialColumns:
        """Number, state and values of every trial."""
        with self._db.read() as connection:
            return columns.of_trials(connection, key_of(connection, name))

    def trial_params(self, name: str, parameters: Mapping[str, Searched], numbers: Ints) -> dict[str, Floats]:
        """The parameters of some trials as numbers."""
        with self._db.read() as connection:
            return columns.of_params(connection, key_of(connection, name), parameters, numbers)

    def cohort_spans(self, name: str) -> list[CohortSpan]:
        """The cohorts that were begun."""
        with self._db.read() as connection:
            return columns.spans(connection, key_of(connection, name))
