"""The API on a real socket of this machine, for as long as a test wants it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from hpo.api.app import make_app
from hpo.api.site import Site
from hpo.server.http import HttpServer, http_config
from hpo.server.sockets import listen

if TYPE_CHECKING:
    from hpo.api.traces import Traces


class _Prompt(HttpServer):
    """Stops when it is told to: uvicorn looks ten times a second, and then rests, which adds up over many tests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def stop(self) -> None:
        """From another thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        """Until it is told to stop."""
        self._loop = asyncio.get_running_loop()
        if not await self.on_tick(0):
            await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Without a rest when nobody is there for whom to wait."""
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # those on which nothing was being said are closed now
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        await self.lifespan.shutdown()


@contextmanager
def serving(site: Site, *, traces: Traces | None = None) -> Iterator[str]:
    """The URL at which a site is served by a thread of this process."""
    listening = listen("127.0.0.1", 0)
    server = _Prompt(http_config(make_app(site, traces=traces)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()
        listening.close()
