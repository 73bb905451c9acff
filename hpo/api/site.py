"""What one API process knows: its settings and its open database."""

from __future__ import annotations

from dataclasses import dataclass

from hpo.settings import Settings
from hpo.storage.base import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every route may need; `request.app.state.site`.

    auth: whether an API key is asked for; hosts: what the server may be called, without ports
    dashboard: where the Optuna dashboard listens, host:port; None: there is none
    """

    settings: Settings
    storage: Storage
    auth: bool = False
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    dashboard: str | None = None
