"""Planning: settings, groups, cohorts, estimates."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.coordinator.capacity import Machine, lane_bytes, trials_that_pay
from hpo.coordinator.planner import Planner, ReadyTrial, Resolver, cut, estimate
from hpo.errors import SpecError
from hpo.space import Choice, Fixed, Range
from hpo.study import EarlyStopping
from hpo.testing.small_jobs import data_of, space_of, spec_of
from hpo.training import SharedSettings
from hpo.trial import TrialPlan

INFO = data_of().info
TWO_CORES = Machine(n_slots=2, memory_bytes=2**30)


def ready(n: int, hidden: tuple[int, ...] = (64, 64), first: int = 0) -> list[ReadyTrial]:
    resolver = Resolver(spec_of(), INFO)
    trials = [resolver.resolve(first + i, {"learning_rate": 0.01, "l2": 0.0}) for i in range(n)]
    return [replace(trial, shared=replace(trial.shared, hidden=hidden)) for trial in trials]


def test_searched_values_win_over_the_studys_own_and_fixed_ones_are_there():
    spec = spec_of(
        epochs=7, space=space_of(dropout=0.5), early_stopping=EarlyStopping(patience=4, min_delta=0.1)
    )

    trial = Resolver(spec, INFO).resolve(3, {"learning_rate": 0.25, "l2": 0.0, "epochs": 9})

    assert (trial.lane.learning_rate, trial.lane.dropout) == (0.25, 0.5)
    assert (trial.lane.epochs, trial.lane.patience, trial.lane.min_delta) == (9, 4, 0.1)


def test_a_fixed_value_counts_only_where_its_condition_holds():
    space = space_of(
        {
            "optimizer": Choice(choices=("sgd", "momentum")),
            "momentum": Fixed(value=0.5, when={"optimizer": ("momentum",)}),
        }
    )
    resolver = Resolver(spec_of(space=space), INFO)

    assert resolver.resolve(0, {"optimizer": "momentum"}).lane.momentum == 0.5
    assert resolver.resolve(1, {"optimizer": "sgd"}).lane.momentum == 0.0


def test_trials_that_differ_in_a_shared_value_never_share_a_cohort():
    trials = ready(10, (8,)) + ready(10, (16,), first=10)

    parts = Planner(spec_of(), INFO, TWO_CORES).cohorts(trials)

    assert all(len({trial.shared for trial in part}) == 1 for part in parts)


@settings(deadline=None, max_examples=100)
@given(
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=5),
    slots=st.integers(1, 9),
    max_lanes=st.none() | st.integers(1, 300),
    repeats=st.integers(1, 4),
)
def test_every_trial_is_in_exactly_one_cohort_in_order_and_none_is_too_wide(sizes, slots, max_lanes, repeats):
    trials: list[ReadyTrial] = []
    for width, n in enumerate(sizes, start=1):
        trials += ready(n, (width,), first=len(trials))
    planner = Planner(
        spec_of(repeats=repeats), INFO, Machine(n_slots=slots, memory_bytes=2**30), max_lanes=max_lanes
    )

    parts = planner.cohorts(trials)

    assert sorted(trial.number for part in parts for trial in part) == list(range(len(trials)))
    for part in parts:
        assert [t.number for t in part] == sorted(t.number for t in part)
        assert len(part) == 1 or len(part) * repeats <= (max_lanes or 10**9)


def test_256_digits_trials_on_two_slots_make_eight_cohorts_of_32():
    info = replace(INFO, n_features=64, classes=tuple("0123456789"), n_train=1149, n_validation=288)

    parts = Planner(spec_of(trials=256), info, TWO_CORES).cohorts(ready(256))

    assert [len(part) for part in parts] == [32] * 8


def test_few_trials_are_spread_over_all_slots():
    parts = Planner(spec_of(), INFO, Machine(n_slots=4, memory_bytes=2**30)).cohorts(ready(10))

    assert sorted(len(part) for part in parts) == [2, 2, 3, 3]


def test_large_networks_get_narrow_cohorts_and_tiny_ones_wide_ones():
    def trials(hidden: tuple[int, ...], features: int) -> int:
        shared = SharedSettings(hidden=hidden, loss="cross_entropy", batch_size=64, scaling="none")
        info = replace(INFO, n_features=features, classes=tuple("0123456789"))
        return trials_that_pay(shared, info, Machine(n_slots=2, memory_bytes=2**34))

    assert 4 <= trials((128,), 784) <= 8
    assert 32 <= trials((64, 64), 64) <= 48
    assert trials((8,), 7) > 100


def test_a_cohort_fits_into_the_memory_of_a_slot():
    shared = SharedSettings(hidden=(64, 64), loss="cross_entropy", batch_size=64, scaling="none")
    one = lane_bytes(shared, INFO)

    assert trials_that_pay(shared, INFO, Machine(n_slots=1, memory_bytes=10 * one)) == 8
    assert trials_that_pay(shared, INFO, Machine(n_slots=1, memory_bytes=500 * one, gpu=True)) == 400
    assert trials_that_pay(shared, INFO, Machine(n_slots=1, memory_bytes=1)) == 1


@given(n=st.integers(1, 500), parts=st.integers(1, 20))
def test_a_cut_is_even_and_loses_nothing(n, parts):
    pieces = cut(range(n), min(n, parts))

    assert [i for piece in pieces for i in piece] == list(range(n))
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


def test_a_longer_study_is_estimated_from_its_first_trials():
    spec = spec_of(trials=1000, repeats=3)
    plans = [TrialPlan(number=i, params={"learning_rate": 0.01, "l2": 0.0}) for i in range(100)]

    estimated = estimate(spec, INFO, plans, TWO_CORES)
    tenth = estimate(spec, INFO, plans, TWO_CORES, n_trials=100)

    assert (estimated.n_trials, estimated.n_lanes) == (1000, 3000)
    assert estimated.flops == pytest.approx(10 * tenth.flops)
    assert estimated.seconds == pytest.approx(10 * tenth.seconds)
    # 3 epochs, 18 rows and a third of 6, 6 operations for each weight of 4-64-64-3, by hand
    assert tenth.flops == pytest.approx(300 * 3 * 20 * 6 * (4 * 64 + 64 * 64 + 64 * 3))


def test_settings_that_do_not_fit_are_an_error_with_its_place():
    spec = spec_of(space=space_of({"learning_rate": Range(low=0.1, high=1.0)}, loss="mse"))

    with pytest.raises(SpecError, match="mse does not fit classification") as caught:
        estimate(spec, INFO, [TrialPlan(number=0, params={"learning_rate": 0.5})], TWO_CORES)

    assert caught.value.field == "parameters.loss"
