"""The few kinds of questions that every part of `Remote` asks: get, post, pages, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hpo.client.transport import Call, Transport
from hpo.errors import ServerError, StudyNotFound
from hpo.study import NAME

Record = dict[str, Any]

PAGE = 1_000  # the longest page that a server gives
# What is read of a study's record wherever it is shown or followed.
STUDY_KEYS = (
    "name",
    "state",
    "wanted",
    "driver",
    "served",
    "n_trials",
    "states",
    "metric",
    "value",
    "seconds",
)


class Asking:
    """A server that answers with records."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.server: str | None = transport.server

    def close(self) -> None:
        """Let go of connections."""
        self._transport.close()

    def _get(self, path: str, **params: Any) -> Any:
        return self._transport.json(Call(method="GET", path=path, params=params))

    def _post(self, path: str, body: Mapping[str, Any] | None = None, **how: Any) -> Any:
        """how: what else `Call` takes, such as repeatable."""
        return self._transport.json(Call(method="POST", path=path, json=dict(body or {}), **how))

    def _delete(self, path: str) -> Any:
        return self._transport.json(Call(method="DELETE", path=path))

    def _patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._transport.json(Call(method="PATCH", path=path, json=dict(body), repeatable=True))

    def _record(self, answer: Any, *needed: str) -> Record:
        """An answer that is a record and has what is needed of it. Raises ServerError for anything else."""
        if not isinstance(answer, dict):
            raise ServerError(
                f"{self.server} answered with something that is no record; is it an hpo server?"
            )
        missing = [name for name in needed if name not in answer]
        if missing:
            raise ServerError(
                f"{self.server} answered without {', '.join(missing)}; it may be of another version of hpo"
            )
        return answer

    def _list(self, answer: Any) -> list[Record]:
        """The items of an answer that is a list, or a page that is all of one. Raises ServerError."""
        items = answer.get("items") if isinstance(answer, dict) else answer
        if not isinstance(items, list):
            raise ServerError(f"{self.server} answered with something that is no list; is it an hpo server?")
        return items

    def _study(self, answer: Any) -> Record:
        return self._record(answer, *STUDY_KEYS)

    def _pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[Record]:
        """All items of a list, or the first ones, a page at a time. Raises ServerError for what is no page."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            page = self._get(path, **params, limit=size, cursor=cursor)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise ServerError(f"{self.server} answered {path} with something that is no page of a list")
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return
            left = None if left is None else left - len(page["items"])

    def _file(self, path: str, **params: Any) -> Iterator[bytes]:
        return self._transport.chunks(Call(method="GET", path=path, params=params, headers={"Accept": "*/*"}))


def study_path(name: str, *rest: str, verb: str = "") -> str:
    """The path of a study, of what is below it, or of a verb. Raises StudyNotFound for what no study can be called.

    >>> study_path("digits", "trials"), study_path("digits", verb="pause")
    ('studies/digits/trials', 'studies/digits:pause')
    """
    if not NAME.fullmatch(name):
        raise StudyNotFound(f"no study is called {name!r}; `hpo ls` shows the names there are")
    return "/".join(["studies", name, *rest]) + (f":{verb}" if verb else "")


def safe(word: str) -> str:
    """A word as one part of a path.

    >>> safe("a/b?c")
    'a%2Fb%3Fc'
    """
    return quote(word, safe="")
