"""A worker says now and then where its cohort stands, and another goes on from there as if nothing had happened."""

from dataclasses import replace

import pytest

from hpo.bracket import Judge, history_of
from hpo.cohort import CohortDone, EpochResult
from hpo.fused.device import prepare_process
from hpo.study import PrunerSpec
from hpo.testing.pool_talk import bits, make_data, make_task
from hpo.workers import saving
from hpo.workers.runner import perform

FAST = 1e12  # bytes a second
HALVING = Judge(pruner=PrunerSpec(name="halving", min_epochs=2, factor=2, bracket=4), epochs=9)
MEDIAN = Judge(pruner=PrunerSpec(name="median", min_epochs=1, bracket=4), epochs=9)


@pytest.fixture(autouse=True)
def _as_in_a_worker(monkeypatch):
    prepare_process()
    monkeypatch.setattr(saving, "EVERY_S", 0.0)


def run(task):
    """What a worker reports, in order, and its last word."""
    said = []
    done = perform(task, make_data, device="cpu", report=said.append, save=said.append)
    assert isinstance(done, CohortDone), done
    return said


def epochs(said):
    return [report for report in said if isinstance(report, EpochResult)]


def known(said):
    """What a coordinator knows of the trials that have ended."""
    ended = [trial for report in epochs(said) for trial in report.ended]
    return {trial.number: history_of(trial, "log_loss", 9) for trial in ended}


def tasks():
    plain = replace(make_task(range(8), epochs=9), saving=FAST)
    early = make_task(range(8), epochs=9, patience=1)
    return {
        "plain": plain,
        "lanes that end by themselves": replace(early, saving=FAST),
        "halving": replace(plain, judge=HALVING),
        "median": replace(plain, judge=MEDIAN),
    }


@pytest.mark.parametrize("kind", ["plain", "lanes that end by themselves", "halving", "median"])
def test_from_wherever_it_stood_a_cohort_goes_on_to_the_same_ends(kind):
    task = tasks()[kind]
    said = run(task)
    whole = bits(epochs(said))
    saves = [place for place, report in enumerate(said) if not isinstance(report, EpochResult)]

    assert saves
    for place in saves:
        save, before = said[place], bits(epochs(said[:place]))
        left = set(task.numbers) - before.keys()
        assert left <= set(save.numbers)  # whoever has no result is in it
        lanes = tuple(lane for lane in task.lanes if lane.number in left)
        judge = task.judge and replace(task.judge, known=known(said[:place]))
        goes_on = replace(task, lanes=lanes, checkpoints=(save.checkpoint,), attempt=2, judge=judge)
        again = run(goes_on) if left else []

        assert [report.epoch for report in epochs(again)][:1] == [save.epoch + 1][: len(again)]
        assert before | bits(epochs(again)) == whole


def test_nothing_is_said_before_the_time_and_the_bytes_permit_it(monkeypatch):
    task = make_task(range(3), epochs=6)

    assert epochs(run(task)) == run(task)
    assert epochs(run(replace(task, saving=1e-6))) == run(task)
    monkeypatch.setattr(saving, "EVERY_S", 3600.0)
    assert epochs(run(replace(task, saving=FAST))) == run(task)
