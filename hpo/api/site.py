"""What one API process knows: its settings and its open database."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpo.service.exposure import LOOPBACK
from hpo.service.model_cache import ModelCache
from hpo.settings import Settings
from hpo.storage.base import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every route may need; `request.app.state.site`.

    auth: whether an API key is asked for; hosts: what the server may be called, without ports, () is anything
    dashboard: where the Optuna dashboard listens, host:port; None: there is none
    patience_s: the longest wait for the next piece of a body; models: those that were used lately
    """

    settings: Settings
    storage: Storage
    auth: bool = False
    hosts: tuple[str, ...] = LOOPBACK
    dashboard: str | None = None
    patience_s: float = 30.0
    models: ModelCache = field(default_factory=ModelCache, repr=False, compare=False)
