"""How a trial's curve becomes its result."""

import math
from dataclasses import replace

import pytest

from hpo.dataset import Task
from hpo.fused.stopping import Progress, thin
from hpo.states import TrialState
from hpo.study import Direction
from hpo.training import settings_of

SETTINGS = settings_of({"epochs": 100}, task=Task.CLASSIFICATION, n_classes=2)[1]


def trial(direction=Direction.MAXIMIZE, **settings):
    return Progress(
        number=3,
        settings=replace(SETTINGS, **settings),
        direction=direction,
        columns=("train_loss", "validation_x"),
    )


def feed(progress, values):
    """Record epochs, one lane or a list of lanes each; results as they came."""
    results = []
    for value in values:
        lanes = value if isinstance(value, list) else [value]
        progress.record([[0.0, v] for v in lanes], lanes)
        results.append(progress.ended())
    return results


def test_the_best_epoch_is_the_first_with_the_best_value():
    progress = trial(epochs=4)

    result = feed(progress, [0.5, 0.8, 0.8, 0.1])[-1]

    assert (result.state, result.value, result.best_epoch, result.epochs) == (TrialState.COMPLETE, 0.8, 2, 4)
    assert result.reason is None
    assert result.stderr is None


def test_small_is_good_when_minimizing():
    assert feed(trial(Direction.MINIMIZE, epochs=3), [0.5, 0.2, 0.9])[-1].value == 0.2


def test_value_is_the_mean_over_lanes_with_its_standard_error():
    result = feed(trial(epochs=2), [[0.1, 0.3], [0.5, 0.9]])[-1]

    assert result.value == pytest.approx(0.7)
    assert result.stderr == pytest.approx(math.sqrt(0.08) / math.sqrt(2))
    assert result.curve.column("validation_x") == pytest.approx([0.2, 0.7])


def test_patience_counts_epochs_since_the_last_better_value():
    results = feed(trial(patience=2), [0.5, 0.6, 0.6, 0.55])

    assert results[:3] == [None, None, None]
    assert (results[3].reason, results[3].value, results[3].best_epoch) == ("stopped_early@4", 0.6, 2)


def test_a_gain_below_min_delta_is_the_best_value_but_no_reason_to_go_on():
    results = feed(trial(patience=2, min_delta=0.1), [0.5, 0.55, 0.58])

    assert (results[2].reason, results[2].value, results[2].best_epoch) == ("stopped_early@3", 0.58, 3)


def test_many_small_gains_together_are_more_than_min_delta():
    assert feed(trial(patience=2, min_delta=0.1), [0.5, 0.55, 0.61, 0.62])[-1] is None


def test_the_last_epoch_is_no_early_stop():
    assert feed(trial(patience=1, epochs=2), [0.5, 0.4])[-1].reason is None


def test_a_diverged_trial_fails_without_a_value():
    progress = trial()
    feed(progress, [0.5, 0.9, math.nan])

    result = progress.diverged("fail")

    assert (result.state, result.reason, result.value) == (TrialState.FAIL, "diverged@3", None)


def test_on_diverged_worst_gives_the_worst_value_it_had():
    progress = trial()
    feed(progress, [0.5, 0.4, 0.9, math.nan])

    result = progress.diverged("worst")

    assert (result.state, result.reason, result.value) == (TrialState.COMPLETE, "diverged@4", 0.4)


def test_on_diverged_worst_without_any_value_still_fails():
    progress = trial()
    feed(progress, [math.nan])

    assert progress.diverged("worst").state is TrialState.FAIL


def test_a_trial_that_never_had_a_finite_value_fails():
    result = feed(trial(epochs=2), [math.inf, math.nan])[-1]

    assert (result.state, result.reason) == (TrialState.FAIL, "diverged@2")


@pytest.mark.parametrize("n", [1, 19, 20, 21, 57, 1000])
def test_steps_are_at_most_twenty_points_of_the_curve(n):
    values = [float(i) for i in range(1, n + 1)]

    steps = thin(values)

    assert len(steps) == min(n, 20)
    assert all(value == epoch for epoch, value in steps.items())
    assert {1, n} <= set(steps)
