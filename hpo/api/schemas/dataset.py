"""Data sets as they are listed and looked at."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hpo.api.schemas.base import Answer, Page, Time, example
from hpo.dataset import ColumnInfo, Distribution, Task

_SUMMARY: dict[str, Any] = {
    "id": "ds_5b1f8c2d9e3a4f60",
    "name": "wine-red.csv",
    "kind": "stored",
    "n_bytes": 84199,
    "about": "1,599 rows, 12 columns, SHA-256 5b1f8c2d9e3a4f60…",
    "owner": "ada",
    "added_at": "2026-01-02T03:04:05.600000Z",
}


class DatasetSummary(Answer):
    """A data set in one line."""

    model_config = example(_SUMMARY)

    id: str = Field(description="What a study file gives as `data.source`.")
    name: str
    kind: Literal["built in", "stored"]
    n_bytes: int | None
    about: str
    owner: str | None = Field(description="Who uploaded it; null: nobody in particular.")
    added_at: Time | None


class Preview(Answer):
    """The first rows of the first columns; empty cells are null."""

    columns: list[str]
    rows: list[list[bool | int | float | str | None]]


class DatasetRecord(DatasetSummary):
    """All there is to say of a data set; what depends on the target is null until one is given."""

    source: str
    sha256: str
    n_rows: int
    images: bool = Field(description="Whether its columns are pixels.")
    columns: list[ColumnInfo]
    distributions: list[Distribution] = Field(description="Of the first 200 columns, and of the target.")
    preview: Preview
    target: str | None
    task: Task | None
    task_reason: str | None = Field(description="Why it is that task.")
    n_features: int | None = Field(description="Inputs of a network.")
    classes: list[str]
    n_inputs: dict[str, int]
    n_folds: int | None
    n_train: int | None
    n_validation: int | None
    n_test: int | None
    notes: list[str]

    model_config = example(
        {
            **_SUMMARY,
            "source": "ds_5b1f8c2d9e3a4f60",
            "sha256": "5b1f8c2d9e3a4f60" * 4,
            "n_rows": 1599,
            "images": False,
            "columns": [
                {"name": "alcohol", "kind": "number", "note": ""},
                {"name": "quality", "kind": "category", "note": "the target"},
            ],
            "distributions": [
                {
                    "name": "alcohol",
                    "n_values": 1599,
                    "n_missing": 0,
                    "n_infinite": 0,
                    "minimum": 8.4,
                    "median": 10.2,
                    "maximum": 14.9,
                    "edges": [8.4, 11.65, 14.9],
                    "n_levels": 0,
                    "levels": [],
                    "counts": [1301, 298],
                }
            ],
            "preview": {"columns": ["alcohol", "quality"], "rows": [[9.4, 5], [9.8, 5]]},
            "target": "quality",
            "task": "classification",
            "task_reason": "quality has 6 distinct whole numbers, at most 20",
            "n_features": 11,
            "classes": ["3", "4", "5", "6", "7", "8"],
            "n_inputs": {},
            "n_folds": 1,
            "n_train": 961,
            "n_validation": 319,
            "n_test": 319,
            "notes": [],
        }
    )


class DatasetPage(Page[DatasetSummary]):
    """A page of data sets."""

    model_config = example({"items": [_SUMMARY], "next_cursor": None})
