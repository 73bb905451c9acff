"""The machines of a Ray cluster, looked at again and again from a thread of its own: Ray's own look may take a minute."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import ray
import ray.exceptions

from hpo.workers.places import Node

log = logging.getLogger(__name__)

LOOK_S = 1.0
CONNECT_S = 2.0
# Ray ends the process 60 s after it has lost the head; what the head said last holds for a short while.
AWAY_S = 10.0


class RayCluster:
    """The nodes that live. address: of the head, as Ray itself knows it; Ray has been joined already."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._nodes: Sequence[Node] = nodes()
        self._seen_at = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ray-cluster", daemon=True)
        self._thread.start()

    @property
    def nodes(self) -> Sequence[Node]:
        """As they were at the last look."""
        return self._nodes

    @property
    def away_s(self) -> float:
        """Since the head was last seen."""
        return time.monotonic() - self._seen_at

    @property
    def gone(self) -> bool:
        """Whether the head has not been seen for so long that it will not come back for this process."""
        return self.away_s > AWAY_S

    def close(self) -> None:
        """Look no more; a look that is under way is left to itself."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                # Ray would wait for a head that is gone, and nobody could say how long already.
                connect(self.address, CONNECT_S)
                found = nodes()
            except (OSError, ray.exceptions.RayError, RuntimeError) as error:
                log.debug("the head at %s: %s", self.address, error)
                continue
            self._nodes, self._seen_at = found, time.monotonic()


def nodes() -> list[Node]:
    """The nodes that live now; those of one machine are told apart by a part of their ids. May raise RayError."""
    table: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    living = [row for row in table if row["Alive"]]
    named = Counter(row["NodeManagerHostname"] for row in living)
    return [_node(row, alone=named[row["NodeManagerHostname"]] == 1) for row in living]


def _node(row: dict[str, Any], *, alone: bool) -> Node:
    resources: dict[str, float] = row["Resources"]
    host = row["NodeManagerHostname"]
    return Node(
        id=row["NodeID"],
        host=host if alone else f"{host} ({row['NodeID'][:6]})",
        n_cpus=int(resources.get("CPU", 0)),
        n_gpus=int(resources.get("GPU", 0)),
        memory_bytes=int(resources.get("memory", 0)),
    )


def connect(address: str, timeout_s: float) -> None:
    """See whether anybody listens at an address, host:port. Raises OSError."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()
