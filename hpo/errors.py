"""Every error hpo raises on purpose: a code, a sentence, a cure."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import ClassVar, TypeVar

T = TypeVar("T")


class HpoError(Exception):
    """Something went wrong; `hpo doctor` checks the installation.

    The class's docstring is the message when none is given. `field` is the place in what the user
    wrote, with dots (`parameters.learning_rate.low`); doors show it before the sentence.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500  # HTTP
    exit_code: ClassVar[int] = 1  # command line

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or (inspect.getdoc(type(self)) or self.code).split("\n\n")[0]
        self.field = field
        super().__init__(self.detail if field is None else f"{field}: {self.detail}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.detail, self.field)


def _rebuild(kind: type[HpoError], detail: str, field: str | None) -> HpoError:
    return kind(detail, field=field)


class SpecError(HpoError, ValueError):
    """The study is not valid."""

    code = "invalid_study"
    status = 422
    exit_code = 2


class UnknownName(SpecError):
    """That name is not known."""

    code = "unknown_name"


class NotYet(SpecError):
    """This version does not do that yet."""

    code = "not_yet"


class DataError(HpoError, ValueError):
    """The data cannot be used."""

    code = "invalid_data"
    status = 422
    exit_code = 2


class DataChanged(HpoError):
    """The data file is not the one the study began with; put it back, or start a new study."""

    code = "data_changed"
    status = 409


class StudyNotFound(HpoError):
    """No study has that name; `hpo ls` shows the names there are."""

    code = "study_not_found"
    status = 404
    exit_code = 4


class TrialNotFound(HpoError):
    """The study has no trial of that number; `hpo trials STUDY` lists them."""

    code = "trial_not_found"
    status = 404
    exit_code = 4


class DatasetNotFound(HpoError):
    """No data set has that name or id; `hpo data ls` shows what there is."""

    code = "dataset_not_found"
    status = 404
    exit_code = 4


class StudyExists(HpoError):
    """A study of that name exists already; choose another name, or `hpo resume` it."""

    code = "study_exists"
    status = 409


class IllegalMove(HpoError):
    """The study or trial cannot go from the state it is in to that one."""

    code = "illegal_move"
    status = 409


class StudyOwned(HpoError):
    """Another process is running this study."""

    code = "study_owned"
    status = 409


class LeaseLost(HpoError):
    """Another coordinator has taken this work over; what this one had not written is void."""

    code = "lease_lost"
    status = 409


class StorageUnavailable(HpoError):
    """The database cannot be used now; nothing is lost, try again."""

    code = "storage_unavailable"
    status = 503


class StorageFull(StorageUnavailable):
    """The disk of the database is full; free some space, then `hpo resume` the study."""

    code = "storage_full"


class StorageVersion(HpoError):
    """The database was written by another version of hpo."""

    code = "storage_version"


class PoolError(HpoError):
    """The worker pool could not be started or has died."""

    code = "pool"


class StudyFailed(HpoError):
    """The study ended without a usable result."""

    code = "study_failed"
    exit_code = 3


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'relu'?`, or nothing when no known name is near.

    >>> suggest("rleu", ["relu", "tanh"])
    "; did you mean 'relu'?"
    """
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def lookup(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of that name. Raises UnknownName with the nearest name, or all of a short table.

    >>> lookup({"relu": 1, "tanh": 2}, "tanh", "activation")
    2
    """
    if name in table:
        return table[name]
    hint = suggest(name, table) or f"; there are {', '.join(sorted(table)[:20])}"
    raise UnknownName(f"no {what} is called {name!r}{hint}")
