"""Who drives, and whether that process lives."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil

from hpo.service.processes import is_alive, this_process

PRINT_DRIVER = """
from hpo.service.processes import this_process
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


def test_a_process_lives_on_when_somebody_sets_the_clock(monkeypatch):
    driver, booted = this_process(), psutil._psplatform.boot_time()

    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted + 3600)

    assert is_alive(driver) is True


def test_of_another_host_nothing_is_known():
    assert is_alive(replace(this_process(), host="elsewhere-00000000")) is None
