"""What the server says of itself."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from hpo.api.schemas.base import Answer, Page, Time, example


class Versions(Answer):
    """The versions of hpo and of what results depend on."""

    model_config = example(
        {"hpo": "0.5.0", "python": "3.11.9", "torch": "2.13.0", "optuna": "5.0.0", "numpy": "2.3.1"}
    )

    hpo: str
    python: str
    torch: str | None = None
    optuna: str | None = None
    numpy: str | None = None


class Slot(Answer):
    """A share of a device, and what it does."""

    id: int | str
    node: str | None = Field(
        default=None, description="The machine of a cluster; null: the coordinator's own."
    )
    device: str
    kind: str = Field(default="cpu", description="What the device calls itself: `cpu`, or the name of a GPU.")
    memory_bytes: int
    ready: bool = Field(default=True, description="Its process has started.")
    seen_s: float | None = Field(
        default=None, description="Since its process was last heard, with work in hand."
    )
    study: str | None = Field(default=None, description="Whose trials train there; null: it is idle.")
    lanes: int = 0
    model_steps_per_s: float | None = None


class Coordinator(Answer):
    """A coordinator that serves, with the slots of its pool."""

    host: str
    pid: int
    version: str
    pool: str
    started_at: Time | None
    age_s: float = Field(description="Since it was last seen.")
    slots: list[Slot]


_COORDINATOR: dict[str, Any] = {
    "host": "box-1",
    "pid": 4711,
    "version": "0.5.0",
    "pool": "local",
    "started_at": "2026-01-02T03:00:00Z",
    "age_s": 0.8,
    "slots": [
        {
            "id": "ray-0",
            "node": "box-2",
            "device": "cuda:0",
            "kind": "NVIDIA H200",
            "memory_bytes": 40_000_000_000,
            "ready": True,
            "seen_s": 0.3,
            "study": "wine-red",
            "lanes": 48,
            "model_steps_per_s": 45210.0,
        }
    ],
}


class Workers(Page[Coordinator]):
    """The coordinators that serve, the oldest first."""

    model_config = example({"items": [_COORDINATOR], "next_cursor": None})
