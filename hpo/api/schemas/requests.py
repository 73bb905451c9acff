"""What is sent to change a study: verbs with a body, amendments, settings to try."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.schemas.base import Sent, sent_like

MAX_SETTINGS = 1_000

Scalar = bool | int | float | str | None


class Changes(Sent):
    """What may change while a study lives. Of labels and limits only the keys given; null takes one away."""

    model_config = sent_like({"trials": 512, "limits": {"parallel": 64}, "labels": {"course": "cs231n"}})

    trials: int | None = Field(default=None, description="The new total, not below the present one.")
    priority: int | None = None
    limits: dict[str, Scalar] | None = None
    labels: dict[str, str | None] | None = None


class Resume(Sent):
    """How a study is to go on."""

    model_config = sent_like({"trials": 512})

    trials: int | None = Field(default=None, description="A larger total.")


class ForkOf(Sent):
    """What is to be different in the new study."""

    model_config = sent_like({"name": "wine-red-wide", "set": {"trials": 64, "parameters.hidden_units": 128}})

    name: str | None = Field(default=None, description="Left out: the old one's with the next counter.")
    set: dict[str, Any] = Field(default={}, description="Keys of a study file, with dots.")
    replay: bool = Field(
        default=False, description="One trial of a population, by the schedule found for it."
    )
    trial: int | None = Field(default=None, ge=0, description="Which one to replay; the best unless given.")


class Settings(Sent):
    """Settings to try before what the sampler proposes next; what is left out of one is drawn."""

    model_config = sent_like({"settings": [{"learning_rate": 0.001, "optimizer": "adam"}]})

    settings: list[dict[str, Scalar]] = Field(min_length=1, max_length=MAX_SETTINGS)


class Retry(Sent):
    """Which failed trials to train once more; none: all that failed by error, lost or out_of_memory."""

    model_config = sent_like({"numbers": [3, 17]})

    numbers: list[int] = Field(default=[], max_length=MAX_SETTINGS)
