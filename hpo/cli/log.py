"""Log lines on standard error: their level and form, as HPO_LOG says."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from hpo.account import hide_secrets
from hpo.asking import REQUEST_ID
from hpo.errors import SpecError, suggest

LEVELS: dict[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# Whose warnings are news that --quiet leaves out: a database that was upgraded.
NEWS = ("hpo.storage.open",)


class Lines(logging.Formatter):
    """One line for people, without the secrets of API keys."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, with the id of the request where there is one."""
        request = REQUEST_ID.get()
        mark = f" [{request}]" if request else ""
        return hide_secrets(f"{super().format(record)}{mark}")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the fields of the event, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if request := REQUEST_ID.get():
            line["request_id"] = request
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return hide_secrets(json.dumps(line, ensure_ascii=False))


def set_up_log(words: str) -> None:
    """Send hpo's log lines to standard error. words: a level, `json`, or both with a comma.

    Raises SpecError for any other word.
    """
    level = logging.WARNING
    formatter: logging.Formatter = Lines("%(levelname)s %(name)s: %(message)s")
    for word in filter(None, (word.strip().lower() for word in words.split(","))):
        if word == "json":
            formatter = JsonLines()
        elif word in LEVELS:
            level = LEVELS[word]
        else:
            known = [*LEVELS, "json"]
            hint = suggest(word, known) or f"; there are {', '.join(known)}"
            raise SpecError(f"no level is called {word!r}{hint}", field="HPO_LOG")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    for name in ("hpo", "uvicorn"):  # the HTTP server speaks as we do: one form, no secrets
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.propagate = False
        log.setLevel(level)
    for name in NEWS:
        logging.getLogger(name).setLevel(logging.NOTSET)


def hush_news() -> None:
    """Say no more than answers and errors, as --quiet has it."""
    for name in NEWS:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def before_each_line(make_room: Callable[[], None]) -> Iterator[None]:
    """Have something done before each log line, for a while: a view that is drawn in place makes room."""

    def made_room(_: logging.LogRecord) -> bool:
        make_room()
        return True

    handlers = list(logging.getLogger("hpo").handlers)  # uvicorn has the same one
    for handler in handlers:
        handler.addFilter(made_room)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(made_room)
