"""Images built and run where there is neither a registry nor an engine: podman of Debian's packages, in namespaces of its own."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from hpo.testing.server_program import until

PROGRAMS = ("podman", "crun", "iptables", "catatonit", "mmdebstrap", "docker-compose")
PACKAGES = "podman crun netavark aardvark-dns iptables catatonit mmdebstrap docker-compose"
BASE = "docker.io/library/python:3.11-slim-bookworm"
# What the programs of the stand-in for BASE are: Debian's Python where the official image has its own.
_BASE_RECIPE = """\
FROM localhost/bookworm-min
RUN python3 -m venv --copies /usr/local
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["python3"]
"""
_CONTAINERS_CONF = """\
[containers]
cgroups = "disabled"
default_ulimits = ["nofile={files}:{files}", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "{folder}/run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/net"
"""
# The state of containers is in memory, so that nothing of them outlives the sandbox. Its first process reaps theirs.
_SANDBOX = """\
umount /sys/fs/cgroup/unified 2>/dev/null
mkdir -p /run/containers
for memory in /dev/shm /run/containers "$1/run" "$1/net"; do mount -t tmpfs tmpfs "$memory"; done
ip link set lo up
podman rm --all --force >"$1/log" 2>&1
podman volume prune --force >>"$1/log" 2>&1
podman system service --time=0 "unix://$1/socket" >>"$1/log" 2>&1 & wait
"""


def missing() -> list[str]:
    """The programs that are not on this machine."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class Engine:
    """Images in a folder, where they stay: what has not changed is not built again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder = folder.resolve()  # podman keeps paths
        for name in ("store", "run", "net", "conf", "base", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        texts = {
            "storage.conf": f'[storage]\ndriver="overlay"\ngraphroot="{folder}/store"\nrunroot="{folder}/run"\n',
            "registries.conf": 'unqualified-search-registries=[]\nshort-name-mode="disabled"\n',
            "containers.conf": _CONTAINERS_CONF.format(files=files, folder=folder),
        }
        for name, text in texts.items():
            (folder / "conf" / name).write_text(text)
        self._environ = os.environ | {
            "CONTAINERS_STORAGE_CONF": f"{folder}/conf/storage.conf",
            "CONTAINERS_REGISTRIES_CONF": f"{folder}/conf/registries.conf",
            "CONTAINERS_CONF": f"{folder}/conf/containers.conf",
            "BUILDAH_FORMAT": "docker",
            "DISABLE_HC_SYSTEMD": "true",
            "TMPDIR": f"{folder}/tmp",
        }

    def make_base(self) -> None:
        """A stand-in for the image that all others begin with, of Debian's packages."""
        archive, fresh = self._folder / "base/base.tar", self._folder / "base/unfinished.tar"
        if not archive.exists():
            kept = ["--variant=minbase", "--include=ca-certificates,python3,python3-venv", "bookworm"]
            self._do("mmdebstrap", "-q", *kept, str(fresh))
            fresh.rename(archive)
            self._do("podman", "import", "--quiet", str(archive), "localhost/bookworm-min")
        recipe = self._folder / "base/Dockerfile"
        recipe.write_text(_BASE_RECIPE)
        self.build(BASE, recipe, recipe.parent)

    def build(self, tag: str, recipe: Path, context: Path, *words: str) -> None:
        """Build an image with the network of this machine."""
        options = ["--layers", "--pull=never", "--isolation=chroot", "--network=host", f"--tag={tag}"]
        authorities = "/etc/ssl/certs/ca-certificates.crt"
        options += [f"--volume={authorities}:{authorities}:ro", f"--file={recipe}", *words]
        self._do("podman", "build", *options, str(context))

    @contextmanager
    def sandbox(self) -> Iterator[Sandbox]:
        """Where containers run, with networks and names of their own, until it is left."""
        socket = self._folder / "socket"
        socket.unlink(missing_ok=True)
        spaces = ["-m", "-n", "-p", "-f", "--kill-child=KILL", "--mount-proc", "--propagation", "private"]
        words = ["unshare", *spaces, "bash", "-c", _SANDBOX, "sandbox", str(self._folder)]
        outer = subprocess.Popen(words, env=self._environ, stderr=subprocess.DEVNULL)
        try:
            sandbox = Sandbox(outer, socket)
            until(sandbox.answers, patience_s=60)
            with sandbox.asked_for_health():
                yield sandbox
        finally:
            for inner in psutil.Process(outer.pid).children():
                inner.kill()
            outer.wait()

    def _do(self, *command: str) -> None:
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


class Sandbox:
    """A running podman, spoken to as one speaks to docker."""

    def __init__(self, outer: subprocess.Popen[bytes], socket: Path) -> None:
        self._outer = outer
        self.url = f"unix://{socket}"
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://podman/v4.0.0/libpod", timeout=60
        )

    def answers(self) -> bool:
        """Whether it has begun."""
        assert self._outer.poll() is None, "the sandbox has ended"
        try:
            return self._http.get("/_ping").is_success
        except httpx.TransportError:
            return False

    def containers(self) -> dict[str, dict[str, Any]]:
        """What runs, by name, as `podman inspect` has it."""
        names = [name for found in self._http.get("/containers/json").json() for name in found["Names"]]
        return {name: self._http.get(f"/containers/{name}/json").json() for name in names}

    def remove(self, name: str) -> None:
        """Kill a container and all that is of it, as a machine goes whose power does."""
        self._http.delete(f"/containers/{name}", params={"force": True, "timeout": 0}).raise_for_status()

    def inside(self, name: str, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a container."""
        told = [f"--env={key}={value}" for key, value in settings.items()]
        return _run(["podman", "--url", self.url, "exec", *told, name, *command])

    def beside(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this machine where the ports of the containers are published."""
        (inner,) = psutil.Process(self._outer.pid).children()
        return _run(["nsenter", f"--target={inner.pid}", "--net", *command], os.environ | settings)

    @contextmanager
    def asked_for_health(self) -> Iterator[None]:
        """Meanwhile every container is asked for its health, each second; elsewhere systemd or docker sees to that."""
        end = threading.Event()

        def ask() -> None:
            with httpx.Client(transport=httpx.HTTPTransport(uds=self.url.removeprefix("unix://"))) as http:
                while not end.wait(1.0):
                    for found in http.get("http://podman/v4.0.0/libpod/containers/json").json():
                        path = f"http://podman/v4.0.0/libpod/containers/{found['Id']}/healthcheck"
                        http.get(path, timeout=60)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()


def _run(
    command: Sequence[str], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environ, capture_output=True, text=True)
