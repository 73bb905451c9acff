"""Settings that users enqueue: tried first, exactly once, whenever they come and whoever dies."""

import pytest

from hpo.cohort import ScoreTask
from hpo.coordinator.proposals import Proposals
from hpo.samplers.grid import GridSampler
from hpo.samplers.random import RandomSampler
from hpo.states import StudyState, Wanted
from hpo.storage.base import Amendment
from hpo.testing.small_jobs import grid_of, space_of, spec_of
from hpo.trial import Queued
from tests.coordinator.test_crashes import Deadly, Killed

SETTINGS = ({"learning_rate": 0.5, "l2": 1e-3}, {"learning_rate": 0.25, "l2": 1e-4})
GRID = grid_of(6, 5)
WIDE = grid_of(17, 10)  # more than one window of numbers
OFF_GRID = tuple({**setting, "activation": "relu"} for setting in SETTINGS)


def points_of(world):
    """What the sampler itself proposed, in order of number."""
    return [dict(trial.params) for trial in world.trials() if trial.sampled]


def enqueued_of(world):
    return [(trial.number, dict(trial.params)) for trial in world.trials() if not trial.sampled]


def whole_grid(space=GRID):
    sampler = GridSampler(space)
    return [sampler.params(place) for place in range(sampler.size)]


def test_enqueued_settings_take_the_first_numbers_and_change_no_other(make_world):
    world, without = make_world(spec_of(trials=12), enqueue=SETTINGS), make_world(spec_of(trials=12))

    study = world.run()
    without.run()

    assert study.state is StudyState.COMPLETED
    assert enqueued_of(world) == list(enumerate(SETTINGS))
    assert world.bits()[2:] == without.bits()[2:]
    assert world.storage.queue("small") == []


def test_what_a_setting_leaves_out_is_what_random_search_would_have_drawn(make_world):
    spec = spec_of(trials=5)
    world, without = make_world(spec, enqueue=({"l2": 1e-3}, {})), make_world(spec)

    world.run()
    without.run()

    first, second = (trial.params for trial in world.trials()[:2])
    drawn = [trial.params for trial in without.trials()[:2]]
    assert first == {"learning_rate": drawn[0]["learning_rate"], "l2": 1e-3}
    assert second == drawn[1]


@pytest.mark.parametrize("n_before", [0, 2])
@pytest.mark.parametrize("max_lanes", [4, 256])
def test_a_grid_has_every_point_once_with_settings_before_and_between(make_world, n_before, max_lanes):
    spec = spec_of(trials=30 + n_before, epochs=1, space=GRID, sampler="grid")
    world = make_world(spec, enqueue=OFF_GRID[:n_before])

    def later():
        if world.storage.get_study("small").n_trials == 30 + n_before and world.n_finished > 5:
            world.storage.enqueue("small", [(setting, None) for setting in OFF_GRID])

    study = world.run(workers=1, max_lanes=max_lanes, each_poll=later)

    assert (study.state, study.n_trials) == (StudyState.COMPLETED, 32 + n_before)
    assert points_of(world) == whole_grid()
    assert [params for _, params in enqueued_of(world)][n_before:] == list(OFF_GRID)
    assert sorted(world.trained()) == list(range(32 + n_before))


@pytest.mark.parametrize("after", [False, True])
def test_death_at_any_write_neither_loses_nor_doubles_a_setting_or_a_point(make_world, after):
    spec = spec_of(trials=172, epochs=1, space=WIDE, sampler="grid")

    nth = 0
    died = True
    while died:
        world = make_world(spec, enqueue=OFF_GRID)
        late = iter([[(OFF_GRID[0], None)]])

        def later(world=world, late=late):
            if world.n_finished:
                for entries in late:
                    world.storage.enqueue("small", entries)

        try:
            world.run(
                workers=1,
                storage=Deadly(world.storage, nth, after=after),
                max_lanes=16,
                each_poll=later,
            )
            died = False
        except Killed:
            left = world.storage.get_study("small")
            if left.state is not StudyState.COMPLETED:
                world.run(max_lanes=16, dead=left.driver, each_poll=later)
        if world.n_finished < 173:  # it died before anything had finished
            later()
            world.run()

        assert points_of(world) == whole_grid(WIDE), nth
        assert [params for _, params in enqueued_of(world)] == [*OFF_GRID, OFF_GRID[0]], nth
        assert world.storage.queue("small") == [], nth
        nth += 1
    assert nth > 15


