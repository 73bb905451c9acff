"""How wide cohorts become: while it pays on a GPU, and never again what memory has refused."""

from hypothesis import given
from hypothesis import strategies as st

from hpo.coordinator.saturation import FIRST_LANES_GPU, MOST_LANES_GPU, STILL_PAYS, Saturation, Widths
from hpo.training import SharedSettings

NET = SharedSettings(hidden=(64,), loss="mse", batch_size=64, scaling="none")
OTHER = SharedSettings(hidden=(32,), loss="mse", batch_size=64, scaling="none")


def grown(rate_of, rounds: int = 12) -> Saturation:
    """After training full cohorts on a device that does rate_of(lanes) steps a second."""
    found = Saturation(gpu=True)
    for _ in range(rounds):
        lanes = found.lanes(NET)
        found.trained(NET, lanes=lanes, lane_steps=1000, seconds=1000 / rate_of(lanes))
    return found


def test_cohorts_widen_until_the_device_is_full():
    assert grown(lambda lanes: min(lanes, 1024)).lanes(NET) == 1024
    assert grown(lambda lanes: lanes).lanes(NET) == MOST_LANES_GPU
    assert grown(lambda lanes: 100.0).lanes(NET) == FIRST_LANES_GPU


def test_one_network_says_nothing_about_another():
    assert grown(lambda lanes: lanes).lanes(OTHER) == FIRST_LANES_GPU


def test_a_cohort_that_is_not_full_says_nothing():
    found = Saturation(gpu=True)

    found.trained(NET, lanes=100, lane_steps=10**6, seconds=1.0)

    assert found.lanes(NET) == FIRST_LANES_GPU


def test_a_cpu_is_not_widened_but_heeds_its_memory():
    found = Saturation(gpu=False)
    found.trained(NET, lanes=512, lane_steps=1000, seconds=1.0)
    before = found.lanes(NET)

    found.refused(NET, lanes=200)

    assert (before, found.lanes(NET)) == (MOST_LANES_GPU, 100)


@given(st.lists(st.tuples(st.booleans(), st.floats(1.0, 1e9))), st.integers(1, 5000))
def test_what_memory_refused_is_never_tried_again(events, refused):
    found = Saturation(gpu=True)
    found.refused(NET, lanes=refused)
    for worse, rate in events:
        lanes = found.lanes(NET)
        assert 1 <= lanes <= max(1, refused // 2)
        if worse:
            refused = min(refused, lanes)
            found.refused(NET, lanes=lanes)
        else:
            found.trained(NET, lanes=lanes, lane_steps=1000, seconds=1000 / rate * STILL_PAYS)


def test_each_kind_of_device_learns_for_itself_and_the_weakest_there_counts():
    widths = Widths()
    for _ in range(6):
        lanes = widths.of("H100").lanes(NET)
        widths.of("H100").trained(NET, lanes=lanes, lane_steps=lanes, seconds=1.0)
    widths.refused(["T4"], NET, lanes=600, there=["T4", "H100"])

    assert widths.lanes(NET, ["H100"]) == MOST_LANES_GPU
    assert widths.lanes(NET, ["T4", "H100"]) == widths.lanes(NET, ["T4"]) == 300
    assert widths.lanes(OTHER, ["T4", "H100"]) == FIRST_LANES_GPU


def test_a_refusal_by_nobody_knows_which_device_makes_all_careful():
    widths = Widths()

    widths.refused([], NET, lanes=600, there=["T4", "H100"])

    assert widths.lanes(NET, ["H100"]) == widths.lanes(NET, ["T4"]) == 300
    assert widths.lanes(NET, ["B200"]) == FIRST_LANES_GPU
