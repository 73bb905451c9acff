"""A storage whose every call is watched: each is one transaction, so this is how slow the database is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from hpo.storage.base import Storage

# Given the name of a method, goes around its call.
Watcher = Callable[[str], AbstractContextManager[None]]


def watched(storage: Storage, watcher: Watcher) -> Storage:
    """The same storage, with a watcher around each call."""
    return cast(Storage, _Watched(storage, watcher))


class _Watched:
    """Passes every call on."""

    def __init__(self, storage: Storage, watcher: Watcher) -> None:
        self._storage, self._watcher = storage, watcher

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._watcher(name):
                return getattr(self._storage, name)(*args, **kwargs)

        self.__dict__[name] = call  # made once
        return call
