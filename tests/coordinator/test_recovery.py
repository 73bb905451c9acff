"""Who lives, and what is to be done about work that did not end."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from hpo.cohort import Cohort
from hpo.coordinator.recovery import (
    GiveUp,
    Halve,
    TrainAgain,
    after_failure,
    is_alive,
    this_process,
    what_is_left,
)
from hpo.states import CohortState, Reason, TrialState
from hpo.trial import Trial

PRINT_DRIVER = """
from hpo.coordinator.recovery import this_process
import sys
driver = this_process()
print(driver.host, driver.pid, driver.born, driver.token, flush=True)
sys.stdin.read()
"""


def test_this_process_is_alive_and_each_run_has_its_own_token():
    first, second = this_process(), this_process()

    assert is_alive(first) is True
    assert first.token != second.token
    assert replace(first, token="") == replace(second, token="")


def test_a_process_is_alive_until_it_is_killed_even_before_its_parent_has_noticed():
    with subprocess.Popen(
        [sys.executable, "-c", PRINT_DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        host, pid, born, token = child.stdout.readline().split()
        driver = replace(this_process(), host=host, pid=int(pid), born=float(born), token=token)
        alive = is_alive(driver)
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, driver.pid, os.WSTOPPED | os.WNOWAIT)
        stopped = is_alive(driver)
        child.kill()
        os.waitid(os.P_PID, driver.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        as_zombie = is_alive(driver)

    assert (alive, stopped, as_zombie, is_alive(driver)) == (True, None, False, False)


def test_a_process_number_that_was_given_away_again_is_not_the_driver():
    assert is_alive(replace(this_process(), born=this_process().born - 3600)) is False


def test_of_another_host_nothing_is_known():
    assert is_alive(replace(this_process(), host="elsewhere-00000000")) is None


@pytest.mark.parametrize(
    ("reason", "n_trials", "losses", "step"),
    [
        ("lost", 32, 1, TrainAgain()),
        ("lost", 32, 2, TrainAgain()),
        ("lost", 32, 3, GiveUp(Reason.LOST)),
        ("cancelled", 1, 1, TrainAgain()),
        ("out_of_memory", 32, 0, Halve()),
        ("out_of_memory", 1, 0, GiveUp(Reason.OUT_OF_MEMORY)),
        ("error", 32, 0, GiveUp(Reason.ERROR)),
    ],
)
def test_what_happens_to_a_cohort_that_did_not_end(reason, n_trials, losses, step):
    assert after_failure(reason, n_trials=n_trials, losses=losses, retries=2) == step


def cohort(number: int, state: CohortState, numbers: tuple[int, ...]) -> Cohort:
    return Cohort(id=number, study=1, state=state, attempt=1, epoch=0, driver=None, numbers=numbers)


def running(number: int) -> Trial:
    return Trial(
        number=number,
        state=TrialState.RUNNING,
        reason=None,
        value=None,
        stderr=None,
        params={},
        epochs=0,
        best_epoch=None,
        retry_of=None,
        cohort=None,
        started_at=None,
        finished_at=None,
    )


def test_only_trials_without_a_result_are_left():
    cohorts = [cohort(1, CohortState.RUNNING, (0, 2)), cohort(2, CohortState.READY, (1, 3))]

    left = what_is_left(cohorts, map(running, [2, 3]), stopping=False)

    assert [(c.id, [trial.number for trial in trials]) for c, trials in left] == [(1, [2]), (2, [3])]


def test_a_study_that_is_stopping_leaves_what_never_began():
    cohorts = [cohort(1, CohortState.RUNNING, (0,)), cohort(2, CohortState.READY, (1,))]

    left = what_is_left(cohorts, map(running, [0, 1]), stopping=True)

    assert [c.id for c, _ in left] == [1]
