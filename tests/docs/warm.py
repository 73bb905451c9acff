"""The program `hpo` without its start: a process that has loaded it forks for each call, which brings its own words and files.

`python -m tests.docs.warm SOCKET LIFELINE` waits for calls until the pipe LIFELINE ends; `python warm.py SOCKET WORD …` is one, and ends with its exit code.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys

STREAMS = (0, 1, 2)
COLD = ("hpo.fused", "hpo.workers", "hpo.api", "hpo.testing")  # torch and ray are for processes of their own
LIBRARIES = (
    "sklearn.ensemble",
    "sklearn.datasets",
    "optuna.importance",
    "scipy.stats",
    "pandas",
    "plotly.graph_objects",
)


def call(place, words):
    """Have words performed here, with this process's files, folder and environment; the exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(place)
        what = json.dumps([words, dict(os.environ), os.getcwd()]).encode()
        socket.send_fds(connection, [len(what).to_bytes(8, "big")], STREAMS)
        connection.sendall(what)
        said = connection.recv(1)
        return said[0] if said else 1


def load():
    """Import what a verb would import for itself, and none of what a worker does."""
    import hpo

    for name in LIBRARIES:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(hpo.__path__, "hpo."):
        if not module.name.startswith(COLD):
            importlib.import_module(module.name)


def serve(place, lifeline):
    """Fork for each call until the lifeline ends, as nobody's child: tests count those of their own process."""
    if os.fork():
        os._exit(0)
    load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{place}.soon")
        listening.listen()
        os.rename(f"{place}.soon", place)  # who sees it can call
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here: who called does
        while lifeline not in select.select([listening, lifeline], [], [])[0]:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    connection.sendall(bytes([perform(connection)]))
                    os._exit(0)


def perform(connection):
    """What the caller asked for; the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, *_ = socket.recv_fds(connection, 8, len(STREAMS))
    what = b""
    while len(what) < int.from_bytes(size, "big"):
        what += connection.recv(1 << 16)
    words, environ, folder = json.loads(what)
    for file, stream in zip(files, STREAMS, strict=True):
        os.dup2(file, stream)
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    sys.argv = ["hpo", *words]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    try:
        from hpo.cli.entry import main

        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    return code or 0


if __name__ == "__main__":
    if __package__:
        serve(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
