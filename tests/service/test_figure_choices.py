"""What a page offers to choose of a figure is what the figure takes."""

import pytest

from hpo.service.figure_choices import choices
from hpo.service.figure_source import Options, Source
from hpo.service.figures import READINGS, figure
from hpo.states import TrialState
from hpo.testing.coordinating import submit
from hpo.testing.studies import trained
from hpo.trial import TrialPlan, TrialResult

FILE = """
name: wine
data: {{source: iris}}
objective: {objective}
parameters:
  learning_rate: {{low: 1e-4, high: 1e-1, log: true}}
  l2: {{low: 1e-6, high: 1e-2, log: true}}
  hidden_units: [8, 16]
"""
ONE = "{metric: accuracy}"
SEVERAL = "[{metric: accuracy}, {metric: log_loss}, {metric: n_parameters}]"


def study(storage, objective, values):
    submit(storage, FILE.format(objective=objective))
    params = {"learning_rate": 1e-3, "l2": 1e-4, "hidden_units": 8}
    results = [TrialResult(number=0, state=TrialState.COMPLETE, epochs=1, best_epoch=1, **values)]
    trained(storage, "wine", [TrialPlan(number=0, params=params)], results)
    return Source(storage, storage.get_study("wine"))


@pytest.mark.parametrize(
    ("objective", "values"),
    [(ONE, {"value": 0.5}), (SEVERAL, {"values": (0.5, 0.7, 99.0)})],
    ids=["one", "several"],
)
def test_every_choice_of_every_figure_is_taken(storage, objective, values):
    source = study(storage, objective, values)

    for name in READINGS:
        for option, offered in choices(source, name).items():
            for one in offered if option != "scale" else ():
                assert figure(storage, "wine", name, Options(**{option: one}))["figure"] == name


def test_what_has_one_value_is_no_choice_and_costs_have_no_epochs(storage):
    source = study(storage, SEVERAL, {"values": (0.5, 0.7, 99.0)})

    assert choices(source, "timeline") == {}
    assert choices(source, "curves") == {"metric": ["accuracy", "log_loss"], "scale": ("linear", "log")}
    assert choices(source, "heatmap")["y"] == ["learning_rate", "l2", "hidden_units"]
    assert choices(source, "pareto")["x"] == ["accuracy", "log_loss", "n_parameters"]


def test_of_one_objective_only_the_sides_of_a_heat_map_and_scales_are_chosen(storage):
    source = study(storage, ONE, {"value": 0.5})

    offered = {name: list(choices(source, name)) for name in READINGS if choices(source, name)}

    assert offered == {"history": ["scale"], "curves": ["scale"], "slice": ["scale"], "heatmap": ["x", "y"],
                       "scatter": ["scale"]}  # fmt: skip
