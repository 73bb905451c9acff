"""Columns of trials in the database; what each method does and raises stands in `base_columns`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpo.space import Searched
from hpo.storage.base_columns import CohortSpan, TrialColumns
from hpo.storage.engine import Transactions
from hpo.storage.study_keys import key_of

if TYPE_CHECKING:
    from hpo.storage.base_columns import Floats, Ints


def _columns() -> Any:
    """hpo.storage.columns, and NumPy with it, when the first figure is asked for: most commands draw none."""
    return importlib.import_module("hpo.storage.columns")


class DatabaseColumns:
    """Narrow columns of SQLite or PostgreSQL."""

    _db: Transactions

    def trial_columns(self, name: str) -> TrialColumns:
        """Number, state and values of every trial."""
        with self._db.read() as connection:
            found: TrialColumns = _columns().of_trials(connection, key_of(connection, name))
        return found

    def trial_params(self, name: str, parameters: Mapping[str, Searched], numbers: Ints) -> dict[str, Floats]:
        """The parameters of some trials as numbers."""
        with self._db.read() as connection:
            key = key_of(connection, name)
            found: dict[str, Floats] = _columns().of_params(connection, key, parameters, numbers)
        return found

    def cohort_spans(self, name: str) -> list[CohortSpan]:
        """The cohorts that were begun."""
        with self._db.read() as connection:
            found: list[CohortSpan] = _columns().spans(connection, key_of(connection, name))
        return found
