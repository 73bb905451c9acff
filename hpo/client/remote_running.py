"""A server's own state for `Remote`: versions, workers, API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.client.asking import Asking, Record, safe


class RemoteRunning(Asking):
    """What `hpo.client.base.Running` says."""

    def version(self) -> Record:
        """The versions of hpo and of what results depend on."""
        return self._record(self._get("version"), "hpo")

    def workers(self) -> list[Record]:
        """The coordinators that serve, and what the slots of each do."""
        return self._list(self._get("workers"))

    def api_keys(self) -> list[Record]:
        """The API keys, without their secrets."""
        return self._list(self._get("keys"))

    def create_key(self, order: Mapping[str, Any]) -> Record:
        """A new API key with its secret."""
        return self._record(self._post("keys", order), "id", "secret")

    def revoke_key(self, key: str) -> Record:
        """End a key by its id."""
        return self._record(self._post(f"keys/{safe(key)}:revoke", repeatable=True), "id")
