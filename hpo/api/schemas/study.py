"""Studies as they are listed and shown."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hpo.api.schemas.base import Answer, Page, Time, example
from hpo.dataset import DatasetInfo
from hpo.states import StudyState

TrialCounts = dict[Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"], int]
Direction = Literal["minimize", "maximize"]

_SUMMARY: dict[str, Any] = {
    "name": "wine-red",
    "owner": "ada",
    "state": "RUNNING",
    "reason": None,
    "n_trials": 256,
    "n_finished": 128,
    "states": {"RUNNING": 64, "COMPLETE": 120, "FAIL": 8},
    "metric": "accuracy",
    "value": 0.734,
    "labels": {"course": "cs231n"},
    "created_at": "2026-01-02T03:04:05.600000Z",
    "finished_at": None,
    "seconds": 41.5,
}


class Objective(Answer):
    """One of several objectives."""

    metric: str
    direction: Direction


class StudySummary(Answer):
    """A study in one line."""

    model_config = example(_SUMMARY)

    name: str
    owner: str | None = Field(description="Whose it is; null: nobody's in particular.")
    state: StudyState
    reason: str | None = Field(description="Why it is in that state, where there is something to say.")
    n_trials: int = Field(description="The total wanted.")
    n_finished: int
    states: TrialCounts = Field(description="How many trials by state, without those that no trial is in.")
    metric: str
    value: float | None = Field(description="The best so far; null with several objectives.")
    objectives: list[Objective] | None = Field(default=None, description="Where there are several.")
    values: list[float | None] | None = Field(
        default=None, description="Of the first trial on the front, by objective."
    )
    labels: dict[str, str]
    created_at: Time
    finished_at: Time | None
    seconds: float = Field(description="Spent RUNNING.")


class DriverName(Answer):
    """The process that runs a study."""

    host: str
    pid: int


class NoData(Answer):
    """Of a study that is trained elsewhere, by programs that bring the data."""


class StudyRecord(StudySummary):
    """All there is to say of a study."""

    wanted: Literal["pause", "stop", "cancel"] | None = Field(description="What its driver was left word of.")
    direction: Direction
    best_number: int | None = Field(description="The best trial; with several objectives the front's first.")
    stderr: float | None
    facts: dict[str, float | None] | None = Field(description="Noted while the best trial trained.")
    counted: int | None = Field(description="Trials below this number are what `stop` ended it at.")
    test: dict[str, Any] | None = Field(description="The chosen trial on the test rows, by metric.")
    notes: dict[str, Any] = Field(description="What its sampler decided.")
    priority: int
    served: bool = Field(description="Whether a server's coordinator is to run it.")
    live: dict[str, float | None] = Field(description="What its driver last said of its speed and slots.")
    driver: DriverName | None
    lease_left_s: float | None = Field(description="Of the driver; negative: it has run out.")
    started_at: Time | None
    folder: str = Field(description="Where a relative path of its file begins; empty on a server.")
    data: DatasetInfo | NoData
    spec: dict[str, Any] = Field(description="The completed study file.")
    versions: dict[str, str]
    n_enqueued: int = Field(description="Settings that wait for a number.")
    on_front: int | None = Field(default=None, description="Trials on the Pareto front.")
    n_inherited: int | None = Field(default=None, description="Trials of a population that were copied over.")

    model_config = example(
        {
            **_SUMMARY,
            "wanted": None,
            "direction": "maximize",
            "best_number": 97,
            "stderr": None,
            "facts": {"initial_loss": 1.79, "dead_units": 0.02},
            "counted": None,
            "test": None,
            "notes": {},
            "priority": 0,
            "served": True,
            "live": {"trials_per_s": 3.1, "model_steps_per_s": 90512.0, "seconds_left": 41.0}
            | {"n_slots": 8, "n_busy": 6, "n_lanes": 512},
            "driver": {"host": "box-1", "pid": 4711},
            "lease_left_s": 13.2,
            "started_at": "2026-01-02T03:04:06Z",
            "folder": "",
            "data": {
                "source": "ds_5b1f8c2d9e3a4f60",
                "sha256": "5b1f8c2d9e3a4f60" * 4,
                "task": "classification",
                "task_reason": "quality has 6 distinct whole numbers",
                "target": "quality",
                "n_rows": 1599,
                "n_features": 11,
            },
            "spec": {"name": "wine-red", "data": {"source": "ds_5b1f8c2d9e3a4f60"}, "trials": 256},
            "versions": {"hpo": "0.5.0", "torch": "2.13.0"},
            "n_enqueued": 0,
        }
    )


class StudyPage(Page[StudySummary]):
    """A page of studies, the newest first."""

    model_config = example({"items": [_SUMMARY], "next_cursor": "WyJzdHVkaWVzIiw3XQ"})
