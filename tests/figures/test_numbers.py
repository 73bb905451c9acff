"""The numbers of single figures, against cases made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from hpo.figures import (
    curves,
    history,
    importance,
    lineage,
    parallel,
    pareto,
    rounds,
    scatter,
    surface,
    timeline,
)  # fmt: skip
from hpo.figures.columns import Box, Boxes, Curves, Heirs, Objective, Pairs, Plane, Shares, Spans, Trials
from hpo.space import Choice, Range
from hpo.study import Direction

ACCURACY = Objective(metric="accuracy", direction=Direction.MAXIMIZE)
RMSE = Objective(metric="rmse", direction=Direction.MINIMIZE)
NAN = float("nan")


def trials_of(values, states=None, feasible=None):
    values = np.array(values, dtype=float)
    return Trials(
        objectives=(ACCURACY, RMSE)[: values.shape[1]],
        numbers=np.arange(len(values)),
        states=states or ["COMPLETE"] * len(values),
        values=values,
        feasible=feasible,
    )


def test_a_pruned_or_infeasible_trial_is_drawn_but_never_the_best():
    record = history.data(
        trials_of(
            [[0.5], [0.9], [0.8], [0.6], [0.7]],
            ["COMPLETE", "PRUNED", "COMPLETE", "COMPLETE", "FAIL"],
            np.array([True, True, False, True, True]),
        )
    )

    assert record.numbers.tolist() == [0, 1, 2, 3]
    assert record.counted.tolist() == [True, False, False, True]
    assert (record.best_numbers.tolist(), record.best_values.tolist()) == ([0, 3, 4], [0.5, 0.6, 0.6])


def test_of_equal_trials_the_one_with_the_lowest_number_is_the_best_line_however_many_there_are():
    trials = replace(
        trials_of([[0.5]] + [[0.9]] * 2 * parallel.MOST_LINES),
        parameters={"rate": Range(low=0.0, high=1.0, type="float")},
    )
    trials = replace(trials, params={"rate": np.linspace(0, 1, len(trials.numbers))})

    record = parallel.data(trials)

    assert (record.numbers[-1], record.values[-1]) == (1, 0.9)


def test_the_front_keeps_which_objective_is_which():
    record = pareto.data(trials_of([[0.9, 3.0], [0.8, 2.0], [0.7, 2.5]]))

    assert record.values.tolist() == [[0.9, 3.0], [0.8, 2.0], [0.7, 2.5]]
    assert record.front.tolist() == [True, True, False]


def test_a_curve_begins_at_epoch_1_and_the_best_trials_comes_last():
    record = curves.data(
        Curves(
            objective=RMSE, numbers=[4, 7], curves=[np.array([3.0, 1.0]), np.array([3.0, NAN, 2.0])], best=4
        )
    )

    assert [line.number for line in record.lines] == [7, 4]
    assert record.lines[0].epochs.tolist() == [1.0, 2.0, 3.0]
    assert [line.best for line in record.lines] == [False, True]


@pytest.mark.parametrize("direction", Direction)
def test_of_many_long_curves_few_short_ones_stay_the_best_trials_among_them(direction):
    drawn = np.random.default_rng(0)
    lines = list(drawn.normal(size=(500, 3000)))
    reached = [float(direction.sign * (direction.sign * line).min()) for line in lines]
    middle = int(np.argsort(reached)[251])

    record = curves.data(
        Curves(
            objective=Objective(metric="loss", direction=direction),
            numbers=range(500),
            curves=lines,
            best=middle,
        )
    )

    kept = [line.number for line in record.lines]
    assert len(kept) <= curves.MOST_CURVES
    assert kept[-1] == middle
    assert {int(np.argmin(reached)), int(np.argmax(reached))} <= set(kept)
    for line in record.lines:
        assert len(line.values) <= curves.MOST_EPOCHS
        assert (line.values.min(), line.values.max()) == (lines[line.number].min(), lines[line.number].max())


def test_train_and_validation_need_both_numbers():
    record = scatter.data(
        Pairs(
            objective=ACCURACY,
            numbers=np.array([0, 1, 2, 3]),
            train=np.array([0.9, NAN, 0.8, 1.0]),
            validation=np.array([0.8, 0.9, NAN, 0.85]),
        )
    )

    assert (record.numbers.tolist(), record.train.tolist()) == ([0, 3], [0.9, 1.0])
    assert (record.validation.tolist(), record.best) == ([0.8, 0.85], 1)


def test_importances_go_from_the_largest_down_and_the_unjudged_keep_their_reason():
    shares = [
        ("l2", 0.2, None),
        ("dropout", None, "too few trials"),
        ("batch_size", 0.2, None),
        ("rate", 0.6, None),
    ]

    record = importance.data(Shares(objective=RMSE, shares=shares))

    assert (record.names, record.shares) == (("rate", "batch_size", "l2"), (0.6, 0.2, 0.2))
    assert record.unjudged == (("dropout", "too few trials"),)


def test_a_running_cohort_lasts_until_now_and_one_that_has_not_begun_has_no_bar():
    record = timeline.data(
        Spans(
            slots=["cpu:0", "cpu:1"],
            slot=np.array([0, 1, 0]),
            cohorts=np.array([1, 2, 3]),
            starts=np.array([4.0, 1.0, NAN]),
            ends=np.array([NAN, 3.0, NAN]),
            lanes=np.array([8, 16, 8]),
            now=10.0,
        )
    )

    assert (record.cohorts.tolist(), record.slot.tolist(), record.lanes.tolist()) == ([2, 1], [1, 0], [16, 8])
    assert (record.starts.tolist(), record.seconds.tolist()) == ([1.0, 4.0], [2.0, 6.0])
    assert record.running.tolist() == [False, True]


def test_the_boxes_of_a_parameter_stand_by_round():
    parameters = {
        "learning_rate": Range(low=1e-4, high=1.0, log=True),
        "optimizer": Choice(choices=("sgd", "adam")),
    }
    boxes = [
        Box(round=2, name="learning_rate", low=1e-3, high=1e-2),
        Box(round=1, name="learning_rate", low=1e-4, high=1.0),
        Box(round=1, name="optimizer", choices=(0, 1)),
        Box(round=2, name="optimizer"),
    ]

    record = rounds.data(Boxes(parameters=parameters, boxes=boxes))

    assert [(panel.axis.name, [box.round for box in panel.boxes]) for panel in record.panels] == [
        ("learning_rate", [1, 2]),
        ("optimizer", [1]),
    ]


def test_the_best_trials_weights_are_followed_back_through_each_source():
    # After epoch 3 trial 2 went on from 0, which had gone on from 1 after epoch 3 too (before that: its own);
    # after epoch 6 it went on from 1.
    steps = [(3, 0, 2), (2, 2, 1), (6, 1, 2), (4, 0, 1)]

    record = lineage.data(Heirs(epochs={0: 9, 1: 9, 2: 9}, steps=steps, best=2))

    assert record.best_steps == ((4, 0, 1), (6, 1, 2))
    assert record.best_lives == ((0, 0, 4), (1, 4, 6), (2, 6, 9))


def test_two_that_go_on_from_each_other_after_one_epoch_take_what_was_before_it():
    record = lineage.data(Heirs(epochs={0: 9, 1: 9}, steps=[(3, 0, 1), (3, 1, 0)], best=1))

    assert record.best_lives == ((0, 0, 3), (1, 3, 9))


def test_a_surface_keeps_which_side_is_which_when_thinned():
    x, y = np.linspace(-1, 1, 301), np.linspace(0, 5, 150)
    rows = np.array([0.0, NAN])
    plane = Plane(
        number=1, features=("x1", "x2"), target="class", x=x, y=y, outputs=x[None, :] + 10 * y[:, None],
        rows_x=rows, rows_y=rows, rows_target=np.array([60.0, 1.0]),
    )  # fmt: skip

    record = surface.data(plane)

    assert record.outputs.shape == (len(record.y), len(record.x)) == (100, 100)
    np.testing.assert_array_equal(record.outputs, record.x[None, :] + 10 * record.y[:, None])
    assert (record.x[0], record.x[-1], record.y[0], record.y[-1]) == (-1.0, 1.0, 0.0, 5.0)
    assert (record.low, record.high, record.rows_x.tolist()) == (-1.0, 60.0, [0.0])


def test_a_surface_of_another_shape_is_an_error():
    side, none = np.zeros(2), np.zeros(0)
    with pytest.raises(ValueError, match=r"\[2, 2\]"):
        surface.data(
            Plane(
                number=1,
                features=("a", "b"),
                target="t",
                x=side,
                y=side,
                outputs=np.zeros((2, 3)),
                rows_x=none,
                rows_y=none,
                rows_target=none,
            )
        )
