"""Where studies run while they are disturbed: each stage is programs on machines, and the parts that may be hit."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.testing.ray_health import HEALTH
from tests.chaos import checker, sandbox
from tests.chaos.programs import CHECKOUT, HPO, Clock, Program

URL = "http://127.0.0.1:8000/api/v1"
RAY_PORT = 6379
# Not half a minute of waiting for a head that is away, nor for a worker that trains when it is told to end.
BRIEF = {"RAY_NUM_REDIS_GET_RETRIES": "5", "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
SMALL = ("--num-gpus=0", "--object-store-memory=80000000", "--block", "--disable-usage-stats")


@dataclass(kw_only=True)
class Place:
    """What the programs of a round have in common.

    out: the folder of what they print; texts: study -> its file; begun: the studies whose turn it is, or was; clocks:
    machine -> its own
    """

    out: Path
    texts: dict[str, str]
    database: str
    begun: list[str] = field(default_factory=list)
    clocks: dict[str, Clock] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The database's."""
        if self.database == "sqlite":
            return f"sqlite:///{sandbox.ROOT}/home/hpo.db"
        return f"postgresql+psycopg://hpo@{sandbox.ADDRESSES['data']}:5432/postgres"

    def environment(self, home: str = "home") -> dict[str, str]:
        """Of hpo and Ray."""
        rest = sandbox.ROOT / "rest"
        return {
            "HOME": str(rest),
            "HPO_HOME": str(sandbox.ROOT / home),
            "HPO_STORAGE": self.url,
            "PYTHONPATH": str(CHECKOUT),
            "RAY_TMPDIR": str(rest),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def ours(self, machine: str, home: str = "home") -> dict[str, str]:
        """Of hpo on a machine, by the clock of this."""
        clock = self.clocks.get(machine)
        return self.environment(home) | (clock.environment if clock else {})

    def program(
        self, name: str, *words: str, machine: str = "lead", home: str = "home", **more: str
    ) -> Program:
        """One of hpo's, always the same command."""
        environment = self.ours(machine, home) | more
        return Program(
            name, lambda: (*HPO, *words), self.out / f"{name}.txt", machine=machine, environment=environment
        )


def database(place: Place) -> list[Program]:
    """PostgreSQL on a machine of its own, or nothing beside SQLite."""
    if place.database == "sqlite":
        return []
    folder = sandbox.ROOT / "data" / "postgres"
    as_server = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
    make = ("initdb", "-D", str(folder), "-U", "hpo", "--auth=trust", "-E", "UTF8", "--no-sync")
    subprocess.run(
        [*as_server, *make, "--wal-segsize=1"], check=True, stdout=subprocess.DEVNULL, cwd=sandbox.ROOT
    )
    with (folder / "pg_hba.conf").open("a") as file:
        file.write("host all all 10.77.0.0/24 trust\n")
    binary = Path(shutil.which("initdb") or "").resolve().parent / "postgres"
    settings = ("listen_addresses=*", "max_wal_size=8MB", "min_wal_size=2MB", "shared_buffers=16MB")
    clock = place.clocks.get("data")
    # Not before it is another user: what libfaketime shares is its maker's.
    with_clock = ["env", *(f"{key}={value}" for key, value in clock.environment.items())] if clock else []
    words = [*as_server, *with_clock, str(binary), "-D", str(folder), "-k", str(folder.parent)]
    words += [word for setting in settings for word in ("-c", setting)]
    return [
        Program(
            "database",
            lambda: words,
            place.out / "database.txt",
            machine="data",
            environment={},
            ours=False,
            ends_by=signal.SIGINT,  # at SIGTERM it waits for its clients, of which the checker is one
        )
    ]


def run(place: Place) -> list[Program]:
    """`hpo run` for each study that has begun; `hpo resume` once it is in the database, until it is COMPLETED."""

    def words(name: str) -> Callable[[], Sequence[str] | None]:
        def now() -> Sequence[str] | None:
            state = checker.states(place.url).get(name)
            if name not in place.begun or state == "COMPLETED":
                return None
            verb = ("resume", name) if state else ("run", str(place.out / f"{name}.yaml"))
            return (*HPO, *verb, "--pool", "local", "--workers", "1", "--cohort-lanes", "7")

        return now

    programs = []
    for name, text in place.texts.items():
        (place.out / f"{name}.yaml").write_text(text)
        environment = place.ours("lead")
        programs.append(
            Program(f"run-{name}", words(name), place.out / f"run-{name}.txt", environment=environment)
        )
    return programs


def serve(place: Place) -> list[Program]:
    """`hpo serve` with the local pool."""
    return [place.program("serve", "serve", "--pool", "local", "--workers", "2")]


def own_ray(place: Place) -> list[Program]:
    """`hpo serve` with a Ray of its own."""
    return [place.program("serve", "serve", "--pool", "ray", "--workers", "2")]


def two(place: Place) -> list[Program]:
    """A server, and a second coordinator: on another machine, unless the database is a file of this one."""
    words = ("--pool", "local", "--workers", "1")
    elsewhere = "lead" if place.database == "sqlite" else "other"
    home = "home" if elsewhere == "lead" else "rest/other"
    second = place.program("second", "serve", "--only", "coordinator", *words, machine=elsewhere, home=home)
    return [place.program("serve", "serve", *words), second]


def cluster(place: Place) -> list[Program]:
    """`hpo serve` on a Ray cluster: the head beside it, two nodes on machines of their own."""
    token = sandbox.ROOT / "rest" / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    asked = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    ray = str(Path(sys.executable).with_name("ray"))
    address = f"{sandbox.ADDRESSES['lead']}:{RAY_PORT}"

    def node(machine: str, *words: str) -> Program:
        (sandbox.ROOT / "rest" / machine).mkdir(exist_ok=True)
        own = {"RAY_TMPDIR": str(sandbox.ROOT / "rest" / machine)}
        environment = place.environment() | asked | HEALTH | BRIEF | own
        command = (ray, "start", *words, f"--node-ip-address={sandbox.ADDRESSES[machine]}", *SMALL)
        return Program(
            f"ray-{machine}",
            lambda: command,
            place.out / f"ray-{machine}.txt",
            machine=machine,
            environment=environment,
            ours=False,
        )

    head = node("lead", "--head", f"--port={RAY_PORT}", "--include-dashboard=false", "--num-cpus=0")
    nodes = [node(machine, f"--address={address}", "--num-cpus=1") for machine in ("node1", "node2")]
    serving = place.program("serve", "serve", "--pool", "ray", RAY_ADDRESS=address, **asked)
    return [head, *nodes, serving]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """programs: those of hpo and Ray, in the order in which they start; parts and machines: those that may be hit.

    blows: as many as there is time for in a minute; steps: whether clocks may step where hpo runs: not where Ray's own
    processes would live by them too, for libfaketime spoils how these wait for a while; swept: titles of what a service
    manager would end with the machines' own Ray: agents whose head has died look for it for a while
    """

    programs: Callable[[Place], list[Program]]
    parts: tuple[str, ...]
    machines: tuple[str, ...] = ()
    served: bool = True
    blows: int = 4
    steps: bool = True
    swept: tuple[str, ...] = ()


_SERVER = ("worker", "workers", "coordinator", "api", "supervisor")
STAGES = {
    "run": Stage(programs=run, parts=("nursery", "worker", "workers", "coordinator"), served=False),
    "serve": Stage(programs=serve, parts=("nursery", *_SERVER)),
    "ray": Stage(programs=own_ray, parts=(*_SERVER, "node", "head"), blows=2, steps=False),
    "cluster": Stage(
        programs=cluster,
        parts=(*_SERVER, "node", "head"),
        machines=("node1", "node2", "lead"),
        blows=1,
        swept=("ray::DashboardAgent", "ray::RuntimeEnvAgent"),
    ),
    "two": Stage(programs=two, parts=("nursery", *_SERVER)),
}
