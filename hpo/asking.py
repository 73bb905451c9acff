"""Which request is being answered: its id, for answers and log lines."""

from __future__ import annotations

from contextvars import ContextVar

# Of the request that this task or thread works on; None outside of one.
REQUEST_ID: ContextVar[str | None] = ContextVar("hpo_request_id", default=None)
