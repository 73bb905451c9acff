"""Keep masks and cancellations on their way to a cohort that trains in another thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from hpo.cohort import EpochResult
from hpo.errors import HpoError
from hpo.workers.messages import Cancel, Keep


class Cancelled(HpoError):
    """The cohort was cancelled."""

    code = "cancelled"


class Mailbox:
    """What the pool has said about cohorts, by (id, attempt): a word to one attempt never reaches another."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._masks: dict[tuple[int, int], tuple[bool, ...]] = {}
        self._cancelled: set[tuple[int, int]] = set()

    def put(self, message: Keep | Cancel) -> None:
        """Take in what the pool says."""
        key = message.cohort, message.attempt
        with self._changed:
            if isinstance(message, Keep):
                self._masks[key] = message.mask
            else:
                self._cancelled.add(key)
            self._changed.notify_all()

    def answer(self, result: EpochResult, *, wait: bool) -> Sequence[bool] | None:
        """The keep mask for an epoch, None when none has come; wait: until one comes. Raises Cancelled.

        An empty mask keeps nobody, however many there are by now.
        """
        key = result.cohort, result.attempt
        with self._changed:
            while key not in self._masks and key not in self._cancelled and wait:
                self._changed.wait()
            if key in self._cancelled:
                self._cancelled.discard(key)
                raise Cancelled
            mask = self._masks.pop(key, None)
            return mask if mask is None or mask else (False,) * len(result.numbers)
