"""The process that ends what a Ray of ours would leave behind."""

import signal
import subprocess

from hpo.workers.undertaker import Undertaker


def test_an_undertaker_ends_all_that_it_was_told_of_at_whatever_time():
    undertaker = Undertaker({})
    told = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]

    for process in told:
        undertaker.tell([process.pid])
    undertaker.bury()

    assert [process.wait(10.0) for process in told] == [-signal.SIGKILL, -signal.SIGKILL]


def test_an_undertaker_that_was_killed_is_told_in_vain_and_nobody_minds():
    undertaker = Undertaker({})
    undertaker._process.kill()
    undertaker._process.wait()

    undertaker.tell([1])
    undertaker.bury()


def test_an_undertaker_ends_who_writes_into_the_folder_and_spares_who_reads(tmp_path):
    """As Ray's agents do, which nobody is the parent of once their raylet has died."""
    log = tmp_path / "logs" / "agent.out"
    log.parent.mkdir()
    log.touch()
    with log.open("a") as out, log.open() as read:
        writer = subprocess.Popen(["sleep", "60"], stdout=out)
        reader = subprocess.Popen(["sleep", "60"], stdin=read)
    undertaker = Undertaker({})

    undertaker.tell([], str(tmp_path))
    undertaker.bury()

    assert writer.wait(10) == -signal.SIGKILL
    assert reader.poll() is None
    reader.kill()
    reader.wait()
