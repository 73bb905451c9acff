"""A problem: every error in one shape, RFC 9457 with our `code` and `path`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong, in one sentence."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    code: str = Field(description="Which error, for programs; docs/reference/errors.md lists them.")
    detail: str = Field(description="What is wrong, and how to mend it.")
    path: str | None = Field(
        default=None, description="The place in what was sent, with dots, such as `parameters.l2.low`."
    )
    request_id: str | None = Field(default=None, description="Under which the server's log has the request.")
