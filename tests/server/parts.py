"""A supervisor over small parts, as a program: `python parts.py FOLDER GRACE_S NAME[=BEHAVIOUR] …`.

Each part appends its process id to FOLDER/NAME when it is ready. Behaviours: deaf ignores SIGTERM, visited
is started on demand and answers each visitor with its process id, silent never says that it is ready, broken
ends before it is.
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path


def part(folder: Path, name: str, behaviour: str) -> None:
    from hpo import lifeline
    from hpo.server import sockets

    lifeline.hold()
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if behaviour == "broken":
        sys.exit("broken: there is no such device")
    if behaviour != "silent":
        lifeline.tell_ready()
    listening = sockets.inherited()
    while listening is not None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(str(os.getpid()).encode())
    while True:
        time.sleep(60)


def main(folder: str, grace_s: str, *names: str) -> int:
    from hpo.server import sockets
    from hpo.server.part import Part
    from hpo.server.supervisor import Supervisor

    parts = []
    for word in names:
        name, _, behaviour = word.partition("=")
        listening: socket.socket | None = None
        if behaviour == "visited":
            listening = sockets.listen("127.0.0.1", 0)
            (Path(folder) / "port").write_text(str(listening.getsockname()[1]))
        command = (sys.executable, __file__, "part", folder, name, behaviour)
        parts.append(Part(name=name, command=command, listening=listening, on_demand=listening is not None))
    ready = Path(folder) / "ready"
    number = Supervisor(parts, ready=ready.touch, grace_s=float(grace_s)).run()
    (Path(folder) / "ended_by").write_text(number.name)
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "part":
        part(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        sys.exit(main(*sys.argv[1:]))
