"""The installation's own state for `Local`: versions, API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.service import workers
from hpo.service.opened import Opened

Record = dict[str, Any]


class LocalRunning(Opened):
    """What `hpo.client.base.Running` says."""

    def version(self) -> Record:
        """The versions of hpo and of what results depend on."""
        from hpo.service import submit

        return dict(submit.versions())

    def workers(self) -> list[Record]:
        """The coordinators that serve this database, and what the slots of each do."""
        return workers.workers(self.storage)

    def api_keys(self) -> list[Record]:
        """The API keys, without their secrets."""
        from hpo.service import keys

        return keys.listed(self.storage)

    def create_key(self, order: Mapping[str, Any]) -> Record:
        """A new API key with its secret."""
        from hpo.service import keys

        return keys.create(self.storage, keys.KeyOrder(**order))

    def revoke_key(self, key: str) -> Record:
        """End a key by its id."""
        from hpo.service import keys

        return keys.revoke(self.storage, key)
