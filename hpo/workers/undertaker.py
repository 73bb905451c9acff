"""A process that outlives its owner by a moment, to end what the owner's Ray would leave behind.

`python -m hpo.workers.undertaker MARK` waits until its standard input is closed, which the kernel does when
the owner dies, however it dies. Then it kills Ray's processes: those below the ones it was told of, for
Ray's agents try for a minute to report the death of their node; those that write into the folder of Ray's session;
and those with HPO_RAY=MARK in their environment, for the owner may die before it can tell. (None is enough: a process
that gives itself a title overwrites its environment, and the children of a dead process are nobody's.)
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

import psutil

VARIABLE = "HPO_RAY"
_STDIN = 0
_LOOK_S = (0.5, 60.0)  # between looks for new children: at first, and at most
_SLOWER = 1.2  # from look to look: on a busy machine Ray's agents take their time
_END_S = 5.0
_TRIES = 3


class Undertaker:
    """What the owner has of it. mark: to be in the environment, under VARIABLE, of all that is to end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.mark = secrets.token_hex(16)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hpo.workers.undertaker", self.mark],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # neither Ctrl-C nor a signal to the owner's group is meant for it
            bufsize=0,
        )

    def tell(self, heads: Iterable[int], folder: str | None = None) -> None:
        """Name processes that are to end with all that is below them, and the folder of Ray's session."""
        said = "".join(f"{one}\n" for one in (*heads, *([folder] if folder else [])))
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has been killed, and hears nothing more
                self._process.stdin.write(said.encode())

    def bury(self) -> None:
        """Have it do its work now, and wait until that is done."""
        self._process.communicate()


def marked(mark: str) -> set[psutil.Process]:
    """The living processes that carry the mark."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get(VARIABLE) == mark:
                found.add(process)
        except psutil.Error:  # another user's, or just gone
            continue
    return found


def writing(folder: str) -> set[psutil.Process]:
    """The living processes that write a file in that folder; whoever reads a log there has nothing to fear."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(file.path.startswith(f"{folder}/") and file.mode != "r" for file in process.open_files()):
                found.add(process)
    return found


def below(pid: int) -> set[psutil.Process]:
    """A process with its children and theirs; none when it is gone."""
    try:
        head = psutil.Process(pid)
        return {head, *head.children(recursive=True)}
    except psutil.Error:
        return set()


def main(arguments: Sequence[str]) -> None:
    """Wait for the end of the owner, then end what it has left."""
    heads, folders, heard = list[int](), list[str](), ""
    known: set[psutil.Process] = set()
    wait_s = _LOOK_S[0]
    while True:
        if select.select([_STDIN], [], [], wait_s)[0]:
            if not (said := os.read(_STDIN, 4096)):
                break
            *lines, heard = (heard + said.decode()).split("\n")
            heads += [int(line) for line in lines if line.isdigit()]
            folders += [line for line in lines if not line.isdigit()]
        else:
            wait_s = min(_SLOWER * wait_s, _LOOK_S[1])
        # A start of Ray that fails ends its processes, but for those that they have started, before anybody can tell.
        named = {*heads, *(process.pid for process in marked(arguments[0]))}
        known |= {process for head in named for process in below(head)}
    for _ in range(_TRIES):  # more than once: one of them may have started another meanwhile
        known |= marked(arguments[0]).union(*map(writing, folders))
        left = [process for process in known if process.is_running() and process.pid not in _spared()]
        for process in left:
            try:
                process.kill()
            except psutil.Error:
                continue
        if not psutil.wait_procs(left, timeout=_END_S)[0]:
            return


def _spared() -> set[int]:
    """Whoever closes the pool and lives on, and this process: the owner has logs of Ray's open, too."""
    return {os.getpid(), os.getppid()}


if __name__ == "__main__":
    main(sys.argv[1:])
