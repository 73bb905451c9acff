"""What ails a study or a trial, as the API says it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.schemas.base import Answer, example
from hpo.service.diagnosing import Severity


class Found(Answer):
    """An illness that was found; docs/reference/illnesses.md lists them all."""

    code: str = Field(description="Of the illness, for programs.")
    severity: Severity = Field(
        description="severe spoils the result, mild costs some of it, note is good to know."
    )
    sentence: str = Field(description="What was found, with its numbers.")
    cure: str = Field(description="What to change.")
    numbers: dict[str, float | int | str | None] = Field(description="What it is judged by, by name.")
    trials: list[int] = Field(description="The numbers of the trials that it is about.")


class Diagnosis(Answer):
    """What was found, the most severe first; no findings: nothing ails it, as far as was measured."""

    model_config = example(
        {
            "study": "wine-red",
            "trial": None,
            "metric": "accuracy",
            "findings": [
                {
                    "code": "at_edge",
                    "severity": "mild",
                    "sentence": "6 of the best 20 trials have learning_rate in the highest tenth of its range "
                    "(0.0001 to 0.01)",
                    "cure": "move that end of the range",
                    "numbers": {
                        "count": 6,
                        "best": 20,
                        "parameter": "learning_rate",
                        "end": "highest",
                        "low": 0.0001,
                        "high": 0.01,
                    },
                    "trials": [97, 12, 201, 33, 148, 60],
                }
            ],
            "next": {
                "name": "wine-red-next",
                "data": {"source": "ds_0123456789abcdef", "target": "quality"},
                "trials": 256,
                "parameters": {"learning_rate": {"low": 0.0001, "high": 0.1, "log": True}},
            },
        }
    )

    study: str
    trial: int | None
    metric: str = Field(description="That the best trials are the best in: of several objectives the first.")
    findings: list[Found]
    next: dict[str, Any] | None = Field(
        description="The study file to try next, as `POST /studies` takes it; null for a trial."
    )
