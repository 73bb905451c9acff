"""Processes are killed while the real program searches: nothing is lost, nothing is done twice."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

import hpo
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.testing.frozen import freeze_a_worker
from hpo.trial import Trial

pytestmark = pytest.mark.timeout(240)

STUDY = """
name: {name}
data: {{source: digits}}
objective: {{metric: log_loss}}
trials: {trials}
epochs: {epochs}
parameters:
  learning_rate: {{low: 1e-4, high: 1e-1, log: true}}
  hidden_units: 23
"""
SIZE = {"trials": 40, "epochs": 15}
LANES = 3  # of a cohort: so many trials stay with a worker that is stopped
MOST = SIZE["trials"] - LANES  # that can finish meanwhile
TWO = ("--workers", "2", "--cohort-lanes", str(LANES))


class Searches:
    """The program `hpo` with a home of its own; progress is read line by line from its standard error."""

    def __init__(self, home: Path) -> None:
        self.home = home
        checkout = str(Path(hpo.__file__).parents[1])
        self.environment = os.environ | {"HPO_HOME": str(home), "PYTHONPATH": checkout}
        for name in ("HPO_STORAGE", "HPO_SERVER", "RAY_ADDRESS", "HPO_DEVICE"):
            self.environment.pop(name, None)

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "hpo.cli.main", *words],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        program = self.start(*words)
        out, err = program.communicate(timeout=120)
        return program.returncode, out, err

    def study_file(self, name: str) -> str:
        path = self.home / f"{name}.yaml"
        path.write_text(STUDY.format(name=name, **SIZE))
        return str(path)

    def trials(self, name: str) -> list[Trial]:
        return self._read(lambda storage: storage.trials(name))

    def state(self, name: str) -> StudyState:
        return self._read(lambda storage: storage.get_study(name).state)

    def _read(self, look):
        with closing(open_storage(f"sqlite:///{self.home / 'hpo.db'}")) as storage:
            return look(storage)


@pytest.fixture
def searches(tmp_path):
    return Searches(tmp_path)


def under_way(program: subprocess.Popen, *, more_than: int = 0) -> psutil.Process:
    """Wait until more trials than that have finished; the search cannot end before the worker given may go on."""
    frozen = freeze_a_worker(program.pid)
    for line in program.stderr:
        before, slash, _ = line.partition(f"/{SIZE['trials']} trials,")
        if slash and int(before.split()[-1]) > more_than:
            return frozen
    raise AssertionError("it ended before")


def results_of(trials):
    """What must not depend on who trained a trial, and when."""
    return [(t.number, t.state, t.reason, t.value, dict(t.params), t.epochs, t.best_epoch) for t in trials]


def finished_of(trials):
    return {t.number: t.finished_at for t in trials if t.state is TrialState.COMPLETE}


def kill_under_way(program: subprocess.Popen, *, more_than: int = 0) -> None:
    """kill -9 at the first word of more trials than that; its workers must not outlive it."""
    frozen = under_way(program, more_than=more_than)
    workers = psutil.Process(program.pid).children(recursive=True)
    program.kill()
    program.communicate(timeout=120)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert frozen in workers
    assert not alive


def test_a_search_killed_twice_ends_as_if_nothing_had_happened(searches):
    kill_under_way(searches.start("run", searches.study_file("broken"), *TWO))
    first = finished_of(searches.trials("broken"))
    kill_under_way(searches.start("resume", "broken", *TWO), more_than=min(len(first), MOST - 1))
    second = finished_of(searches.trials("broken"))
    code, _, err = searches.run("resume", "broken")
    assert code == 0, err
    searches.run("run", searches.study_file("whole"))

    after = searches.trials("broken")
    assert results_of(after) == results_of(searches.trials("whole"))
    assert 0 < len(first) <= len(second) < SIZE["trials"]
    assert first.items() <= second.items() <= finished_of(after).items()


def test_a_killed_worker_is_replaced_and_a_living_search_cannot_be_taken_over(searches):
    program = searches.start("run", searches.study_file("broken"), *TWO)
    frozen = under_way(program)
    [victim] = {p for p in psutil.Process(program.pid).children() if p.name() == frozen.name()} - {frozen}
    victim.send_signal(signal.SIGKILL)
    code, _, err = searches.run("resume", "broken")
    frozen.resume()
    program.communicate(timeout=120)

    assert code == 1
    assert f"process {program.pid} on" in err
    assert program.returncode == 0
    assert [t.state for t in searches.trials("broken")] == [TrialState.COMPLETE] * SIZE["trials"]


def test_two_coordinators_started_by_mistake_do_no_harm(searches):
    kill_under_way(searches.start("run", searches.study_file("broken"), *TWO))
    before = finished_of(searches.trials("broken"))

    programs = [searches.start("resume", "broken", "--cohort-lanes", lanes) for lanes in ("3", "5")]
    errors = [program.communicate(timeout=120)[1] for program in programs]
    searches.run("run", searches.study_file("whole"))

    after = searches.trials("broken")
    loser = errors[0] if programs[0].returncode else errors[1]
    assert sorted(program.returncode for program in programs) == [0, 1]
    assert "error: " in loser
    assert "broken" in loser
    assert "Traceback" not in loser
    assert results_of(after) == results_of(searches.trials("whole"))
    assert before.items() <= finished_of(after).items()


@pytest.mark.parametrize(("verb", "state"), [("pause", StudyState.PAUSED), ("cancel", StudyState.CANCELLED)])
def test_a_verb_from_another_terminal_is_obeyed(searches, verb, state):
    program = searches.start("run", searches.study_file("asked"), *TWO)
    under_way(program)
    code, _, err = searches.run(verb, "asked")
    assert code == 0, err
    program.communicate(timeout=120)

    trials = searches.trials("asked")
    assert searches.state("asked") is state
    left = {trial.state for trial in trials} - {TrialState.COMPLETE}
    assert left == {TrialState.RUNNING if verb == "pause" else TrialState.FAIL}
    assert finished_of(trials)
