"""Models: one that is being trained again, and predictions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hpo.api.schemas.base import Answer, example

_WAITING: dict[str, Any] = {
    "study": "wine-red",
    "trial": 17,
    "state": "training",
    "seconds": 1.2,
    "detail": "the trial is trained once more; ask again",
}
_PREDICTED: dict[str, Any] = {
    "study": "wine-red",
    "trial": 17,
    "task": "classification",
    "target": "quality",
    "n_rows": 2,
    "classes": ["5", "6"],
    "predictions": ["6", "5"],
    "probabilities": [[0.25, 0.75], [0.5, 0.5]],
    "scores": {"accuracy": 0.5, "log_loss": 0.49, "f1": 0.33},
    "network_scores": None,
    "ignored": ["id"],
    "notes": [],
}


class ModelAwaited(Answer):
    """A model that was not kept, while its trial is trained once more."""

    model_config = example(_WAITING)

    study: str
    trial: int
    state: Literal["waiting", "training"] = Field(description="waiting: no coordinator runs now.")
    seconds: float = Field(description="Since it was asked for.")
    detail: str


class Predicted(Answer):
    """What a model says of rows."""

    model_config = example(_PREDICTED)

    study: str | None
    trial: int
    task: Literal["classification", "regression"]
    target: str = Field(description="The column that is predicted.")
    n_rows: int
    classes: list[str] | None = Field(description="In the order of the probabilities; null for regression.")
    predictions: list[str | float | None] = Field(
        description="The likeliest class of each row, or its value in the target's own unit."
    )
    probabilities: list[list[float]] | None
    scores: dict[str, float | None] | None = Field(
        description="What the predictions are worth, where the rows have the target."
    )
    network_scores: dict[str, float | None] | None = Field(
        description="With repeats: the mean of the scores of each network, as test scores are made."
    )
    ignored: list[str] = Field(description="Columns that the model does not read, a hundred at most.")
    notes: list[str]
