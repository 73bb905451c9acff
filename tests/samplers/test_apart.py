"""GP regression in a process of its own: the same plans, nobody waits, and torch stays out of the coordinator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hpo import lines
from hpo.errors import SamplerFailed
from hpo.samplers.adaptive import AdaptiveSampler, Learning
from hpo.samplers.apart import ApartSampler
from hpo.space import Choice, Range, SearchSpace
from hpo.states import TrialState
from hpo.study import Direction
from hpo.trial import Trial

SPACE = SearchSpace(
    {
        "rate": Range(low=1e-4, high=1.0, log=True, type="float"),
        "kind": Choice(choices=("a", "b")),
        "extra": Range(low=0.0, high=1.0, type="float", when={"kind": ("b",)}),
    }
)
BATCH, TOTAL = 3, 8


def learning(engine="gp", **rest):
    options = {"n_startup_trials": 3}
    usual = {"directions": (Direction.MINIMIZE,), "seed": 1, "batch": BATCH, "options": options}
    return Learning(engine=engine, space=SPACE, **usual | rest)


def ended(plan):
    value = abs(plan.params["rate"] - 0.1) + (plan.params["kind"] == "b")
    return Trial(number=plan.number, state=TrialState.COMPLETE, value=value, params=plan.params, epochs=1)


def waited_for(sampler, first, n=100):
    """The answer, once it is there."""
    while not (plans := sampler.ask(first, n)):
        assert sampler.thinking()
        sampler._process._connection.poll(30)
    return plans


def running(plan):
    state = {"number": plan.number, "state": TrialState.RUNNING, "params": plan.params, "epochs": 0}
    return Trial(**state)


def all_of(sampler, ask):
    plans = []
    while len(plans) < TOTAL:
        new = ask(sampler, len(plans), TOTAL - len(plans))
        plans += new
        sampler.tell([ended(plan) for plan in new])
    return plans


@pytest.fixture
def apart():
    samplers = []

    def make(engine="gp", total=TOTAL, **patience):
        samplers.append(ApartSampler(learning(engine), total, **patience))
        return samplers[-1]

    yield make
    for sampler in samplers:
        sampler.close()


def test_plans_from_afar_are_those_that_would_be_made_here(apart):
    found = all_of(apart("tpe"), waited_for)

    assert found == all_of(AdaptiveSampler(learning("tpe")), AdaptiveSampler.ask)
    assert [plan.number for plan in found] == list(range(TOTAL))


def test_nobody_waits_for_an_answer_and_a_batch_comes_whole(apart):
    sampler = apart("tpe", total=100)
    plans = sampler.ask(0, 100)
    sampler.tell([ended(plan) for plan in plans[:BATCH]])

    at_once = sampler.ask(2 * BATCH, 1)

    assert (len(plans), at_once, sampler.thinking()) == (2 * BATCH, [], True)
    assert [plan.number for plan in waited_for(sampler, 2 * BATCH)] == [6, 7, 8]
    assert not sampler.thinking()


def test_trials_beyond_the_first_total_are_worked_out_by_the_batch_too(apart):
    sampler = apart("tpe", total=2 * BATCH)
    sampler.tell([ended(plan) for plan in sampler.ask(0, 2 * BATCH)])

    sampler.raised(3 * BATCH)
    plans = waited_for(sampler, 2 * BATCH, 1)

    assert [plan.number for plan in plans + sampler.ask(2 * BATCH + 1, BATCH)] == [6, 7, 8]


def test_a_process_that_dies_is_replaced_and_the_plans_stay_the_same(apart):
    sampler = apart("tpe")
    reference = all_of(AdaptiveSampler(learning("tpe")), AdaptiveSampler.ask)
    sampler.tell([ended(plan) for plan in sampler.ask(0, 2 * BATCH)])

    sampler.ask(2 * BATCH, 1)
    os.kill(sampler._process._process.pid, signal.SIGKILL)
    while sampler.thinking():
        sampler.ask(2 * BATCH, 1)

    assert waited_for(sampler, 2 * BATCH) == reference[2 * BATCH :]


def test_a_process_that_dies_again_is_an_error_with_a_cure(apart):
    sampler = apart("tpe")
    sampler.tell([ended(plan) for plan in sampler.ask(0, 2 * BATCH)])

    with pytest.raises(SamplerFailed, match=r"died twice \(exit code -9\); resume the study, or go on with"):
        killed_whenever_it_is_asked(sampler)


def killed_whenever_it_is_asked(sampler):
    while True:
        sampler.ask(2 * BATCH, 1)
        if sampler._process is not None:
            os.kill(sampler._process._process.pid, signal.SIGKILL)


def test_what_goes_wrong_with_every_question_is_an_error_with_a_cure(apart):
    sampler = apart("tpe")
    sampler.tell([ended(plan)._replace(value="no number") for plan in sampler.ask(0, 2 * BATCH)])

    with pytest.raises(SamplerFailed, match=r"no plans could be worked out: .*; resume the study, or go on"):
        waited_for(sampler, 2 * BATCH)

    assert not sampler.thinking()


def at_its_second_question(sampler):
    """One that has answered once; and the plans that a sampler of this process would give next."""
    here = AdaptiveSampler(learning("tpe"))
    for first in (0, BATCH, 2 * BATCH):
        plans = here.ask(first, BATCH)
        assert waited_for(sampler, first, BATCH) == plans
        for one in (here, sampler):
            one.tell([ended(plan) for plan in plans])
    return sampler, here.ask(3 * BATCH, BATCH)


def frozen(sampler):
    """Its process, which does nothing any more."""
    process = psutil.Process(sampler._process._process.pid)
    process.suspend()
    return process


def test_a_process_that_freezes_is_replaced_and_the_plans_stay_the_same(apart):
    sampler, expected = at_its_second_question(apart("tpe", total=4 * BATCH, silence_s=0.1))

    process = frozen(sampler)

    assert waited_for_whoever_answers(sampler, 3 * BATCH) == expected
    assert not process.is_running()


def test_a_frozen_process_that_takes_no_question_keeps_nobody_waiting(apart, monkeypatch):
    monkeypatch.setattr(lines, "HEARING_S", 1)
    sampler = apart("tpe", total=4 * BATCH)
    first, *_ = AdaptiveSampler(learning("tpe")).ask(0, 1)
    sampler.warm([ended(first)._replace(reason="x" * 1_000_000)])  # more than a socket takes
    sampler.tell([ended(plan) for plan in waited_for(sampler, 0)])

    process = frozen(sampler)
    plans = waited_for_whoever_answers(sampler, BATCH)

    assert [plan.number for plan in plans] == [3, 4, 5]
    assert not process.is_running()


def waited_for_whoever_answers(sampler, first):
    """The answer, of another process than the one that was asked first."""
    while not (plans := sampler.ask(first, BATCH)):
        pass
    return plans


def test_processes_that_freeze_whenever_they_are_asked_are_an_error_with_a_cure(apart):
    sampler = apart("tpe", silence_at_start_s=0.1)
    sampler.tell([ended(plan) for plan in sampler.ask(0, 2 * BATCH)])
    processes = []

    with pytest.raises(SamplerFailed, match=r"died twice \(silent for 0 s\); resume the study, or go on"):
        frozen_whenever_it_is_asked(sampler, processes)

    assert not any(process.is_running() for process in processes)


def frozen_whenever_it_is_asked(sampler, processes):
    while True:
        sampler.ask(2 * BATCH, 1)
        if sampler._process is not None:
            processes.append(frozen(sampler))


def test_a_number_that_goes_to_an_enqueued_trial_while_it_thinks_is_thought_about_anew(apart):
    sampler, other = apart("tpe"), AdaptiveSampler(learning("tpe"))
    given = Trial(
        number=6, state=TrialState.RUNNING, params={"rate": 0.1, "kind": "a"}, epochs=0, sampled=False
    )
    for one in (sampler, other):
        one.tell([ended(plan) for plan in one.ask(0, 2 * BATCH)])

    sampler.ask(6, 1)
    for one in (sampler, other):
        one.planned([given])

    assert waited_for(sampler, 7, 1) == other.ask(7, 1)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from dataclasses import replace
from apart_again import ApartSampler, Direction, all_of, ended, learning, running, waited_for
first, second = (ApartSampler(learning(), 8) for _ in range(2))
plans = all_of(first, waited_for)
second.tell([ended(plan) for plan in plans[:4]])
second.planned([running(plan) for plan in plans[4:7]])
both = ApartSampler(learning(directions=(Direction.MINIMIZE, Direction.MAXIMIZE), constrained=True), 7)
asked = both.ask(0, 6)
both.tell([ended(plan)._replace(values=(1.0, plan.number), feasible=plan.number != 2) for plan in asked])
print(waited_for(second, 7, 1) == plans[7:], len(waited_for(both, 6, 1)), "torch" in sys.modules)
for one in (first, second, both):
    one.close()
"""


def test_gp_regression_goes_on_the_same_after_a_restart_and_its_torch_stays_away(tmp_path):
    (tmp_path / "apart_again.py").write_text(Path(__file__).read_text())

    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=55, check=True)

    assert said.stdout.split() == ["True", "1", "False"]
