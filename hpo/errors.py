"""Every error hpo raises on purpose: a code, a sentence, a cure."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import ClassVar, TypeVar

T = TypeVar("T")


class HpoError(Exception):
    """Something went wrong; `hpo doctor` checks the installation.

    The class's docstring is the message when none is given, in the shape of all messages: no capital
    at the beginning, no full stop at the end. `field` is the place in what the user wrote, with dots
    (`parameters.learning_rate.low`); doors show it before the sentence.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500  # HTTP
    exit_code: ClassVar[int] = 1  # command line
    internal: ClassVar[bool] = False  # the log has its message, clients hear the class's sentence

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or _said_by(type(self))
        self.field = field
        super().__init__(self.detail if field is None else f"{field}: {self.detail}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.detail, self.field)


def _said_by(kind: type[HpoError]) -> str:
    """What a class says of itself, as it follows `error: ` and the place."""
    text = (inspect.getdoc(kind) or kind.code).split("\n\n")[0].rstrip(".")
    return text[:1].lower() + text[1:]


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


class FigureNotFound(HpoError):
    """No figure is called that."""

    code = "figure_not_found"
    status = 404
    exit_code = 4


class ModelNotFound(HpoError):
    """The study has no model of that trial."""

    code = "model_not_found"
    status = 404
    exit_code = 4


class ModelNotKept(HpoError):
    """The weights of that trial were not kept; `hpo model STUDY --trial N` trains it once more."""

    code = "model_not_kept"
    status = 409


class NotInstalled(HpoError):
    """A package that this needs is not installed."""

    code = "not_installed"
    status = 501


class NotRepeatable(HpoError):
    """The trial cannot be trained again with the same result."""

    code = "not_repeatable"
    status = 409


class KeyNotFound(HpoError):
    """No API key has that id; `hpo keys ls` shows those there are."""

    code = "key_not_found"
    status = 404
    exit_code = 4


class BadRequest(HpoError):
    """The request is not well formed."""

    code = "invalid_request"
    status = 400
    exit_code = 2


class NotSignedIn(HpoError):
    """This server wants an API key; set HPO_API_KEY to one that `hpo keys create` has shown."""

    code = "not_signed_in"
    status = 401
    exit_code = 5


class NotAllowed(HpoError):
    """This API key does not allow that."""

    code = "not_allowed"
    status = 403
    exit_code = 5


class QuotaReached(HpoError):
    """Your quota does not allow more; wait for a study to end, or ask an administrator."""

    code = "quota_reached"
    status = 429


class TooManyRequests(HpoError):
    """Too many requests; try again later."""

    code = "too_many_requests"
    status = 429

    def __init__(
        self, detail: str | None = None, *, field: str | None = None, retry_after_s: float = 1.0
    ) -> None:
        super().__init__(detail, field=field)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return *super().__reduce__(), {"retry_after_s": self.retry_after_s}


class TooLarge(HpoError):
    """The request is larger than this server takes."""

    code = "too_large"
    status = 413


class HeadersTooLarge(TooLarge):
    """The head of the request is larger than this server takes."""

    code = "headers_too_large"
    status = 431


class TooSlow(HpoError):
    """The request came too slowly; send it again."""

    code = "too_slow"
    status = 408


class ForeignOrigin(NotAllowed):
    """A page of another site made this request."""

    code = "foreign_origin"


class WrongMediaType(HpoError):
    """The body is of a type that this address does not take."""

    code = "wrong_media_type"
    status = 415


class WrongHost(HpoError):
    """This server is not called that; HPO_ALLOWED_HOSTS names further hosts."""

    code = "wrong_host"
    status = 421


class Changed(HpoError):
    """It has changed since you read it; read it again."""

    code = "changed"
    status = 412


class KeyReused(HpoError):
    """That Idempotency-Key came with another request before; use a new one."""

    code = "idempotency_key_reused"
    status = 422


class ServerError(HpoError):
    """The server cannot be reached or answered with something that is no answer."""

    code = "server"
    status = 502


class CannotListen(HpoError):
    """The server cannot listen at that address."""

    code = "cannot_listen"


class DashboardMissing(HpoError):
    """The Optuna dashboard is not installed: pip install 'hpo[dashboard]', then start the server again."""

    code = "dashboard_missing"
    status = 404


class DashboardAway(HpoError):
    """The Optuna dashboard does not answer now; it is started again, so try once more in some seconds."""

    code = "dashboard_away"
    status = 502


class DashboardSlow(HpoError):
    """The Optuna dashboard took too long; it is made for studies of up to 10,000 trials."""

    code = "dashboard_slow"
    status = 504


class StorageUnavailable(HpoError):
    """The database cannot be used now; nothing is lost, try again."""

    code = "storage_unavailable"
    status = 503
    internal = True


class StorageFull(StorageUnavailable):
    """The disk of the database is full; free some space: a server's study goes on by itself, `hpo resume` another."""

    code = "storage_full"


class UploadsFull(StorageFull):
    """The server's folder for temporary files takes no more; nothing was kept, try again later."""

    code = "uploads_full"


class StorageVersion(HpoError):
    """The database was written by another version of hpo."""

    code = "storage_version"
    internal = True


class PoolError(HpoError):
    """The worker pool could not be started or has died."""

    code = "pool"


class StudyFailed(HpoError):
    """The study ended without a usable result."""

    code = "study_failed"
    status = 409
    exit_code = 3


class SamplerFailed(StudyFailed):
    """The next settings could not be worked out; resume the study, or go on with sampler: tpe in a fork of it."""

    code = "sampler_failed"
    status = 500


class SpaceNotFound(HpoError):
    """No search space has that name; `hpo spaces` lists them."""

    code = "space_not_found"
    status = 404
    exit_code = 4


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
