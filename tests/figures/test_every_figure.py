"""What holds for every figure: empty, one-trial, failed and NaN studies, names with HTML, axes, JSON."""

import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest

from hpo.figures.axes import axis_of
from hpo.figures.catalogue import FIGURES
from hpo.figures.columns import Box, Boxes, Curves, Heirs, Objective, Pairs, Plane, Shares, Spans, Trials
from hpo.figures.theme import TEMPLATES
from hpo.space import Choice, Range
from hpo.study import Direction

EVIL = "<script>alert(1)</script><b>%{evil}</b>"


def objective(metric="rmse"):
    return Objective(metric=metric, direction=Direction.MINIMIZE, unit="EUR")


def trials(n, *, state="COMPLETE", value=1.0, name="learning_rate", choices=("sgd", "adam"), metric="rmse"):
    drawn = np.random.default_rng(0)
    return Trials(
        objectives=(objective(metric), objective()),
        numbers=np.arange(n),
        states=[state] * n,
        values=value * drawn.uniform(1, 2, (n, 2)),
        parameters={name: Range(low=1e-4, high=1.0, log=True), "optimizer": Choice(choices=choices)},
        params={name: 10 ** drawn.uniform(-4, 0, n), "optimizer": drawn.integers(0, 2, n).astype(float)},
    )


def curves(n, value=1.0, metric="rmse"):
    numbers = list(range(n))
    lines = [value * np.linspace(1, 0.5, 9) for _ in numbers]
    return Curves(objective=objective(metric), numbers=numbers, curves=lines, best=0)


def pairs(n, value=1.0, metric="rmse"):
    column = value * np.arange(1.0, n + 1)
    return Pairs(objective=objective(metric), numbers=np.arange(n), train=column, validation=column + 1)


def shares(n, share=0.5, name="l2", metric="rmse"):
    reason = None if share is not None else f"too few trials of {name}"
    return Shares(objective=objective(metric), shares=[(f"{name}{i}", share, reason) for i in range(n)])


def spans(n, start=1.0, name="cuda:0"):
    whole = np.zeros(n, dtype=np.int64)
    starts = start * np.arange(1.0, n + 1)
    return Spans(
        slots=[name], slot=whole, cohorts=whole, starts=starts, ends=starts + 5, lanes=whole + 8, now=9.0
    )


def boxes(n, name="learning_rate", low=0.1, choices=("sgd", "adam")):
    parameters = {name: Range(low=1e-4, high=1.0, log=True), "optimizer": Choice(choices=choices)}
    return Boxes(
        parameters=parameters,
        boxes=[
            box
            for i in range(1, n + 1)
            for box in (
                Box(round=i, name=name, low=low, high=1.0),
                Box(round=i, name="optimizer", choices=(0,)),
            )
        ],
    )


def plane(n, value=1.0, name="x1"):
    side = np.linspace(-1, 1, n)
    return Plane(
        number=3, features=(name, "x2"), target=name, x=side, y=side, outputs=value * np.ones((n, n)),
        rows_x=side, rows_y=side, rows_target=value * np.ones(n),
    )  # fmt: skip


OF_TRIALS = ("history", "parallel", "slice", "heatmap", "pareto")
NAN = float("nan")

# figure -> inputs that give a picture, the smallest first
DRAWN = {
    **{name: [trials(1), trials(300)] for name in OF_TRIALS},
    "curves": [curves(1), curves(300)],
    "scatter": [pairs(1), pairs(30)],
    "importance": [shares(1), shares(9)],
    "timeline": [spans(1), spans(20)],
    "rounds": [boxes(1), boxes(3)],
    "lineage": [
        Heirs(epochs={0: 9, 1: 9}, steps=[(3, 0, 1)], best=1),
        Heirs(epochs={0: 9, 1: 9}, steps=[(3, 0, 1)]),
    ],
    "surface": [plane(2), plane(300)],
}
# figure -> (input, a word of the sentence that says why it is empty)
EMPTY = [
    *((name, trials(0), "No trial has been tried yet") for name in OF_TRIALS),
    *((name, trials(3, state="FAIL", value=NAN), "All 3 trials failed") for name in OF_TRIALS),
    *((name, trials(3, value=NAN), "finite") for name in OF_TRIALS),
    *((name, trials(1, state="RUNNING", value=NAN), "1 RUNNING") for name in OF_TRIALS),
    ("curves", curves(0), "No trial has finished an epoch"),
    ("curves", curves(2, NAN), "finite"),
    ("scatter", pairs(0), "No trial was measured"),
    ("scatter", pairs(2, NAN), "finite"),
    ("importance", shares(0), "No parameter is searched"),
    ("importance", shares(2, None), "too few trials of l2"),
    ("timeline", spans(0), "No cohort has begun"),
    ("timeline", spans(2, NAN), "No cohort has begun"),
    ("rounds", boxes(0), "no rounds"),
    ("lineage", Heirs(epochs={}, steps=[]), "No trial has gone on"),
    ("lineage", Heirs(epochs={0: 3}, steps=[], best=0), "No trial has gone on"),
    ("surface", plane(2, NAN), "finite"),
    ("surface", plane(0), "finite"),
]
EVILS = {
    **{name: trials(30, name=EVIL, choices=(EVIL, "adam"), metric=EVIL) for name in OF_TRIALS},
    "curves": curves(3, metric=EVIL),
    "scatter": pairs(3, metric=EVIL),
    "importance": shares(3, name=EVIL, metric=EVIL),
    "timeline": spans(3, name=EVIL),
    "rounds": boxes(2, name=EVIL, choices=(EVIL, "adam")),
    "surface": plane(3, name=EVIL),
}


