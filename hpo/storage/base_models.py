"""What a storage must do with trained models: keep them, list them, and note whose was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

MOST_ASKED = 32  # models of one study kept because somebody asked; the oldest goes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A trained model kept for a study."""

    number: int
    value: float
    data: bytes
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptModel:
    """A kept model without its bytes. asked: somebody wanted this trial's, so a better one does not replace it."""

    number: int
    value: float
    n_bytes: int
    asked: bool
    saved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A trial whose model somebody wants, so that it is to be trained again.

    age_s: seconds since it was asked for; failed: it was tried, and detail says why it gave no model
    """

    study: str
    number: int
    age_s: float
    failed: bool = False
    detail: str | None = None


class ModelStorage(Protocol):
    """The kept models and the requests for others."""

    def model(self, name: str, number: int | None = None) -> StoredModel | None:
        """The kept model of a trial; without a number that of the best trial so far. Raises StudyNotFound."""

    def kept_models(self, name: str) -> list[KeptModel]:
        """The kept models by number of the trial, without their bytes. Raises StudyNotFound."""

    def request_model(self, name: str, number: int) -> ModelRequest:
        """Ask for a trial's model; one that is asked for already stays as it is, one that failed is asked for
        anew. Raises StudyNotFound, TrialNotFound."""

    def model_request(self, name: str, number: int) -> ModelRequest | None:
        """The request for a trial's model. Raises StudyNotFound."""

    def model_requests(self) -> list[ModelRequest]:
        """The requests of all studies that have not failed, the oldest first."""

    def fulfil_request(self, name: str, model: StoredModel) -> None:
        """Keep a model that somebody asked for, and strike the request; of more than MOST_ASKED of a study
        the oldest goes. Raises StudyNotFound."""

    def refuse_request(self, name: str, number: int, detail: str) -> None:
        """Note why there will be no such model. Raises StudyNotFound."""
