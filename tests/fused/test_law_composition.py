"""Laws 2 and 3 as properties: hypothesis chooses the cohort, the company, the order, who turns NaN and who is dropped."""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.cohort import CohortTask
from hpo.fused.trainer import Trainer
from hpo.testing.lanes import assert_same_bits, train_lanes, weights_of
from tests.fused.test_law_neighbours import any_cohort

N_TRIALS = 8

# The fixture that prepares the process does so once, which is right for every example.
some = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
seeds = st.integers(0, 10**6)
numbers = st.lists(st.integers(0, N_TRIALS - 1), min_size=1, max_size=N_TRIALS, unique=True)


def in_this_order(task: CohortTask, chosen: list[int]) -> CohortTask:
    """The task with these trials only, standing in this order."""
    return replace(task, lanes=tuple(lane for n in chosen for lane in task.lanes if lane.number == n))


def wild(task: CohortTask, chosen: set[int]) -> CohortTask:
    """The task with rates for these trials at which nothing stays finite."""
    return replace(
        task,
        lanes=tuple(
            replace(lane, settings=replace(lane.settings, learning_rate=1e30, schedule="constant"))
            if lane.number in chosen
            else lane
            for lane in task.lanes
        ),
    )


@some
@given(seed=seeds, chosen=numbers)
def test_any_subset_in_any_order_trains_to_the_same_bits(seed, chosen):
    task, data = any_cohort(Random(seed), N_TRIALS)

    together, apart = (
        train_lanes(task, data, epochs=2),
        train_lanes(in_this_order(task, chosen), data, epochs=2),
    )

    for key, weights in apart.items():
        assert_same_bits(weights, together[key], (task.shared, chosen))


@some
@given(seed=seeds, mad=st.sets(st.integers(0, N_TRIALS - 1), min_size=1, max_size=N_TRIALS - 1))
def test_lanes_that_turn_nan_leave_all_others_as_they_are(seed, mad):
    task, data = any_cohort(Random(seed), N_TRIALS)

    calm, beside = train_lanes(task, data, epochs=2), train_lanes(wild(task, mad), data, epochs=2)

    for key, weights in calm.items():
        if key[0] not in mad:
            assert_same_bits(beside[key], weights, (task.shared, mad))


@some
@given(seed=seeds, left=st.lists(numbers, min_size=1, max_size=3))
def test_lanes_that_are_dropped_on_the_way_leave_all_others_as_they_are(seed, left):
    task, data = any_cohort(Random(seed), N_TRIALS)
    whole = train_lanes(task, data, epochs=1 + len(left))
    groups = Trainer(task, data).groups

    for epoch, chosen in enumerate((*left, None), 1):
        for group in groups:
            group.train_epoch(epoch)
            if chosen is not None:
                group.keep([place for place, lane in enumerate(group.lanes) if lane.number in chosen])
        groups = [group for group in groups if group.lanes]

    for key, weights in weights_of(groups).items():
        assert_same_bits(weights, whole[key], (task.shared, left))
