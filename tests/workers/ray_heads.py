"""Real heads of Ray for tests, without the rest of a cluster: the process whose door is knocked at, up in a tenth of a second."""

import os
import socket
import subprocess
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from hpo.testing.server_program import until
from hpo.workers import ray_probe

TOKEN = "5ec7e7" * 10


def free_port():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def listens(port):
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def head(folder, ip="127.0.0.1", **environment):
    """The address of a head of Ray's own in an environment of its own. ip: another than loopback opens it on all."""
    program = Path(*find_spec("ray").submodule_search_locations, "core", "src", "ray", "gcs", "gcs_server")
    port, folder = free_port(), folder / f"ray-{environment.get('RAY_AUTH_MODE')}"
    folder.mkdir()
    words = (f"--gcs_server_port={port}", f"--log_dir={folder}", f"--node-ip-address={ip}")
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [program, *words, "--config_list=e30="],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: listens(port))
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def keep(address, token, namespace, key, value):
    """Have a head keep a value, as Ray's own processes do."""
    fields = {1: key.encode(), 2: value.encode(), 4: namespace.encode()}
    message = b"".join(bytes([number << 3 | 2]) + varint(len(raw)) + raw for number, raw in fields.items())
    method = "ray.rpc.InternalKVGcsService/InternalKVPut"
    assert ray_probe._call(ray_probe.address_of(address), method, message, token, 3.0)[0] == 0


def varint(number):
    """A number of a protocol buffer."""
    rest = number >> 7
    return bytes([number & 127 | 128]) + varint(rest) if rest else bytes([number])


def both_heads(folder):
    """A head that lets everybody in, and one that asks for TOKEN."""
    return (
        head(folder, RAY_AUTH_MODE="disabled"),
        head(folder, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN),
    )
