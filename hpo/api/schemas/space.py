"""Named search spaces."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.schemas.base import Answer, Page, example

_ABOUT = {"name": "mlp-default", "about": "Rate, regularisation, size and dropout of a plain network."}


class SpaceLine(Answer):
    """A named search space in one line."""

    name: str
    about: str


class SpaceList(Page[SpaceLine]):
    """The named search spaces, by name."""

    model_config = example({"items": [_ABOUT], "next_cursor": None})


class SpaceRecord(SpaceLine):
    """A named search space."""

    model_config = example(
        {
            **_ABOUT,
            "parameters": {"dropout": {"low": 0.0, "high": 0.5}},
            "text": "parameters:\n  dropout: {low: 0.0, high: 0.5}\n",
        }
    )

    parameters: dict[str, Any] = Field(description="As under `parameters` of a study file.")
    text: str = Field(description="The file, YAML, with its remarks.")