def test_a_setting_that_comes_while_the_study_ends_is_trained_all_the_same(make_world):
    world = make_world(spec_of(trials=6))

    def while_scoring():
        scoring = isinstance(world.pools[0].submitted[-1], ScoreTask)
        if scoring and world.storage.get_study("small").n_trials == 6:
            world.storage.enqueue("small", [(SETTINGS[0], None)])

    study = world.run(each_poll=while_scoring)

    assert (study.state, study.n_finished) == (StudyState.COMPLETED, 7)
    assert enqueued_of(world) == [(6, SETTINGS[0])]
    assert study.test["scored"] == 2


def test_trials_that_are_added_while_the_study_ends_are_trained_all_the_same(make_world):
    world = make_world(spec_of(trials=6))

    def while_scoring():
        if isinstance(world.pools[0].submitted[-1], ScoreTask):
            world.storage.amend_study("small", Amendment(n_trials=9))

    study = world.run(each_poll=while_scoring)

    assert (study.state, study.n_finished) == (StudyState.COMPLETED, 9)
    assert study.test["scored"] == 2


def test_a_study_that_is_stopped_leaves_its_queue_for_later(make_world):
    world = make_world(spec_of(trials=200, epochs=20))

    def stop():
        if world.storage.get_study("small").n_trials == 200:
            world.storage.enqueue("small", [(SETTINGS[0], None)])
        world.coordinator.ask(Wanted.STOP)

    study = world.run(max_lanes=4, each_poll=stop)

    assert study.state is StudyState.COMPLETED
    assert [entry.params for entry in world.storage.queue("small")] == [SETTINGS[0]]
    world.storage.move_study("small", StudyState.QUEUED)
    assert world.run().n_finished == 201
    assert [params for _, params in enqueued_of(world)] == [SETTINGS[0]]


def test_more_trials_for_a_running_study_are_noticed(make_world):
    world = make_world(spec_of(trials=6))

    def more():
        if world.storage.get_study("small").n_trials == 6:
            world.storage.set_trials("small", 9)

    study = world.run(each_poll=more)

    assert study.n_finished == 9
    assert world.seen[-1].n_trials == 9


def test_a_retry_says_what_it_is_of(make_world):
    world = make_world(spec_of(trials=3))
    world.run()
    failed = world.trials()[1]
    world.storage.enqueue("small", [(failed.params, 1)])

    world.run()

    again = world.trials()[3]
    assert (again.retry_of, again.params, again.value) == (1, failed.params, failed.value)


def test_settings_that_come_later_go_behind_what_was_proposed_already():
    proposals = Proposals(RandomSampler(0, space_of()), planned=3, total=9)
    before = list(proposals.peek(2))

    proposals.enqueued([Queued(id=7, params=SETTINGS[0], retry_of=1)], total=10)
    plans = proposals.peek(9)

    assert plans[:2] == before
    assert [(plan.number, plan.queued, plan.retry_of) for plan in plans[2:4]] == [(5, 7, 1), (6, None, None)]
    assert len(plans) == 7


def test_a_queue_that_is_read_again_is_not_served_again():
    proposals = Proposals(RandomSampler(0, space_of()), planned=0, total=4)
    queue = [Queued(id=1, params=SETTINGS[0]), Queued(id=4, params=SETTINGS[1])]

    proposals.enqueued(queue[:1], total=4)
    proposals.peek(1)
    proposals.enqueued(queue, total=4)

    assert [plan.queued for plan in proposals.peek(4)] == [1, 4, None, None]


def test_a_sobol_sequence_goes_on_where_it_was_whatever_is_enqueued_and_whoever_dies(make_world):
    spec = spec_of(trials=150, epochs=1, sampler="sobol")
    world, without = make_world(spec, enqueue=SETTINGS), make_world(spec)
    without.run()

    with pytest.raises(Killed):
        world.run(workers=1, storage=Deadly(world.storage, 8, after=True), max_lanes=16)
    left = world.storage.get_study("small")
    assert 0 < left.n_planned < 150
    world.storage.enqueue("small", [(SETTINGS[1], None)])
    world.run(dead=left.driver)

    assert [params for _, params in enqueued_of(world)] == [*SETTINGS, SETTINGS[1]]
    assert points_of(world) == points_of(without)[:148]
