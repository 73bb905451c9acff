"""What is wanted of a driven study: by signal, by word in the storage, or because the coordinator is to end."""

from __future__ import annotations

from dataclasses import dataclass

from hpo.states import Wanted


class Asked(Exception):
    """Somebody wants the study paused or cancelled."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class Leaving(Exception):
    """The coordinator is to end, and another to go on with the study."""


@dataclass(slots=True)
class Wishes:
    """Of this process; set by any thread or signal handler. asked: of the study; leaving: of the coordinator."""

    asked: Wanted = Wanted.NOTHING
    leaving: bool = False

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.leaving or self.asked is not Wanted.NOTHING

    def heed(self, stored: Wanted, *, stopping: bool) -> bool:
        """Whether the study is to stop now. stored: what others want; stopping: whether it stops already.

        Raises Asked to pause or cancel, Leaving.
        """
        if self.leaving:
            raise Leaving
        wanted = self.asked or stored
        if wanted is Wanted.CANCEL or (wanted is Wanted.PAUSE and not stopping):
            raise Asked(wanted)
        return wanted is Wanted.STOP and not stopping