def drawn(name, given):
    return FIGURES[name].draw(FIGURES[name].data(given))


def axes_of(figure):
    layout = figure.to_plotly_json()["layout"]
    return [axis for key, axis in layout.items() if re.fullmatch(r"[xy]axis\d*", key)]


@pytest.mark.parametrize(("name", "given"), [(name, given) for name, many in DRAWN.items() for given in many])
def test_a_figure_draws_from_one_trial_on_with_title_axes_and_hover(name, given):
    record = FIGURES[name].data(given)

    figure = FIGURES[name].draw(record)

    assert record.empty == ""
    assert figure.layout.title.text == record.title
    assert figure.data
    # Browsers without a graphics card, and pages of many figures, have no WebGL.
    assert not {trace.type for trace in figure.data} & {"parcoords", "scattergl", "heatmapgl", "scatter3d"}
    assert axes_of(figure)
    for axis in axes_of(figure):
        # In a grid of panels only the first of a row names the values.
        assert axis["title"]["text"] or name == "slice"
    for trace in figure.data:
        assert trace.hovertemplate or trace.hoverinfo == "skip"
    json.loads(figure.to_json())


@pytest.mark.parametrize(("name", "given", "why"), EMPTY)
def test_an_empty_figure_has_its_title_and_says_why(name, given, why):
    figure = drawn(name, given)

    (said,) = figure.layout.annotations
    assert why in said.text
    assert said.text.endswith(".")
    assert figure.layout.title.text
    assert not figure.data


def test_a_front_of_one_objective_says_that_it_needs_two():
    one = trials(3)
    record = FIGURES["pareto"].data(
        Trials(
            objectives=one.objectives[:1], numbers=one.numbers, states=one.states, values=one.values[:, :1]
        )
    )

    assert "needs two" in record.empty


@pytest.mark.parametrize("name", EVILS)
def test_a_name_with_html_is_drawn_as_text_and_fills_no_template(name):
    text = drawn(name, EVILS[name]).to_json()

    assert "&lt;script&gt;" in text.replace("\\u0026", "&")
    assert "<script" not in text
    assert "\\u003cscript" not in text
    assert "<b>" not in text
    assert "%{evil}" not in text


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_names_no_colour_that_one_of_the_templates_hides(name):
    figure = drawn(name, DRAWN[name][-1])
    own = json.dumps([trace.to_plotly_json() for trace in figure.data], default=str)
    figure.layout.template = None
    own += (
        figure.layout.to_json()
        if hasattr(figure.layout, "to_json")
        else json.dumps(figure.layout.to_plotly_json(), default=str)
    )

    for template in TEMPLATES.values():
        for hidden in (template.layout.paper_bgcolor, template.layout.font.color):
            assert hidden not in own


def test_the_templates_are_two_and_plotly_takes_them():
    assert set(TEMPLATES) == {"light", "dark"}
    for template in TEMPLATES.values():
        assert go.Figure(layout={"template": template}).layout.template.layout.font.color


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_in_a_sentence_what_it_shows(name):
    assert re.fullmatch(r"[A-Z].+\.", FIGURES[name].shows)


@pytest.mark.parametrize("name", OF_TRIALS)
def test_100000_trials_make_a_figure_of_less_than_half_a_megabyte(name):
    assert len(drawn(name, trials(100_000)).to_json()) < 500_000


def test_each_decade_of_a_wide_log_axis_has_one_tick_and_a_narrow_axis_as_many_as_fit():
    wide, narrow = (
        axis_of("l2", Range(low=low, high=1.0, log=True)).layout() | {"title": None} for low in (1e-4, 0.1)
    )

    assert wide == {"title": None, "type": "log", "exponentformat": "e", "dtick": 1}
    assert narrow == {"title": None, "type": "log", "exponentformat": "e"}


def test_the_numbers_along_parallel_axes_are_whole_where_the_values_are():
    figure = FIGURES["parallel"].draw(FIGURES["parallel"].data(trials(8)))

    last = max(one.x for one in figure.layout.annotations)
    assert [one.text for one in figure.layout.annotations if one.x == last] == ["0", "2", "4", "5", "7"]
