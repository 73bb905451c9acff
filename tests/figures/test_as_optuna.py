"""The numbers of a figure are those that Optuna's own visualization finds in the same study."""

import math
import random

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from optuna.visualization._optimization_history import _get_optimization_history_info_list
from optuna.visualization._parallel_coordinate import _get_parallel_coordinate_info
from optuna.visualization._pareto_front import _get_pareto_front_info
from optuna.visualization._slice import _get_slice_plot_info

from hpo.figures import history, parallel, pareto
from hpo.figures import slice as slices
from hpo.figures.columns import Objective, Trials
from hpo.space import Choice, Range
from hpo.study import Direction

OPTIMIZERS = ("sgd", "adam", "rmsprop")
PARAMETERS = {
    "learning_rate": Range(low=1e-4, high=1e-1, log=True),
    "hidden_units": Range(low=8, high=64, type="int"),
    "optimizer": Choice(choices=OPTIMIZERS),
}
DISTRIBUTIONS = {
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "hidden_units": IntDistribution(8, 64),
    "optimizer": CategoricalDistribution(OPTIMIZERS),
}


def a_study(directions, n=60, seed=0):
    """A study of Optuna's with complete, pruned and failed trials, equal values and an infinite one."""
    drawn = random.Random(seed)
    study = optuna.create_study(directions=[direction.value for direction in directions])
    for number in range(n):
        params = {
            "learning_rate": 10 ** drawn.uniform(-4, -1),
            "hidden_units": drawn.randint(8, 64),
            "optimizer": drawn.choice(OPTIMIZERS),
        }
        state = drawn.choice([TrialState.COMPLETE] * 4 + [TrialState.FAIL])
        values = [drawn.randint(0, 30) / 10 for _ in directions]
        if len(directions) == 1 and number == 7:
            state, values = TrialState.COMPLETE, [math.inf]
        study.add_trial(
            create_trial(
                state=state,
                values=values if state is TrialState.COMPLETE else None,
                params=params,
                distributions=DISTRIBUTIONS,
            )
        )
    return study


def columns_of(study, directions):
    trials = study.trials
    return Trials(
        objectives=tuple(Objective(metric=f"m{i}", direction=d) for i, d in enumerate(directions)),
        numbers=np.array([trial.number for trial in trials]),
        states=[trial.state.name for trial in trials],
        values=np.array([trial.values or [math.nan] * len(directions) for trial in trials]),
        parameters=PARAMETERS,
        params={
            name: np.array(
                [DISTRIBUTIONS[name].to_internal_repr(trial.params[name]) for trial in trials], dtype=float
            )
            for name in PARAMETERS
        },
    )


@pytest.mark.parametrize("direction", Direction)
def test_the_best_so_far_is_optunas(direction):
    study = a_study([direction])
    # Optuna takes infinity for a value, which we never do.
    finite = [trial for trial in study.trials if trial.number != 7]
    other = optuna.create_study(direction=direction.value)
    other.add_trials(finite)
    (info,) = _get_optimization_history_info_list(other, None, "value", False)
    expected = dict(zip(info.trial_numbers, info.best_values_info.values, strict=True))

    record = history.data(columns_of(other, [direction]))

    assert record.values.tolist() == [v for v in info.values_info.values if not math.isnan(v)]
    places = np.searchsorted(record.best_numbers, record.numbers, side="right") - 1
    assert record.best_values[places].tolist() == [expected[number] for number in record.numbers]


@pytest.mark.parametrize("direction", Direction)
def test_an_infinite_value_is_neither_drawn_nor_the_best(direction):
    record = history.data(columns_of(a_study([direction]), [direction]))

    assert 7 not in record.numbers
    assert np.isfinite(record.best_values).all()


@pytest.mark.parametrize("direction", Direction)
def test_slices_hold_optunas_points(direction):
    study = a_study([direction])
    expected = {
        panel.param_name: panel for panel in _get_slice_plot_info(study, None, None, "value").subplots
    }

    panels = {panel.axis.name: panel for panel in slices.data(columns_of(study, [direction])).panels}

    assert panels.keys() == expected.keys()
    for name, panel in panels.items():
        x = [OPTIMIZERS[int(place)] for place in panel.x] if name == "optimizer" else panel.x.tolist()
        assert panel.numbers.tolist() == expected[name].trial_numbers
        assert (x, panel.values.tolist()) == (expected[name].x, expected[name].y)
        assert panel.axis.log == expected[name].is_log
        signed = panel.values * direction.sign
        assert signed[panel.best] == signed.min()


@pytest.mark.parametrize("direction", Direction)
def test_parallel_lines_go_where_optunas_go(direction):
    study = a_study([direction])
    info = _get_parallel_coordinate_info(study)
    expected = {axis.label: axis.values for axis in info.dims_params}

    record = parallel.data(columns_of(study, [direction]))

    ours = {axis.name: places for axis, places in zip(record.axes, record.places, strict=True)}
    for name in ("learning_rate", "hidden_units"):
        assert sorted(ours[name]) == pytest.approx(sorted(expected[name]))
    assert sorted(record.values) == pytest.approx(sorted(info.dims_objectives[0].values))
    assert (record.values[-1] - record.values[0]) * direction.sign < 0


@pytest.mark.parametrize("second", Direction)
def test_the_front_is_optunas(second):
    directions = [Direction.MINIMIZE, second]
    study = a_study(directions)
    info = _get_pareto_front_info(study)

    record = pareto.data(columns_of(study, directions))

    best = {trial.number for trial, _ in info.best_trials_with_values}
    others = {trial.number for trial, _ in info.non_best_trials_with_values}
    assert set(record.numbers[record.front].tolist()) == best
    assert set(record.numbers[~record.front].tolist()) == others
