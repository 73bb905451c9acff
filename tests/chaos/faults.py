"""What may happen to a part, a machine, a disk or a clock: a table of faults, each with its mending.

Each tells how much it has hit: processes of a part, processes on a machine, a disk, a clock; 0 is a blow into the air.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

import psutil
import psycopg

from tests.chaos import sandbox
from tests.chaos.programs import PARTS, TOGETHER, Clock, faketime, of_part
from tests.chaos.stages import STAGES, Stage

STEPS_S = (-3600, 3600, 86400)
LOOK_S = 10.0  # for a transaction
AWAY_S = 2  # that PostgreSQL may need to answer, while others are frozen
STILL_S = 0.3  # longer than any that runs pauses in one
IN_A_TRANSACTION = (
    "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' "
    "AND state_change < clock_timestamp() - make_interval(secs => %s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault may touch. server: the address of PostgreSQL; clocks: of the machines that have one of their own."""

    dice: random.Random
    server: str
    clocks: dict[str, Clock]


Fault = Callable[[Scene], AbstractContextManager[int]]


def _victims(part: str, dice: random.Random) -> list[psutil.Process]:
    found = of_part(part)
    return found if part in TOGETHER else dice.sample(found, min(1, len(found)))


def _send(processes: list[psutil.Process], number: signal.Signals) -> int:
    n_sent = 0
    for process in processes:
        with suppress(psutil.Error):  # it has ended meanwhile
            process.send_signal(number)
            n_sent += 1
    return n_sent


def kill(part: str) -> Fault:
    """kill -9; whoever looks after the part starts it again."""

    @contextmanager
    def act(scene: Scene) -> Iterator[int]:
        yield _send(_victims(part, scene.dice), signal.SIGKILL)

    return act


def freeze(part: str) -> Fault:
    """SIGSTOP, and SIGCONT later."""

    @contextmanager
    def act(scene: Scene) -> Iterator[int]:
        victims = _victims(part, scene.dice)
        try:
            yield _send(victims, signal.SIGSTOP)
        finally:
            _send(victims, signal.SIGCONT)

    return act


@contextmanager
def freeze_writer(scene: Scene) -> Iterator[int]:
    """SIGSTOP to a coordinator in the middle of a transaction, with the locks that it holds; SIGCONT later."""
    deadline = time.monotonic() + LOOK_S
    victims: list[psutil.Process] = []
    n_hit = 0
    try:
        while n_hit == 0 and time.monotonic() < deadline:
            _send(victims, signal.SIGCONT)
            time.sleep(scene.dice.uniform(0.0, 0.02))
            victims = _victims("coordinator", scene.dice)
            n_stopped = _send(victims, signal.SIGSTOP)
            if n_stopped and in_a_transaction(scene.server):
                time.sleep(STILL_S)  # somebody else may have been in the middle of one
                n_hit = n_stopped if in_a_transaction(scene.server, STILL_S) else 0
        yield n_hit
    finally:
        _send(victims, signal.SIGCONT)


def in_a_transaction(server: str, for_s: float = 0.0) -> bool:
    """Whether somebody is in the middle of one, and has done nothing for so long; nobody while PostgreSQL is away."""
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=AWAY_S) as connection:
            return connection.execute(IN_A_TRANSACTION, (for_s,)).fetchone() is not None
    except psycopg.OperationalError:
        return False


def cut(machine: str, how: Callable[[str], AbstractContextManager[None]]) -> Fault:
    """Its network is gone, in one of the ways of the sandbox."""

    @contextmanager
    def act(scene: Scene) -> Iterator[int]:
        with how(machine):
            yield sandbox.on_it(machine)

    return act


def fill(disk: str) -> Fault:
    """It has no room left."""

    @contextmanager
    def act(scene: Scene) -> Iterator[int]:
        with sandbox.full(disk):
            yield 1

    return act


def step(machine: str) -> Fault:
    """Its clock jumps, and stays where it is."""

    @contextmanager
    def act(scene: Scene) -> Iterator[int]:
        scene.clocks[machine].step(scene.dice.choice(STEPS_S))
        yield 1

    return act


MACHINES = tuple(sandbox.ADDRESSES)
CLOCKS = ("lead", "data")
FAULTS: dict[str, Fault] = {
    **{f"kill {part}": kill(part) for part in PARTS},
    **{f"freeze {part}": freeze(part) for part in PARTS},
    "freeze writer": freeze_writer,
    **{f"silence {machine}": cut(machine, sandbox.silent) for machine in MACHINES},
    **{f"unplug {machine}": cut(machine, sandbox.unplugged) for machine in MACHINES},
    **{f"fill {disk}": fill(disk) for disk in ("home", "data")},
    **{f"step {machine}": step(machine) for machine in CLOCKS},
}


def there(fault: str) -> bool:
    """Whether there is somebody now whom a fault would hit."""
    part = fault.removeprefix("kill ").removeprefix("freeze ")
    return part not in PARTS or bool(of_part(part))


def possible(stage: Stage, database: str) -> list[str]:
    """The names of the faults that can happen there."""
    on_postgres = database == "postgres"
    parts = (*stage.parts, *(("database",) if on_postgres else ()))
    second = ("other",) if stage is STAGES["two"] else ()
    machines = (*stage.machines, *((*second, "lead", "data") if on_postgres else ()))
    names = [f"{deed} {part}" for deed in ("kill", "freeze") for part in parts]
    names += [f"{deed} {machine}" for deed in ("silence", "unplug") for machine in dict.fromkeys(machines)]
    names += ["fill home", *(["fill data", "freeze writer"] if on_postgres else [])]
    if faketime() is not None and stage.steps:
        names += ["step lead", *(["step data"] if on_postgres else [])]
    return names
