"""A supervisor starts its parts, starts those again that die, and leaves nobody behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import hpo
from hpo.server import part
from hpo.server.part import FIRST_PAUSE_S, LONGEST_PAUSE_S, Child, Part

PATIENCE_S = 30.0


def until(condition):
    """What a condition gives once it gives something true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


class Supervised:
    """The program tests/server/parts.py and the parts that it runs. under: words before its command."""

    def __init__(self, folder, *parts, grace_s=10.0, under=()):
        self.folder = folder
        script = Path(__file__).with_name("parts.py")
        environment = os.environ | {"PYTHONPATH": str(Path(hpo.__file__).parents[1])}
        self.program = subprocess.Popen(
            [*under, sys.executable, str(script), str(folder), str(grace_s), *parts],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pids(self, name):
        """Of all processes that a part has had, the last at the end."""
        file = self.folder / name
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def ready(self):
        """Wait for the word that all parts are ready."""
        until((self.folder / "ready").exists)
        return self

    def visit(self):
        """The process id that the part on demand answers with."""
        port = int(until(lambda: (self.folder / "port").exists() and (self.folder / "port").read_text()))
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            return int(connection.recv(64))

    def end(self):
        """Wait for the end; what was said on standard error."""
        _, said = self.program.communicate(timeout=PATIENCE_S)
        return said


@pytest.fixture
def supervised(tmp_path):
    begun = []

    def begin(*parts, **options):
        begun.append(Supervised(tmp_path, *parts, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.program.kill()
        one.program.communicate()


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_part_that_is_killed_is_started_again_and_the_others_do_not_notice(supervised):
    running = supervised("first", "second").ready()
    [first], [second] = running.pids("first"), running.pids("second")

    os.kill(first, signal.SIGKILL)

    until(lambda: len(running.pids("first")) == 2)
    assert running.pids("second") == [second]
    assert not gone(second)


def test_a_part_that_cannot_start_is_told_of_once_and_tried_again(supervised):
    running = supervised("well", "broken=broken")
    until(lambda: len(running.pids("broken")) == 5)
    [well] = running.pids("well")
    lives = not gone(well)

    running.program.send_signal(signal.SIGTERM)
    said = running.end()

    assert lives
    assert said.count("broken cannot start, and has said above why: it has ended 3 times") == 1
    assert said.index("broken: there is no such device") < said.index("broken cannot start")
    assert "well cannot start" not in said


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_whoever_asks_all_parts_end_well(supervised, tmp_path, by):
    running = supervised("first", "second").ready()

    running.program.send_signal(by)
    said = running.end()

    assert (running.program.returncode, said) == (0, "")
    assert (tmp_path / "ended_by").read_text() == by.name
    assert all(gone(pid) for name in ("first", "second") for pid in running.pids(name))


def test_a_closed_terminal_does_not_end_what_was_started_with_nohup(supervised, tmp_path):
    running = supervised("first", under=("nohup",)).ready()

    running.program.send_signal(signal.SIGHUP)
    os.kill(running.pids("first")[0], signal.SIGKILL)
    until(lambda: len(running.pids("first")) == 2)
    running.program.send_signal(signal.SIGTERM)
    running.end()

    assert (tmp_path / "ended_by").read_text() == "SIGTERM"


def test_ctrl_c_in_a_terminal_reaches_the_supervisor_alone(supervised):
    running = supervised("first").ready()

    [first] = running.pids("first")

    assert os.getpgid(first) == first


@pytest.mark.parametrize("stopped", [False, True])
def test_nobody_outlives_a_supervisor_that_is_killed(supervised, stopped):
    running = supervised("first", "second=deaf").ready()
    pids = running.pids("first") + running.pids("second")
    if stopped:
        os.kill(pids[0], signal.SIGSTOP)

    running.program.kill()

    until(lambda: all(gone(pid) for pid in pids))


def test_a_part_that_does_not_end_is_killed_when_its_grace_is_over(supervised):
    running = supervised("well", "deaf=deaf", grace_s=0.5).ready()

    running.program.send_signal(signal.SIGINT)
    said = running.end()

    assert "deaf did not end within" in said
    assert "well" not in said
    assert gone(running.pids("deaf")[0])


def test_a_second_signal_kills_at_once(supervised):
    running = supervised("deaf=deaf", grace_s=1e6).ready()

    running.program.send_signal(signal.SIGTERM)
    running.program.send_signal(signal.SIGINT)
    running.end()

    assert gone(running.pids("deaf")[0])


def test_a_server_is_ready_when_all_its_parts_are(supervised, tmp_path):
    running = supervised("first", "late=silent")

    until(lambda: running.pids("first") and running.pids("late"))
    os.kill(running.pids("first")[0], signal.SIGKILL)  # that it comes back shows that time has passed
    until(lambda: len(running.pids("first")) == 2)

    assert not (tmp_path / "ready").exists()


def test_a_part_on_demand_is_started_by_its_first_visitor_and_again_after_it_died(supervised):
    running = supervised("first", "shy=visited").ready()
    before = running.pids("shy")

    first = running.visit()
    again = running.visit()
    os.kill(first, signal.SIGKILL)
    until(lambda: gone(first))
    later = running.visit()

    assert before == []
    assert first == again != later
    assert running.pids("shy") == [first, later]


def test_a_part_that_fails_at_once_is_tried_less_and_less_often():
    child = Child(Part(name="broken", command=("false",)))
    pauses = []

    for _ in range(12):
        child.start()
        child.process.wait()
        assert "ended with exit code 1" in child.reap()
        pauses.append(child.pause_s)

    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_part_that_was_well_for_long_is_started_again_at_once(monkeypatch):
    monkeypatch.setattr(part, "STEADY_S", 0.0)
    child = Child(Part(name="broken", command=("false",)))

    for _ in range(5):
        child.start()
        child.process.wait()
        child.reap()

    assert child.pause_s == FIRST_PAUSE_S


@pytest.mark.parametrize(("on_demand", "command", "again"), [
    (True, "true", False), (True, "false", True), (False, "true", True)
])  # fmt: skip
def test_a_part_that_nobody_has_visited_for_long_waits_for_the_next_visitor(on_demand, command, again):
    child = Child(Part(name="shy", command=(command,), on_demand=on_demand))

    child.start()
    child.process.wait()
    child.reap()

    assert (child.due_at is not None) == again
