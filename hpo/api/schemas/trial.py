"""Trials as they are listed and shown, and what comes out of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.schemas.base import Answer, Page, Time, example
from hpo.api.schemas.study import Objective
from hpo.states import TrialState

Params = dict[str, bool | int | float | str | None]

_TRIAL: dict[str, Any] = {
    "number": 97,
    "state": "COMPLETE",
    "reason": "stopped_early@31",
    "value": 0.734,
    "stderr": None,
    "params": {"learning_rate": 0.0031, "optimizer": "adam"},
    "epochs": 31,
    "best_epoch": 21,
    "retry_of": None,
    "started_at": "2026-01-02T03:04:06Z",
    "finished_at": "2026-01-02T03:04:09.250000Z",
}
_BEST: dict[str, Any] = {
    "study": "wine-red",
    "number": 97,
    "value": 0.734,
    "stderr": None,
    "metric": "accuracy",
    "params": {"learning_rate": 0.0031, "optimizer": "adam"},
    "fixed": {"hidden_layers": 2},
    "test": {"accuracy": 0.719, "scored": 1},
    "n_trials": 256,
    "states": {"COMPLETE": 248, "FAIL": 8},
    "seconds": 83.1,
    "tied_with_best": True,
}
_ENQUEUED = {"study": "wine-red", "state": "QUEUED", "n_trials": 257, "retry_of": []}


class Inherited(Answer):
    """After an epoch a trial of a population went on from another one's weights."""

    epoch: int
    source: int
    params: Params


class Trial(Answer):
    """A trial, or those of its fields that were asked for."""

    model_config = example(_TRIAL)

    number: int | None = None
    state: TrialState | None = None
    reason: str | None = None
    value: float | None = Field(default=None, description="Null without one, and with several objectives.")
    stderr: float | None = None
    params: Params | None = Field(
        default=None, description="Of the searched parameters, those that count for it."
    )
    epochs: int | None = None
    best_epoch: int | None = None
    retry_of: int | None = Field(default=None, description="The failed trial that it is once more.")
    started_at: Time | None = None
    finished_at: Time | None = None
    values: list[float | None] | None = Field(default=None, description="Of several objectives.")
    feasible: bool | None = Field(default=None, description="false: what it became breaks a constraint.")
    lineage: list[Inherited] | None = Field(default=None, description="Of a trial of a population.")


class TrialPage(Page[Trial]):
    """A page of trials."""

    model_config = example({"items": [_TRIAL], "next_cursor": None})


class TrialRecord(Trial):
    """All there is to say of one trial."""

    study: str
    metric: str
    objectives: list[Objective] | None = None
    facts: dict[str, float | None] = Field(description="Noted while it trained.")
    fixed: Params = Field(description="The fixed parameters that count for it.")
    repeat: list[str] = Field(description="What to type to train it once more.")

    model_config = example(
        {
            "study": "wine-red",
            "metric": "accuracy",
            **_TRIAL,
            "facts": {"initial_loss": 1.79, "dead_units": 0.02},
            "fixed": {"hidden_layers": 2},
            "repeat": ["hpo enqueue wine-red learning_rate=0.0031 optimizer=adam", "hpo resume wine-red"],
        }
    )


class Points(Answer):
    """One column of a curve: places and what stands there."""

    epoch: list[int]
    value: list[float | None]


class CurveRecord(Answer):
    """What a trial's epochs came to, by column, each with its peaks and dips."""

    model_config = example(
        {
            "study": "wine-red",
            "number": 97,
            "epochs": 3,
            "columns": {"validation_accuracy": {"epoch": [1, 2, 3], "value": [0.51, 0.68, 0.73]}},
        }
    )

    study: str
    number: int
    epochs: int
    columns: dict[str, Points]


class Enqueued(Answer):
    """What was put into the queue, and the study afterwards."""

    model_config = example({**_ENQUEUED, "enqueued": [{"learning_rate": 0.001}]})

    study: str
    state: str
    n_trials: int
    enqueued: list[Params]
    retry_of: list[int]


class FrontTrial(Answer):
    """A trial that no other beats in every objective."""

    number: int
    values: list[float | None]
    stderr: float | None
    params: Params


class Best(Answer):
    """One of the best trials, and of how many it is."""

    study: str
    number: int
    value: float | None
    stderr: float | None
    metric: str
    objectives: list[Objective] | None = None
    values: list[float | None] | None = None
    params: Params
    fixed: Params
    test: dict[str, Any] | None = Field(description="On the test rows, once the study has ended.")
    n_trials: int
    states: dict[str, int]
    seconds: float | None
    lineage: list[Inherited] | None = None
    front: list[FrontTrial] | None = Field(default=None, description="Of several objectives.")
    tied_with_best: bool | None = Field(
        default=None, description="Whether chance explains the difference to the best; null: nobody knows."
    )

    model_config = example(_BEST)


class BestList(Page[Best]):
    """The best trials, the best first."""

    model_config = example({"items": [_BEST], "next_cursor": None})


class Front(Page[FrontTrial]):
    """The Pareto front, by the first objective; with one objective the trials that share the best value."""

    model_config = example(
        {
            "items": [{"number": 97, "values": [0.734, 8450], "stderr": None, "params": {"l2": 0.001}}],
            "next_cursor": None,
        }
    )


class OneImportance(Answer):
    """A parameter's share in what all of them explain."""

    name: str
    importance: float | None = Field(description="0 to 1, together 1; null: it cannot be judged.")
    reason: str | None = Field(description="Why not.")


class Importances(Answer):
    """How much each searched parameter matters, the largest first."""

    model_config = example(
        {
            "study": "wine-red",
            "metric": "accuracy",
            "n_trials": 248,
            "items": [
                {"name": "learning_rate", "importance": 0.91, "reason": None},
                {"name": "l2", "importance": 0.09, "reason": None},
                {
                    "name": "momentum",
                    "importance": None,
                    "reason": "counts in 4 of 248 trials, too few to say",
                },
            ],
        }
    )

    study: str
    metric: str
    n_trials: int
    items: list[OneImportance]
