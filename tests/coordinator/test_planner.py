"""Planning: settings, groups, cohorts, estimates."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.coordinator.capacity import Machine, lane_bytes, shape_of, trials_that_pay
from hpo.coordinator.planner import Planner, ReadyTrial, Resolver, cut, estimate, group
from hpo.errors import SpecError
from hpo.model import rung_of
from hpo.samplers.registry import make_sampler
from hpo.space import Choice, Fixed, Range, SearchSpace, Value
from hpo.study import EarlyStopping
from hpo.testing.small_jobs import data_of, space_of, spec_of
from hpo.training import SharedSettings
from hpo.trial import TrialPlan

INFO = data_of().info
DIGITS = replace(INFO, n_features=64, classes=tuple("0123456789"), n_train=1149, n_validation=288)
WIDTHS = Range(low=16, high=256, log=True, type="int")
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


def test_trials_of_one_activation_and_optimizer_meet_in_a_cohort():
    kinds = [(activation, optimizer) for activation in ("tanh", "relu") for optimizer in ("sgd", "adam")]
    trials = [
        replace(trial, lane=replace(trial.lane, activation=activation, optimizer=optimizer))
        for trial, (activation, optimizer) in zip(ready(64), kinds * 16, strict=True)
    ]

    parts = Planner(spec_of(), INFO, TWO_CORES, max_lanes=16).cohorts(trials)

    assert [len({(t.lane.activation, t.lane.optimizer) for t in part}) for part in parts] == [1] * 4
    assert all(list(part) == sorted(part, key=lambda trial: trial.number) for part in parts)
    assert sorted(trial.number for part in parts for trial in part) == list(range(64))


def test_trials_that_differ_in_a_shared_value_never_share_a_cohort():
    trials = ready(10, (8,)) + ready(10, (16,), first=10)

    parts = Planner(spec_of(), INFO, TWO_CORES).cohorts(trials)

    assert all(len({trial.shared for trial in part}) == 1 for part in parts)


def resolved(space: SearchSpace, trials: int = 256) -> list[ReadyTrial]:
    """The first trials of a random search of the space on digits."""
    spec = spec_of(trials=trials, space=space)
    resolver = Resolver(spec, DIGITS)
    return [resolver.resolve(plan.number, plan.params) for plan in make_sampler(spec).ask(0, trials)]


@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_range_of_widths_makes_a_cohort_for_each_rung_not_for_each_width(n_layers):
    trials = resolved(space_of({"hidden_units": WIDTHS}, hidden_layers=n_layers))

    n_cohorts = len(Planner(spec_of(), DIGITS, TWO_CORES).cohorts(trials))

    assert {trial.shared.hidden for trial in trials} == {
        (rung_of(trial.lane.hidden[0]),) * n_layers for trial in trials
    }
    assert len({trial.lane.hidden for trial in trials}) > 100
    assert len(group(trials)) == 17  # of the ladder from 16 to 256
    assert n_cohorts < 30


def test_widths_are_padded_by_the_study_file_alone():
    ranged = Resolver(spec_of(space=space_of({"hidden_units": WIDTHS})), INFO)
    listed = Resolver(spec_of(space=space_of({"hidden_units": Choice(choices=(17, 50))})), INFO)

    assert ranged.resolve(0, {"hidden_units": 50}).shared.hidden == (56, 56)
    assert listed.resolve(0, {"hidden_units": 50}).shared.hidden == (50, 50)
    assert ranged.resolve(0, {"hidden_units": 50}).lane == listed.resolve(0, {"hidden_units": 50}).lane


def test_rules_of_widths_read_the_inputs_and_the_training_rows():
    space = space_of(
        {"hidden_units": Choice(choices=("mean", "samples"))}, hidden_layers=1, samples_alpha=2.0
    )
    resolver = Resolver(spec_of(space=space), DIGITS)

    assert resolver.resolve(0, {"hidden_units": "mean"}).lane.hidden == (37,)  # (64 + 10) / 2
    assert resolver.resolve(1, {"hidden_units": "samples"}).lane.hidden == (8,)  # 1149 / (2 * 74)


def test_a_range_that_makes_widths_pads_them_too():
    alpha = Range(low=2.0, high=10.0, type="float")
    space = space_of({"samples_alpha": alpha}, hidden_layers=1, hidden_units="samples")

    assert Resolver(spec_of(space=space), DIGITS).resolve(0, {"samples_alpha": 3.0}).shared.hidden == (8,)
    assert Resolver(spec_of(space=space), DIGITS).resolve(0, {"samples_alpha": 3.0}).lane.hidden == (5,)


def test_pieces_part_only_the_trials_that_have_maxout():
    space = space_of(
        {"activation": Choice(choices=("relu", "tanh", "maxout")), "maxout_pieces": Choice(choices=(2, 3))}
    )

    groups = group(resolved(space))

    assert sorted({(trial.lane.activation, trial.shared.maxout_pieces) for part in groups for trial in part}) == [
        ("maxout", 2), ("maxout", 3), ("relu", 1), ("tanh", 1)
    ]  # fmt: skip
    assert len(groups) == 3


def test_pieces_and_batch_norm_count_in_what_a_cohort_takes():
    def of(**params: Value) -> tuple[int, float]:
        trial = Resolver(spec_of(space=space_of(**params)), DIGITS).resolve(0, {})
        planner = Planner(spec_of(), DIGITS, TWO_CORES)
        return planner.memory_bytes((trial,)), planner.seconds((trial,))

    (plain, quick), (two, slow), (normed, _), (eight, _) = (
        of(**params)
        for params in (
            {"activation": "relu"},
            {"activation": "maxout"},
            {"batch_norm": True},
            {"activation": "maxout", "maxout_pieces": 8},
        )
    )

    assert 1.5 * plain < two < 2 * plain < 6 * plain < eight
    assert plain < normed < 1.5 * plain
    assert slow > quick


def test_a_large_batch_takes_memory_for_every_piece_and_for_what_batch_norm_keeps():
    def of(**more: int) -> int:
        shared = SharedSettings(hidden=(64,), loss="mse", batch_size=10**6, scaling="none", **more)
        return lane_bytes(shared, replace(INFO, n_features=1))

    assert of(maxout_pieces=3) / of() == pytest.approx(3, rel=0.05)
    assert of(batch_norm=True) / of() == pytest.approx(7 / 5, rel=0.05)


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
    parts = Planner(spec_of(trials=256), DIGITS, TWO_CORES).cohorts(ready(256))

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
    assert (
        trials_that_pay(shared, INFO, Machine(n_slots=1, memory_bytes=500 * one, kinds=frozenset({"T4"})))
        == 400
    )
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


def test_the_network_of_a_trial_with_few_components_is_the_smaller_one():
    info = replace(INFO, n_features=50, n_inputs={"pca-5": 7})
    shared = SharedSettings(hidden=(8,), loss="cross_entropy", batch_size=10, scaling="none")

    assert shape_of(shared, info).n_inputs == 50
    assert shape_of(replace(shared, scaling="pca-5"), info).n_inputs == 7
