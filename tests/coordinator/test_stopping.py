"""Ending early: by a value, on a plateau, when time is over, after too many failures; and the trials that count."""

import itertools
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.coordinator.loop import Coordinator, Job, Options
from hpo.errors import StudyFailed
from hpo.service.stopping import Stopping
from hpo.space import Choice
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.study import Direction, Limits, PrunerSpec, StopSpec
from hpo.testing.simulated_pool import Fault, SimulatedPool
from hpo.testing.small_jobs import LEARNING_RATE, create, data_of, space_of, spec_of
from hpo.trial import TrialResult


def study_of(**columns):
    """A study that was just made, with some columns changed."""
    storage = open_storage("memory://")
    direction = columns.pop("direction", Direction.MINIMIZE)
    return replace(create(storage, spec_of(direction=direction)), **columns)


@pytest.fixture(scope="module")
def whole():
    """The values of an undisturbed study of 200 trials, by number."""
    storage, spec = open_storage("memory://"), spec_of(trials=200)
    create(storage, spec)
    Coordinator(storage, SimulatedPool(), options=Options(poll_s=0.0)).run(
        Job(name="small", spec=spec, data=data_of())
    )
    return [trial.value for trial in storage.trials("small")]


def first_below(values, goal):
    return next(number for number, value in enumerate(values) if value <= goal)


def best_of(values):
    return min(range(len(values)), key=lambda number: (values[number], number))


# By a value

CUTS = [(1, 4), (1, None), (2, 5), (3, 32), (4, 1), (2, 256)]


@pytest.mark.parametrize(("workers", "max_lanes"), CUTS)
def test_the_first_trial_that_reaches_the_value_ends_the_study_on_any_number_of_workers(
    make_world, whole, workers, max_lanes
):
    goal = sorted(whole)[6]
    last = first_below(whole, goal)
    world = make_world(spec_of(trials=200, stop=StopSpec(value=goal)))

    study = world.run(workers=workers, max_lanes=max_lanes)

    trials = world.trials()
    best = best_of(whole[: last + 1])
    assert (study.state, study.counted) == (StudyState.COMPLETED, last + 1)
    assert study.reason == f"stop.value {goal:g} reached by trial {last}; later trials do not count"
    assert [t.value for t in trials[: last + 1]] == whole[: last + 1]
    assert study.test["number"] == world.storage.model("small").number == best
    assert [t.number for t in world.storage.best_trials("small")] == [best]
    assert world.seen[-1].best_number == best
    assert {(t.state, t.reason) for t in trials[last + 1 :]} <= {
        (TrialState.COMPLETE, None),
        (TrialState.FAIL, "cancelled"),
    }
    assert all(t.value == whole[t.number] for t in trials if t.state is TrialState.COMPLETE)


def test_what_is_not_begun_when_the_rule_is_fulfilled_ends_as_after_a_stop(make_world, whole):
    goal = whole[0]
    world = make_world(spec_of(trials=200, stop=StopSpec(value=goal)))

    study = world.run(workers=1, max_lanes=4)

    states = Counter((t.state, t.reason) for t in world.trials())
    assert (
        states[TrialState.COMPLETE, None] == len(set(world.trained())) == 8
    )  # the rule was known too late for 4
    assert set(states) == {(TrialState.COMPLETE, None), (TrialState.FAIL, "cancelled")}
    assert not study.counts[TrialState.RUNNING]
    assert any("reached by trial 0; later trials do not count: no" in (p.message or "") for p in world.seen)


@pytest.mark.parametrize("direction", list(Direction))
def test_the_value_is_reached_from_the_side_that_is_worse(direction):
    rules = Stopping(spec_of(stop=StopSpec(value=0.5), direction=direction), study_of(direction=direction))
    worse, better = (0.7, 0.3) if direction is Direction.MINIMIZE else (0.3, 0.7)

    rules.finished([complete(0, worse)])
    before = rules.check()
    rules.finished([complete(2, better), complete(1, 0.5)])

    assert before is None
    assert rules.check().counted == 2


# On a plateau


@pytest.mark.parametrize(("workers", "max_lanes"), CUTS)
def test_a_plateau_ends_the_study_at_the_same_trial_on_any_number_of_workers(
    make_world, whole, workers, max_lanes
):
    patience = 12
    last = next(n for n in itertools.count() if n - best_of(whole[: n + 1]) >= patience)
    world = make_world(spec_of(trials=200, stop=StopSpec(plateau={"trials": patience})))

    study = world.run(workers=workers, max_lanes=max_lanes)

    best = best_of(whole[: last + 1])
    assert (study.state, study.counted) == (StudyState.COMPLETED, last + 1)
    assert study.reason.startswith(f"stop.plateau: {patience} trials after trial {best} brought no better")
    assert study.test["number"] == best == last - patience


def test_a_study_that_has_no_value_yet_is_not_on_a_plateau():
    rules = Stopping(spec_of(stop=StopSpec(plateau={"trials": 2})), study_of())

    rules.finished(failed(number) for number in range(10))
    before = rules.check()
    rules.finished([complete(10, 0.5), complete(11, 0.5), complete(12, 0.5)])

    assert before is None
    assert rules.check().counted == 13


