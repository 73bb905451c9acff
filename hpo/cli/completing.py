"""What the shell suggests for the rest of a word: names of studies, search spaces and data sets.

A person waits for each of these, and has not asked for anything yet: so they are quick, change nothing, and say
nothing when the database or the server is away.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlsplit

import typer

from hpo.errors import HpoError
from hpo.settings import Settings, read_settings

PATIENCE_S = 0.15
MOST = 200
ANSWER_BYTES = 1 << 20
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def studies(ctx: typer.Context, incomplete: str) -> list[str]:
    """The studies whose names begin so, the newest first."""
    return _names("studies", ctx, incomplete)


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The stored data sets whose names begin so."""
    return _names("datasets", ctx, incomplete)


def sources(ctx: typer.Context, incomplete: str) -> list[str]:
    """The built-in and stored data sets whose names begin so; where there is none, the shell offers files."""
    from hpo.data.names import BUILT_IN

    built_in = [name for name in BUILT_IN if name.startswith(incomplete)]
    return [*built_in, *_names("datasets", ctx, incomplete)]


def spaces(incomplete: str) -> list[str]:
    """The named search spaces whose names begin so."""
    from hpo.service.space_files import names

    return [name for name in names() if name.startswith(incomplete)]


def _names(what: str, ctx: typer.Context, start: str) -> list[str]:
    try:
        found = read_settings()
    except HpoError:
        return []
    server = ctx.params.get("server") or found.server
    if server is not None:
        return [name for name in _of_server(server, what, found) if name.startswith(start)]
    from hpo.storage.glance import names

    return names(found.storage, what, start)


def _of_server(server: str, what: str, found: Settings) -> list[str]:
    """Names that a server answers at once. A key travels encrypted or not at all, as everywhere."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    try:
        url = urlsplit(server)
    except ValueError:
        return []
    # As the client takes an address, whose import is too slow here.
    path = url.path.rstrip("/").removesuffix("/api/v1")
    local = url.hostname in LOOPBACK
    if url.hostname is None or not (url.scheme == "https" or (url.scheme == "http" and local)):
        return []
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    headers = {"Authorization": f"Bearer {found.api_key}"} if found.api_key else {}
    try:
        connection = kind(url.hostname, url.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", f"{quote(path)}/api/v1/{what}?limit={MOST}", headers=headers)
            answer = connection.getresponse()
            tree: Any = json.loads(answer.read(ANSWER_BYTES)) if answer.status == 200 else {}
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError):
        return []
    items = tree.get("items", []) if isinstance(tree, dict) else []
    return [item["name"] for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)]
