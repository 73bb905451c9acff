"""Trials that are trained elsewhere: asked for, reported on, told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hpo.api.schemas.base import Answer, Sent, Time, example, sent_like
from hpo.states import StudyState

Scalar = bool | int | float | str | None
_CLIENT = "Who asks: the same at each call, another for each of several that train side by side."


class Ask(Sent):
    """Who wants trials, and how many."""

    model_config = sent_like({"client_id": "node7-gpu0", "count": 1})

    client_id: str = Field(description=_CLIENT, min_length=1, max_length=255)
    count: int = Field(default=1, ge=1, le=1_000)


class Report(Sent):
    """A trial's value after an epoch."""

    model_config = sent_like({"epoch": 3, "value": 0.91, "client_id": "node7-gpu0"})

    epoch: int = Field(description="Counts from 1.", ge=1)
    value: float = Field(
        description="Of the objective; the larger or the smaller the better, as the study says."
    )
    client_id: str | None = Field(
        default=None, description="Given: 409 when another client has the trial now."
    )


class Heartbeat(Sent):
    """A sign of life."""

    model_config = sent_like({"client_id": "node7-gpu0"})

    client_id: str | None = Field(
        default=None, description="Given: 409 when another client has the trial now."
    )


class Tell(Sent):
    """How a trial ended."""

    model_config = sent_like({"state": "COMPLETE", "value": 0.93})

    state: Literal["COMPLETE", "PRUNED", "FAIL"] = "COMPLETE"
    value: float | None = Field(default=None, description="Left out: the best that was reported.")
    values: list[float] | None = Field(default=None, description="One for each of several objectives.")
    reason: Literal["error", "out_of_memory", "diverged", "infeasible"] | None = Field(
        default=None, description="Why it failed; error unless given."
    )
    epochs: int | None = Field(
        default=None, ge=0, description="How many were trained; else the last reported."
    )
    client_id: str | None = Field(
        default=None, description="Whoever tells first counts; it is not looked at."
    )


class HandedTrial(Answer):
    """A trial to train."""

    number: int
    params: dict[str, Scalar] = Field(description="The searched values.")
    fixed: dict[str, Scalar] = Field(description="The values that are the same in all trials.")
    epochs: int | None = Field(description="At most so many; null: as many as you like.")
    lease_s: float = Field(description="Report or send a heartbeat at least this often.")


class Handed(Answer):
    """Trials to train, or why there are none now."""

    model_config = example(
        {
            "study": "cache",
            "state": "RUNNING",
            "over": False,
            "trials": [
                {
                    "number": 17,
                    "params": {"cache.size": 512, "index": "tree"},
                    "fixed": {},
                    "epochs": None,
                    "lease_s": 60.0,
                }
            ],
            "reason": None,
            "retry_after_s": None,
        }
    )

    study: str
    state: StudyState
    over: bool = Field(description="The study has ended: ask no more.")
    trials: list[HandedTrial]
    reason: str | None = Field(description="Why there are none; null where there are.")
    retry_after_s: float | None = Field(
        description="When to ask again; null where there are trials, or it is over."
    )


class Reported(Answer):
    """What a pruner says of the trial."""

    model_config = example({"number": 17, "epoch": 3, "prune": False, "lease_s": 60.0})

    number: int
    epoch: int
    prune: bool = Field(description="Stop training it, and tell PRUNED.")
    lease_s: float


class Kept(Answer):
    """The trial is still the client's."""

    model_config = example({"number": 17, "state": "RUNNING", "lease_s": 60.0})

    number: int
    state: StudyState = Field(description="Of the study.")
    lease_s: float


class ToldTrial(Answer):
    """A trial as it ended."""

    model_config = example(
        {
            "number": 17,
            "state": "COMPLETE",
            "reason": None,
            "value": 0.93,
            "stderr": None,
            "params": {"cache.size": 512, "index": "tree"},
            "epochs": 20,
            "best_epoch": 18,
            "retry_of": None,
            "started_at": "2026-01-02T03:04:05.600000Z",
            "finished_at": "2026-01-02T03:05:45.100000Z",
        }
    )

    number: int
    state: Literal["COMPLETE", "PRUNED", "FAIL"]
    reason: str | None = Field(description="Such as error, lost, diverged@4 or halving@9.")
    value: float | None = Field(description="Null with several objectives, and of failed trials.")
    stderr: float | None
    params: dict[str, Scalar]
    epochs: int
    best_epoch: int | None
    retry_of: int | None
    started_at: Time | None
    finished_at: Time | None
    values: list[float | None] | None = Field(
        default=None, description="By objective, where there are several."
    )