def by_hand(values, patience, goal):
    """After which number a study ends, told of its trials in order: the rule as its sentence has it."""
    best = best_number = None
    for number, value in enumerate(values):
        if value is not None and (best is None or value < best):
            best, best_number = value, number
        reached = value is not None and value <= goal
        if reached or (best_number is not None and number - best_number >= patience):
            return number
    return None


@given(
    st.lists(st.none() | st.integers(1, 9).map(float), max_size=40),
    st.integers(1, 6),
    st.integers(0, 3),
    st.data(),
)
def test_the_order_in_which_trials_end_changes_nothing(values, patience, goal, data):
    results = [failed(n) if v is None else complete(n, v) for n, v in enumerate(values)]
    rules = Stopping(spec_of(stop=StopSpec(value=goal, plateau={"trials": patience})), study_of())

    for result in data.draw(st.permutations(results)):
        rules.finished([result])

    verdict, last = rules.check(), by_hand(values, patience, goal)
    assert (None if verdict is None else verdict.counted) == (None if last is None else last + 1)


def test_a_pruned_or_infeasible_trial_never_fulfils_a_rule():
    rules = Stopping(spec_of(stop=StopSpec(value=0.5)), study_of())

    rules.finished(
        [
            TrialResult(number=0, state=TrialState.PRUNED, reason="halving@3", value=0.1),
            TrialResult(number=1, state=TrialState.COMPLETE, value=0.1, feasible=False),
            complete(2, math.inf),
        ]
    )

    assert rules.check() is None


# Going on


def test_after_a_resume_only_new_trials_can_fulfil_the_rule(make_world, whole):
    goal = sorted(whole)[6]
    first = first_below(whole, goal)
    world = make_world(spec_of(trials=200, stop=StopSpec(value=goal)))
    stopped = world.run(workers=2, max_lanes=4)
    world.storage.move_study("small", StudyState.QUEUED)

    study = world.run(workers=2, max_lanes=4)

    second = stopped.n_planned + first_below(whole[stopped.n_planned :], goal)
    assert stopped.counted == first + 1
    assert (study.state, study.counted) == (StudyState.COMPLETED, second + 1)
    assert study.reason.startswith(f"stop.value {goal:g} reached by trial {second}")


def test_a_plateau_is_counted_from_the_resume_on(make_world, whole):
    patience = 12
    world = make_world(spec_of(trials=200, stop=StopSpec(plateau={"trials": patience})))
    stopped = world.run(workers=1, max_lanes=4)
    world.storage.move_study("small", StudyState.QUEUED)

    study = world.run(workers=3, max_lanes=8)

    values = [math.inf if t.value is None else t.value for t in world.trials()]
    since = stopped.n_planned
    last = next(n for n in itertools.count(since) if n - max(best_of(values[: n + 1]), since - 1) >= patience)
    assert (study.state, study.counted) == (StudyState.COMPLETED, last + 1)


@pytest.mark.parametrize("after", [1, 3, 9, 20, 40])
def test_a_coordinator_that_takes_over_comes_to_the_same_end(make_world, whole, after):
    goal = sorted(whole)[2]
    last = first_below(whole, goal)
    world = make_world(spec_of(trials=200, stop=StopSpec(value=goal)))

    class Dies(Exception):
        """The coordinator's process is gone."""

    polls = itertools.count()

    def die():
        if next(polls) == after:
            raise Dies

    try:
        study = world.run(workers=2, max_lanes=4, each_poll=die)
    except Dies:
        left = world.storage.get_study("small")
        study = world.run(workers=3, max_lanes=8, dead=left.driver)

    assert (study.state, study.counted) == (StudyState.COMPLETED, last + 1)
    assert study.reason == f"stop.value {goal:g} reached by trial {last}; later trials do not count"
    assert study.test["number"] == best_of(whole[: last + 1])


# Time


