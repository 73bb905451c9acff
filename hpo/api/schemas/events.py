"""What server-sent events hold: the data of each kind."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.event_stream import MEDIA_TYPE, begin, event
from hpo.api.schemas.base import Answer, example
from hpo.api.schemas.study import StudySummary, TrialCounts
from hpo.service.events import Place

_PROGRESS: dict[str, Any] = {
    "n_trials": 256,
    "counts": {"RUNNING": 64, "COMPLETE": 120, "FAIL": 8},
    "best": {"number": 97, "value": 0.734},
    "trials_per_s": 3.1,
    "model_steps_per_s": 90512.0,
    "seconds_left": 41.0,
    "n_slots": 8,
    "n_busy": 6,
}
_TRIALS: dict[str, Any] = {
    "items": [
        {"number": 17, "state": "COMPLETE", "value": 0.71, "params": {"learning_rate": 0.01}, "place": 128}
    ]
}


class TrialsEvent(Answer):
    """`trial`: trials that have finished, in the order in which they did."""

    model_config = example(_TRIALS)

    items: list[dict[str, Any]] = Field(
        description="As `…/trials` lists them, each with `place`, its place in that order, from 1 without gaps."
    )


class BestTrial(Answer):
    """The best trial so far; with several objectives the front's first."""

    number: int
    value: float | None
    values: list[float | None] | None = Field(default=None, description="Where there are several objectives.")


class ProgressEvent(Answer):
    """`progress`: how far the study is."""

    model_config = example(_PROGRESS)

    n_trials: int
    counts: TrialCounts
    best: BestTrial | None
    trials_per_s: float | None
    model_steps_per_s: float | None
    seconds_left: float | None
    n_slots: int | None = Field(description="Slots that its driver may use; null while nobody drives it.")
    n_busy: int | None = Field(description="Of these, those that train its trials now.")


class StudyEvent(StudySummary):
    """`study`: its state or what may be changed of it is another. When it is final the stream ends with it."""

    wanted: str | None
    priority: int


STREAM: dict[str, Any] = {
    MEDIA_TYPE: {
        "schema": {
            "type": "string",
            "x-events": {
                kind: model.model_json_schema(mode="serialization")
                for kind, model in (
                    ("trial", TrialsEvent),
                    ("progress", ProgressEvent),
                    ("study", StudyEvent),
                )
            },
        },
        "example": (begin() + event("trial", _TRIALS, Place(n=128)) + event("progress", _PROGRESS)).decode(),
    }
}
