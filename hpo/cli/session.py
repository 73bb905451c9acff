"""What every verb needs: the settings, the server or the database, and who drives a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from hpo.cli import where
from hpo.errors import HpoError, NotYet
from hpo.settings import Settings, read_settings

if TYPE_CHECKING:
    from hpo.client.base import Backend
    from hpo.storage.base import Storage
    from hpo.study import Driver


def settings() -> Settings:
    """The settings of the environment, --server before HPO_SERVER. Raises SpecError."""
    found = read_settings()
    return replace(found, server=where.server_of(found.server))


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
def backend(*, here: bool = False) -> Iterator[Backend]:
    """Where studies live, for the length of a verb: the server of the settings, else their database.

    here: the database, whatever server is set
    """
    asked = settings()
    with closing(_backend(replace(asked, server=None) if here else asked)) as found:
        yield found


def _backend(found: Settings) -> Backend:
    if found.server is not None:
        from hpo.client.remote import Remote

        key, said_in = found.api_key, where.server_said_in()
        return Remote(found.server, api_key=key, insecure=found.insecure, said_in=said_in)
    from hpo.service.local import local_of

    return local_of(found)


@contextmanager
def storage() -> Iterator[Storage]:
    """The database of the settings, for the length of a verb that asks no server."""
    with ExitStack() as stack:
        yield opener(stack)()


def opener(stack: ExitStack) -> Callable[[], Storage]:
    """Opens the database when it is first asked for; the stack closes it. Raises NotYet when a server is meant."""
    opened: list[Storage] = []

    def open_once() -> Storage:
        if not opened:
            from hpo.storage.open import open_storage

            found = settings()
            if found.server is not None:
                raise NotYet("this verb works on a database and asks no server", field="--server")
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
