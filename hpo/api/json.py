"""Answers in JSON, written by pydantic's core: five times as fast as the standard library."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse
from pydantic_core import to_json


class Json(JSONResponse):
    """A record as JSON; NaN and infinities are null."""

    def render(self, content: Any) -> bytes:
        """The bytes of a record."""
        return to_json(content, inf_nan_mode="null")
