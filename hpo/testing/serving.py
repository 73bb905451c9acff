"""The API on a real socket of this machine, for as long as a test wants it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hpo.api.app import make_app
from hpo.api.site import Site
from hpo.server.http import HttpServer, http_config
from hpo.server.sockets import listen

if TYPE_CHECKING:
    from hpo.api.traces import Traces


@contextmanager
def serving(site: Site, *, traces: Traces | None = None) -> Iterator[str]:
    """The URL at which a site is served by a thread of this process."""
    listening = listen("127.0.0.1", 0)
    server = HttpServer(http_config(make_app(site, traces=traces)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
