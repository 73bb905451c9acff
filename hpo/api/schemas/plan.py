"""What a study file would become and take."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hpo.api.schemas.base import Answer, example


class Plan(Answer):
    """Reckoned from stated rates, not measured."""

    n_trials: int
    n_lanes: int
    n_cohorts: int
    widest_lanes: int
    memory_bytes: int = Field(description="Of the largest cohort.")
    flops: float
    seconds: float
    trained: float | None = Field(description="Share of the epochs that the pruner leaves; null: not known.")
    workers: int = Field(description="Slots of the coordinators that serve; 1 where there are none.")
    device: Literal["cpu", "cuda"]
    infeasible: float = Field(description="Share of the first trials that constraints refuse.")


class Validated(Answer):
    """A study file that may be submitted."""

    valid: Literal[True]
    spec: dict[str, Any] = Field(description="The completed study file.")
    plan: Plan | None = Field(description="Null for a study that is trained elsewhere.")
    notes: list[str] = Field(description="What it says in vain or by oversight.")

    model_config = example(
        {
            "valid": True,
            "spec": {"data": {"source": "digits"}, "trials": 64, "epochs": 30},
            "plan": {
                "n_trials": 64,
                "n_lanes": 64,
                "n_cohorts": 2,
                "widest_lanes": 48,
                "memory_bytes": 9_400_000,
                "flops": 3.1e10,
                "seconds": 1.9,
                "trained": 1.0,
                "workers": 2,
                "device": "cpu",
                "infeasible": 0.0,
            },
            "notes": [],
        }
    )
