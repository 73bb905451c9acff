"""Ids of studies that were asked for lately, so that a page takes one statement and not two.

A name may have been given to another study since: whoever reads by a remembered id has the database check the name
in the same statement (`still_called`), and looks again where that finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, bindparam, exists, select

from hpo.storage import optuna_tables as optuna
from hpo.storage.records import objectives_of
from hpo.storage.studies import not_found
from hpo.storage.tables import studies
from hpo.study import Direction

T = TypeVar("T")
MANY = 1_000

_KEY = (
    select(studies.c.study_id, studies.c.direction, studies.c.objectives)
    .join(optuna.studies, optuna.studies.c.study_id == studies.c.study_id)
    .where(optuna.studies.c.study_name == bindparam("name"))
)


@dataclass(frozen=True, slots=True)
class StudyKey:
    """A study's id, and what says which trial is the better one; none of it ever changes.

    objectives: as hpo_studies keeps them; None where there is one
    """

    id: int
    name: str
    direction: Direction
    objectives: str | None

    @property
    def directions(self) -> list[Direction]:
        """Of each objective."""
        several = [one.direction or self.direction for one in objectives_of(self.objectives)]
        return several or [self.direction]


class StudyKeys:
    """The keys of one database's studies. For any number of threads: two that look at once find the same."""

    def __init__(self) -> None:
        self._known: dict[str, StudyKey] = {}

    def read(self, connection: Connection, name: str, rows: Callable[[StudyKey], list[T]]) -> list[T]:
        """Rows that belong to a study; those that hold `still_called` of its key. Raises StudyNotFound."""
        known = self._known.get(name)
        found = [] if known is None else rows(known)
        return found or rows(self._look(connection, name))

    def _look(self, connection: Connection, name: str) -> StudyKey:
        if len(self._known) >= MANY:
            self._known = {}
        found = self._known[name] = key_of(connection, name)
        return found


def key_of(connection: Connection, name: str) -> StudyKey:
    """The key of a study. Raises StudyNotFound."""
    row = connection.execute(_KEY, {"name": name}).one_or_none()
    if row is None:
        raise not_found(name)
    return StudyKey(row.study_id, name, Direction(row.direction), row.objectives)


def still_called(study: object, name: object, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a study has that name, and meets conditions: SQLite gives the id of a removed one to the next."""
    return exists().where(
        optuna.studies.c.study_id == study,
        optuna.studies.c.study_name == name,
        studies.c.study_id == optuna.studies.c.study_id,
        *conditions,
    )