class Clock:
    """Seconds, as tests move them."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_when_time_is_over_the_running_end_with_their_best_so_far(make_world):
    clock = Clock()
    world = make_world(spec_of(trials=100, epochs=10, limits=Limits(wall_time="10m")))

    def pass_time():
        clock.now += 50.0

    study = world.run(workers=2, max_lanes=20, each_poll=pass_time, clock=clock)

    states = Counter((t.state, t.reason) for t in world.trials())
    pruned = world.trials(TrialState.PRUNED)
    assert (study.state, study.counted) == (StudyState.COMPLETED, None)
    assert study.reason == "limits.wall_time 10m is over"
    assert any("the running ones end with their best so far" in (p.message or "") for p in world.seen)
    assert set(states) == {
        (TrialState.COMPLETE, None),
        (TrialState.PRUNED, "wall_time@3"),
        (TrialState.FAIL, "cancelled"),
    }
    first, second, third, fourth, _ = world.pools[0].submitted
    assert {t.number for t in pruned} == {*third.numbers, *fourth.numbers}
    assert {t.number for t in world.trials(TrialState.COMPLETE)} == {*first.numbers, *second.numbers}
    assert all(t.value is not None and t.epochs == 3 for t in pruned)
    assert study.test["number"] == min(world.trials(TrialState.COMPLETE), key=lambda t: t.value).number


@pytest.mark.parametrize("max_lanes", [4, 64])
def test_brackets_that_wait_for_their_judgement_end_too_when_time_is_over(make_world, max_lanes):
    clock = Clock()
    halving = PrunerSpec(name="halving", min_epochs=2, factor=3, bracket=16)
    world = make_world(spec_of(trials=64, epochs=20, pruner=halving, limits=Limits(wall_time="10m")))

    def pass_time():
        clock.now += 80.0

    study = world.run(workers=2, max_lanes=max_lanes, each_poll=pass_time, clock=clock)

    reasons = {(t.reason or "").split("@")[0] for t in world.trials(TrialState.PRUNED)}
    assert study.reason.endswith("limits.wall_time 10m is over")
    assert not study.counts[TrialState.RUNNING]
    assert "wall_time" in reasons
    assert reasons <= {"wall_time", "halving"}
    assert all(t.value is not None for t in world.trials(TrialState.PRUNED))


def test_time_in_running_is_counted_over_drivers(make_world):
    world = make_world(spec_of(trials=100, epochs=10, limits=Limits(wall_time=60)))
    spent = study_of(seconds=59.0)

    rules = Stopping(world.job.spec, spent, clock=(clock := Clock()))
    before = rules.check()
    clock.now = 1.0

    assert before is None
    assert rules.check().reason == "limits.wall_time 60 s is over"


def test_a_study_without_any_complete_trial_when_time_is_over_has_failed(make_world):
    clock = Clock()
    world = make_world(spec_of(trials=8, epochs=10, limits=Limits(wall_time="1s")))

    def pass_time():
        clock.now += 1.0

    study = world.run(max_lanes=4, each_poll=pass_time, clock=clock)

    assert study.state is StudyState.FAILED
    assert study.reason == "not one trial is complete: 8 wall_time; limits.wall_time 1s is over"


# Failures


def test_too_many_failures_end_the_study_failed_with_one_sentence(make_world):
    world = make_world(spec_of(trials=100, limits=Limits(max_failed=7, retries=0)))
    faults = [Fault(submission=0, reason="error"), Fault(submission=2, reason="lost")]

    study = world.run(workers=1, max_lanes=4, faults=faults)

    assert study.state is StudyState.FAILED
    assert study.reason == "8 trials have failed (4 error, 4 lost), and limits.max_failed allows 7"
    assert not study.counts[TrialState.RUNNING]
    assert study.counts[TrialState.COMPLETE] == 4


def test_exactly_as_many_failures_as_allowed_are_no_end(make_world):
    world = make_world(spec_of(trials=40, limits=Limits(max_failed=4, retries=0)))

    study = world.run(workers=1, max_lanes=4, faults=[Fault(submission=1, reason="error")])

    assert (study.state, study.reason) == (StudyState.COMPLETED, None)


def test_diverged_pruned_and_cancelled_trials_are_no_failures(make_world):
    space = space_of({"learning_rate": Choice(choices=(0.1, 50.0))})
    world = make_world(spec_of(trials=20, space=space, limits=Limits(max_failed=0)))

    study = world.run()

    assert study.counts[TrialState.FAIL] > 0
    assert study.state is StudyState.COMPLETED


def test_failures_before_a_resume_are_forgiven():
    rules = Stopping(spec_of(limits=Limits(max_failed=0)), study_of(since=5))

    rules.finished([failed(4)])
    before = rules.check()
    rules.finished([failed(5)])

    assert before is None
    with pytest.raises(StudyFailed, match=r"1 trial has failed \(1 error\)"):
        rules.check()


# Trials at once


@pytest.mark.parametrize("parallel", [1, 3, 8, 1000])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_no_more_trials_train_at_once_than_the_limit_and_results_are_the_same(make_world, parallel, workers):
    space = space_of({"learning_rate": LEARNING_RATE, "hidden_units": Choice(choices=(8, 16, 23))})
    spec = spec_of(trials=60, space=space)
    reference = make_world(spec)
    reference.run()
    world = make_world(spec_of(trials=60, space=space, limits=Limits(parallel=parallel)))
    most = []

    def look():
        running = world.pools[0]._running.values()
        most.append(sum(len(r.task.numbers) - len(r.done) for r in running))

    study = world.run(workers=workers, each_poll=look)

    assert study.state is StudyState.COMPLETED
    assert max(most) <= parallel
    assert max(most) >= min(parallel // 2, 20)
    assert world.bits() == reference.bits()


def complete(number, value):
    return TrialResult(number=number, state=TrialState.COMPLETE, value=value)


def failed(number):
    return TrialResult(number=number, state=TrialState.FAIL, reason="error")
