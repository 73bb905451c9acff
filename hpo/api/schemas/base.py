"""What all schemas share: answers that are said in full, requests that take nothing else than they name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

Time = Annotated[datetime, Field(description="ISO 8601, in UTC with Z.")]


class Answer(BaseModel):
    """What a route answers. It only documents: the answer itself is the service's record."""

    model_config = ConfigDict(extra="forbid")


class Sent(BaseModel):
    """What a body may hold: just the kinds of values it names, and no other keys."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Page(Answer, Generic[T]):
    """A part of a list, and where the next one begins."""

    items: list[T]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null: this was the last."
    )


def example(of: dict[str, Any]) -> ConfigDict:
    """The config of an answer with an example, as a class gives it to `model_config`."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": of})


def sent_like(of: dict[str, Any]) -> ConfigDict:
    """The same of a body."""
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
    config["json_schema_extra"] = {"example": of}
    return config
