"""The program `hpo serve` with a home of its own: a whole server in real processes, for as long as a test wants it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

import hpo

T = TypeVar("T")

PATIENCE_S = 120.0
_OTHERS = (
    "HPO_STORAGE",
    "HPO_SERVER",
    "HPO_API_KEY",
    "HPO_AUTH",
    "HPO_DASHBOARD",
    "RAY_ADDRESS",
    "HPO_DEVICE",
)


def until(condition: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """What a condition gives once it gives something true. Raises TimeoutError."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s:.0f} s in vain")
        time.sleep(0.02)
    return found


class ServerProgram:
    """One start of `hpo serve`. url: where it answers, once it is ready."""

    def __init__(self, home: Path, words: Sequence[str], settings: Mapping[str, str]) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _OTHERS}
        environment |= {"HPO_HOME": str(home), "PYTHONPATH": str(Path(hpo.__file__).parents[1])}
        self.environment = environment = {**environment, **settings}
        self.program = subprocess.Popen(
            [sys.executable, "-m", "hpo.cli.main", "serve", "--port", "0", "-f", "json", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=(home / "serve.log").open("a"),
            text=True,
        )
        self.log = home / "serve.log"
        self._url = ""

    @property
    def url(self) -> str:
        """Where it answers; waits until it is ready. Raises TimeoutError when it ends before that."""
        if not self._url:
            said = self._first_record()
            self._url = str(said["url"])
        return self._url

    def _first_record(self) -> dict[str, Any]:
        lines = []
        for line in self.program.stdout or ():
            lines.append(line)
            if line == "}\n":
                found: dict[str, Any] = json.loads("".join(lines))
                return found
        raise TimeoutError(f"the server ended before it was ready:\n{self.log.read_text()}")

    def ask(self, path: str, **words: Any) -> httpx.Response:
        """GET a path of the API; an answer may take long, and a process that is just started again is waited for."""
        return self.request("GET", f"/api/v1{path}", **words)

    def request(self, method: str, path: str, **words: Any) -> httpx.Response:
        """Send a request, again when nobody was there to answer it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return httpx.request(method, f"{self.url}{path}", timeout=60, **words)
            except httpx.TransportError:
                if method != "GET" or time.monotonic() > deadline:
                    raise

    def cli(self, *words: str) -> Any:
        """What a verb of the command line says as JSON, on the server's database and not through the server."""
        command = [sys.executable, "-m", "hpo.cli.main", *words, "-f", "json"]
        return json.loads(
            subprocess.run(command, env=self.environment, check=True, capture_output=True).stdout
        )

    def processes(self) -> list[psutil.Process]:
        """All processes that are the server's, the supervisor first."""
        head = psutil.Process(self.program.pid)
        return [head, *head.children(recursive=True)]

    def part(self, name: str) -> psutil.Process:
        """The process of a part, as soon as there is one. Raises TimeoutError."""

        def found() -> psutil.Process | None:
            for child in psutil.Process(self.program.pid).children():
                try:
                    words = child.cmdline()
                except psutil.Error:
                    continue
                if "--only" in words and words[words.index("--only") + 1] == name:
                    return child
            return None

        process = until(found)
        assert process is not None
        return process

    def kill(self, name: str) -> int:
        """Kill the process of a part at once; its id."""
        process = self.part(name)
        process.kill()
        until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
        return int(process.pid)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait; its exit code."""
        self.program.send_signal(by)
        self.program.communicate(timeout=30)
        return self.program.returncode


@contextmanager
def server_program(
    home: Path, *words: str, storage: str | None = None, **settings: str
) -> Iterator[ServerProgram]:
    """A server in real processes, with HPO_… settings; at the end nothing of it is left."""
    home.mkdir(parents=True, exist_ok=True)
    given = settings if storage is None else {**settings, "HPO_STORAGE": storage}
    started = ServerProgram(home, words, given)
    try:
        yield started
    finally:
        left = started.processes() if started.program.poll() is None else []
        for process in left:
            try:
                process.kill()
            except psutil.Error:
                continue
        started.program.communicate()
