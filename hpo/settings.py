"""Where hpo keeps things and what it runs on: the environment, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import SpecError

DEVICES = ("auto", "cpu", "cuda")
EXACT, FAST = "exact", "fast"
PRECISIONS = (EXACT, FAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process; each stands in the environment as HPO_… (RAY_ADDRESS as it is)."""

    home: Path
    storage: str
    device: str = "auto"
    precision: str = EXACT
    ray_address: str | None = None
    server: str | None = None
    log: str = "warning"

    def __post_init__(self) -> None:
        if self.device.split(":")[0] not in DEVICES:
            raise SpecError(f"must be auto, cpu, cuda or cuda:N, got {self.device!r}", field="HPO_DEVICE")
        if self.precision not in PRECISIONS:
            raise SpecError(f"must be exact or fast, got {self.precision!r}", field="HPO_PRECISION")


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment asks for. Raises SpecError."""
    env = os.environ if environ is None else environ
    home = Path(env.get("HPO_HOME") or "~/.hpo").expanduser().absolute()
    return Settings(
        home=home,
        storage=env.get("HPO_STORAGE") or f"sqlite:///{home / 'hpo.db'}",
        device=env.get("HPO_DEVICE") or "auto",
        precision=env.get("HPO_PRECISION") or EXACT,
        ray_address=env.get("RAY_ADDRESS") or None,
        server=env.get("HPO_SERVER") or None,
        log=env.get("HPO_LOG") or "warning",
    )
