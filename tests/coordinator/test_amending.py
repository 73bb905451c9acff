"""Limits that are changed while a study runs: they hold from the next look on, and no result is another for it."""

import pytest

from hpo.space import Choice
from hpo.states import StudyState, TrialState
from hpo.storage.base import Amendment
from hpo.study import Limits, PrunerSpec
from hpo.testing.simulated_pool import Fault
from hpo.testing.small_jobs import LEARNING_RATE, space_of, spec_of

WIDTHS = space_of({"learning_rate": LEARNING_RATE, "hidden_units": Choice(choices=(8, 16, 23))})


class Patch:
    """Changes limits at one poll, and sees at every poll how many trials train.

    before: tasks that were given to workers until the change was heard; most: trials that trained beside a later one
    """

    def __init__(self, world, at=1, **limits):
        self.world, self.at, self.limits = world, at, limits
        self.n_polls, self.before, self.most = 0, frozenset(), 0

    def __call__(self):
        running = self.world.pools[-1]._running
        self.n_polls += 1
        if self.n_polls == self.at:
            self.world.storage.amend_study("small", Amendment(limits=self.limits))
        if self.n_polls == self.at + 1:
            self.before = frozenset(running)
        if self.n_polls > self.at and set(running) - self.before:
            living = sum(len(r.task.numbers) - len(r.done) for r in running.values())
            self.most = max(self.most, living)


def undisturbed(make_world, **columns):
    world = make_world(spec_of(**columns))
    world.run()
    return world.bits()


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("parallel", [1, 5])
def test_fewer_at_once(make_world, workers, parallel):
    world = make_world(spec_of(trials=150, space=WIDTHS))
    patch = Patch(world, parallel=parallel)

    study = world.run(workers=workers, each_poll=patch)

    assert study.state is StudyState.COMPLETED
    assert 1 <= patch.most <= parallel
    assert world.bits() == undisturbed(make_world, trials=150, space=WIDTHS)


@pytest.mark.parametrize("limits", [{"parallel": 40}, {"retries": 2}])
def test_more_at_once(make_world, limits):
    world = make_world(spec_of(trials=150, space=WIDTHS, limits=Limits(parallel=2)))
    patch = Patch(world, **limits)

    world.run(workers=2, each_poll=patch)

    assert 10 <= patch.most <= limits.get("parallel", 150)
    assert world.bits() == undisturbed(make_world, trials=150, space=WIDTHS)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("at", [1, 2, 7])
def test_fewer_at_once_among_brackets(make_world, workers, at):
    halving = PrunerSpec(name="halving", min_epochs=1, factor=2, bracket=16)
    world = make_world(spec_of(trials=256, epochs=8, pruner=halving))
    patch = Patch(world, at=at, parallel=5)

    study = world.run(workers=workers, each_poll=patch)

    assert study.state is StudyState.COMPLETED
    assert 1 <= patch.most <= 5
    assert world.bits() == undisturbed(make_world, trials=256, epochs=8, pruner=halving)


def test_failures_that_are_no_longer_allowed_end_it(make_world):
    world = make_world(spec_of(trials=100))

    study = world.run(
        workers=1,
        max_lanes=4,
        faults=[Fault(submission=0, reason="error")],
        each_poll=Patch(world, at=6, max_failed=3),
    )

    assert study.state is StudyState.FAILED
    assert study.reason == "4 trials have failed (4 error), and limits.max_failed allows 3"
    assert 4 <= study.counts[TrialState.COMPLETE] < 100


def test_failures_that_are_allowed_after_all_do_not(make_world):
    world = make_world(spec_of(trials=40, limits=Limits(max_failed=3)))

    study = world.run(
        workers=1,
        max_lanes=4,
        faults=[Fault(submission=2, reason="error")],
        each_poll=Patch(world, max_failed=4),
    )

    assert (study.state, study.counts[TrialState.FAIL]) == (StudyState.COMPLETED, 4)


@pytest.mark.parametrize(("given", "changed", "n_lost"), [(2, 0, 4), (0, 5, 0)])
def test_a_lost_cohort_is_trained_again_as_often_as_is_said_now(make_world, given, changed, n_lost):
    world = make_world(spec_of(trials=12, limits=Limits(retries=given)))
    lost = [Fault(submission=n, epoch=3) for n in range(given or changed)]

    world.run(workers=1, max_lanes=4, faults=lost, each_poll=Patch(world, retries=changed))

    ended = [t.reason for t in world.trials() if t.number < 4]
    assert ended == ["lost"] * n_lost + [None] * (4 - n_lost)
