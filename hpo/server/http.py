"""The HTTP server around the application: what it does with connections, and how it stops while answers go on."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from hpo.server.protocol import Protocol

DRAIN_S = 5  # for requests that are being answered


def http_config(app: FastAPI, *, backlog: int = 2048) -> uvicorn.Config:
    """How uvicorn serves an application."""
    return uvicorn.Config(
        app,
        http=Protocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom a request was forwarded for is the guard's business
        timeout_graceful_shutdown=DRAIN_S,
        backlog=backlog,
    )


class HttpServer(uvicorn.Server):
    """Serves an application of `make_app`, and ends its event streams first when it stops: they would go on for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        app = self.config.app
        if isinstance(app, FastAPI):
            app.state.streams.stop()
        await super().shutdown(sockets)
