"""Counts, the best trial, rates."""

import math
from dataclasses import dataclass

import pytest

from hpo.coordinator.tally import Tally
from hpo.front import is_better
from hpo.states import StudyState, TrialState, Wanted
from hpo.study import Direction, Study
from hpo.trial import TrialResult


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def study(direction: Direction = Direction.MAXIMIZE) -> Study:
    nothing = dict.fromkeys(
        ("reason", "owner", "driver", "lease_left_s", "test", "created_at", "started_at", "finished_at")
    )
    empty = {name: {} for name in ("spec", "data", "labels", "versions")}
    return Study(
        id=1,
        name="s",
        state=StudyState.RUNNING,
        wanted=Wanted.NOTHING,
        direction=direction,
        metric="accuracy",
        n_trials=100,
        counts={TrialState.COMPLETE: 10},
        folder="",
        priority=0,
        seconds=7.0,
        **nothing,
        **empty,
    )


def complete(number: int, value: float) -> TrialResult:
    return TrialResult(number=number, state=TrialState.COMPLETE, value=value)


def test_the_best_is_the_lowest_number_of_the_best_value_and_never_nan_or_pruned():
    tally = Tally(study(), None, lambda progress: None)
    tally.planned(6)

    tally.finished([complete(9, 0.5), complete(3, 0.5), complete(4, 0.5), complete(5, math.nan)])
    tally.finished([complete(6, math.inf), TrialResult(number=7, state=TrialState.PRUNED, value=0.9)])

    assert tally.best == (0.5, 3)


def test_small_is_good_when_minimizing():
    assert is_better(Direction.MINIMIZE, (0.1, 5), (0.2, 1))
    assert not is_better(Direction.MINIMIZE, (-math.inf, 5), (0.2, 1))


def test_what_is_shown_adds_up_and_comes_ten_times_a_second_at_most():
    clock, seen = Clock(), []
    tally = Tally(study(), None, seen.append, clock)
    tally.planned(20)
    tally.show(StudyState.RUNNING)
    for _ in range(40):
        clock.now += 0.05
        tally.show(StudyState.RUNNING, n_slots=2, n_busy=1)
    tally.trained(1000)
    tally.finished(complete(i, float(i)) for i in range(20))
    tally.trained(3000)
    clock.now += 2.0
    tally.show(StudyState.RUNNING)

    last = seen[-1]
    assert len(seen) <= 22
    assert (last.counts[TrialState.COMPLETE], last.counts[TrialState.RUNNING], last.n_finished) == (30, 0, 30)
    assert (last.trials_per_s, last.model_steps_per_s) == pytest.approx((10.0, 2000.0))
    assert last.seconds_left == pytest.approx(70 / 10.0)
    assert last.seconds == pytest.approx(7.0 + 4.0)


def test_there_is_no_time_left_before_a_trial_has_ended_and_then_it_follows_from_the_rate():
    clock, seen = Clock(), []
    tally = Tally(study(), None, seen.append, clock)  # 10 of its 100 trials have ended
    tally.planned(20)
    tally.trained(100)
    for at, n in ((104.0, 0), (110.0, 5), (115.0, 15)):
        clock.now = at
        tally.finished(complete(i, 0.5) for i in range(n))
        tally.show(StudyState.RUNNING)

    # by hand: 0 in 4 s; 5 in 10 s with 85 left; 20 in 15 s with 70 left
    assert [one.trials_per_s for one in seen] == pytest.approx([0.0, 0.5, 20 / 15])
    assert [one.seconds_left for one in seen] == [None, pytest.approx(170.0), pytest.approx(52.5)]
