"""What every verb needs: the settings, the database, and who drives a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from hpo.errors import HpoError, NotYet
from hpo.settings import Settings, read_settings

if TYPE_CHECKING:
    from hpo.storage.base import Storage
    from hpo.study import Driver


def settings() -> Settings:
    """The settings of the environment. Raises SpecError, and NotYet when they name a server."""
    found = read_settings()
    if found.server is not None:
        raise NotYet(
            "this version works on its own database and calls no server; unset it", field="HPO_SERVER"
        )
    return found


def make_home(found: Settings) -> None:
    """Make the folder HPO_HOME if it is not there. Raises HpoError."""
    try:
        found.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HpoError(
            f"the folder {str(found.home)!r} cannot be made: {error.strerror}; choose another one",
            field="HPO_HOME",
        ) from None


@contextmanager
def storage() -> Iterator[Storage]:
    """The database of the settings, for the length of a verb."""
    with ExitStack() as stack:
        yield opener(stack)()


def opener(stack: ExitStack) -> Callable[[], Storage]:
    """Opens the database when it is first asked for; the stack closes it."""
    opened: list[Storage] = []

    def open_once() -> Storage:
        if not opened:
            from hpo.storage.open import open_storage

            found = settings()
            make_home(found)
            opened.append(open_storage(found.storage))
            stack.callback(opened[0].close)
        return opened[0]

    return open_once


def me() -> Driver:
    """This process as a driver of studies."""
    from hpo.service.processes import this_process

    return this_process()


def is_alive(driver: Driver) -> bool | None:
    """Whether a driver lives; None when it is on another host."""
    from hpo.service import processes

    return processes.is_alive(driver)
