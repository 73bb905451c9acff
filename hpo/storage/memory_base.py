"""What every part of the in-memory storage shares: its studies, and the lock that makes each call a transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from hpo.errors import LeaseLost, StudyNotFound
from hpo.states import FINAL
from hpo.storage.base import LEASE_S, Claim
from hpo.storage.memory_study import KeptStudy, now_s
from hpo.study import Study

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="MemoryBase")


def alone(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """One call at a time, as one transaction."""

    @wraps(method)
    def locked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


class MemoryBase:
    """Studies by name, in the order in which they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.kept: dict[str, KeptStudy] = {}

    def find(self, name: str) -> KeptStudy:
        """The study of that name. Raises StudyNotFound."""
        if name not in self.kept:
            raise StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")
        return self.kept[name]

    def open_studies(self) -> list[Study]:
        """The studies that are not final."""
        return [kept.study for kept in self.kept.values() if kept.study.state not in FINAL]

    def fence(self, claim: Claim) -> KeptStudy:
        """The claimed study, its lease good for a while. Raises LeaseLost when the claim is void."""
        kept = self.kept.get(claim.name)
        if (
            kept is None
            or kept.study.id != claim.study
            or kept.attempt != claim.attempt
            or kept.study.driver != claim.driver
        ):
            raise LeaseLost(f"study {claim.name!r} was taken over from {claim.driver} or is gone")
        kept.lease_until = max(kept.lease_until or 0.0, now_s() + LEASE_S)
        return kept
