"""What may happen to a part, a machine, a disk or a clock: a table of faults, each with its mending."""

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
IN_A_TRANSACTION = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a fault may touch. server: the address of PostgreSQL; clocks: of the machines that have one of their own."""

    dice: random.Random
    server: str
    clocks: dict[str, Clock]


Fault = Callable[[Scene], AbstractContextManager[None]]


def _victims(part: str, dice: random.Random) -> list[psutil.Process]:
    found = of_part(part)
    return found if part in TOGETHER else dice.sample(found, min(1, len(found)))


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):  # it has ended meanwhile
            process.send_signal(number)


def kill(part: str) -> Fault:
    """kill -9; whoever looks after the part starts it again."""

    @contextmanager
    def act(scene: Scene) -> Iterator[None]:
        _send(_victims(part, scene.dice), signal.SIGKILL)
        yield

    return act


def freeze(part: str) -> Fault:
    """SIGSTOP, and SIGCONT later."""

    @contextmanager
    def act(scene: Scene) -> Iterator[None]:
        victims = _victims(part, scene.dice)
        _send(victims, signal.SIGSTOP)
        try:
            yield
        finally:
            _send(victims, signal.SIGCONT)

    return act


@contextmanager
def freeze_writer(scene: Scene) -> Iterator[None]:
    """SIGSTOP to a coordinator in the middle of a transaction, with the locks that it holds; SIGCONT later."""
    deadline = time.monotonic() + LOOK_S
    victims = _victims("coordinator", scene.dice)
    with psycopg.connect(scene.server, autocommit=True) as server:
        while True:
            _send(victims, signal.SIGSTOP)
            if server.execute(IN_A_TRANSACTION).fetchone() or time.monotonic() > deadline:
                break
            _send(victims, signal.SIGCONT)
            time.sleep(scene.dice.uniform(0.0, 0.02))
    try:
        yield
    finally:
        _send(victims, signal.SIGCONT)


def step(machine: str) -> Fault:
    """Its clock jumps, and stays where it is."""

    @contextmanager
    def act(scene: Scene) -> Iterator[None]:
        scene.clocks[machine].step(scene.dice.choice(STEPS_S))
        yield

    return act


MACHINES = tuple(sandbox.ADDRESSES)
CLOCKS = ("lead", "data")
FAULTS: dict[str, Fault] = {
    **{f"kill {part}": kill(part) for part in PARTS},
    **{f"freeze {part}": freeze(part) for part in PARTS},
    "freeze writer": freeze_writer,
    **{f"silence {machine}": (lambda _, m=machine: sandbox.silent(m)) for machine in MACHINES},
    **{f"unplug {machine}": (lambda _, m=machine: sandbox.unplugged(m)) for machine in MACHINES},
    **{f"fill {disk}": (lambda _, d=disk: sandbox.full(d)) for disk in ("home", "data")},
    **{f"step {machine}": step(machine) for machine in CLOCKS},
}


def possible(stage: Stage, database: str) -> list[str]:
    """The names of the faults that can happen there."""
    on_postgres = database == "postgres"
    parts = (*stage.parts, *(("database",) if on_postgres else ()))
    second = ("other",) if stage is STAGES["two"] else ()
    machines = (*stage.machines, *((*second, "lead", "data") if on_postgres else ()))
    names = [f"{deed} {part}" for deed in ("kill", "freeze") for part in parts]
    names += [f"{deed} {machine}" for deed in ("silence", "unplug") for machine in dict.fromkeys(machines)]
    names += ["fill home", *(["fill data", "freeze writer"] if on_postgres else [])]
    if faketime() is not None:
        names += ["step lead", *(["step data"] if on_postgres else [])]
    return names
