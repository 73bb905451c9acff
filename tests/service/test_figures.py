"""Figures of studies as they are stored: what is drawn is what their trials say."""

import base64
import json
from array import array
from itertools import pairwise

import numpy as np
import pytest

from hpo.cohort import CohortPlan
from hpo.errors import FigureNotFound, SpecError, StudyNotFound, TrialNotFound, UnknownName
from hpo.figures.catalogue import FIGURES
from hpo.service import specfile
from hpo.service.figure_columns import rows_apart
from hpo.service.figure_source import Options
from hpo.service.figures import READINGS, figure
from hpo.states import StudyState, TrialState
from hpo.study import Direction, NewStudy, ObjectiveSpec
from hpo.trial import Curve, Inheritance, TrialPlan, TrialResult

FILE = """
data: {source: digits}
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  optimizer: [sgd, momentum]
  momentum: {low: 0.8, high: 0.99, when: {optimizer: [momentum]}}
trials: 9
"""
TWO = (
    ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
    ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
)


def settings(number):
    params = {"learning_rate": 10.0 ** -(1 + number % 4), "optimizer": ("sgd", "momentum")[number % 2]}
    return params | ({"momentum": 0.9} if number % 2 else {})


def done(number, value, **more):
    return TrialResult(number=number, state=TrialState.COMPLETE, value=value, epochs=5, **more)


@pytest.fixture
def study(storage, me):
    """Makes a study of finished trials: study([done(0, 0.5)]); what stands in `left` goes on training."""

    def make(results, *, text=FILE, left=0, objectives=(), params=settings, notes=None):
        spec = specfile.parse(text)
        storage.create_study(
            NewStudy(
                name="digits",
                direction=Direction.MAXIMIZE,
                metric="accuracy",
                n_trials=9,
                spec=specfile.to_json(spec),
                data={"source": "digits"},
                objectives=objectives,
            )
        )
        claim = storage.claim_study("digits", me)
        n = len(results) + left
        if n:
            plans = [TrialPlan(number=i, params=params(i)) for i in range(n)]
            cohorts = [CohortPlan(numbers=tuple(range(n)))]
            [cohort] = storage.plan_trials(claim, spec.parameters, plans, cohorts)
            cohort = storage.start_cohort(claim, cohort.id)
            storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=not left)
        if notes:
            storage.set_notes(claim, notes)
        return claim

    return make


def numbers_of(column):
    """A column of Plotly's JSON: a list, or bytes of an array."""
    if not isinstance(column, dict):
        return np.array(column, dtype=float)
    found = np.frombuffer(base64.b64decode(column["bdata"]), dtype=column["dtype"])
    return found.reshape([int(side) for side in str(column.get("shape", found.size)).split(",")])


def points(record, trace=0):
    one = record["data"][trace]
    return list(zip(numbers_of(one["x"]), numbers_of(one["y"]), strict=True))


def test_history_has_every_trial_with_a_value_and_the_best_so_far(storage, study):
    pruned = TrialResult(number=2, state=TrialState.PRUNED, value=0.9)
    failed = TrialResult(number=3, state=TrialState.FAIL, reason="error")
    study([done(0, 0.25), done(1, 0.5), pruned, failed, done(4, 0.5)], left=1)

    record = figure(storage, "digits", "history")

    assert points(record, 0) == [(0, 0.25), (1, 0.5), (4, 0.5)]
    assert points(record, 1) == [(2, 0.9)]
    assert points(record, 2)[-1][1] == storage.best_trials("digits")[0].value == 0.5
    assert (record["study"], record["figure"], record["empty"]) == ("digits", "history", None)
    assert record["layout"]["title"]["text"] == record["title"] == "History"


def test_behind_the_end_of_a_study_no_trial_is_the_best(storage, study):
    claim = study([done(0, 0.25), done(1, 0.5), done(2, 0.75)])
    storage.move_claimed(claim, StudyState.STOPPING, counted=2)

    record = figure(storage, "digits", "history")

    assert storage.best_trials("digits")[0].number == 1
    assert points(record, 1) == [(2, 0.75)]
    assert points(record, 2)[-1] == (2, 0.5)


def test_a_slice_has_the_trials_in_which_its_parameter_counts(storage, study):
    study([done(n, n / 8) for n in range(8)])

    rate, optimizer, momentum = figure(storage, "digits", "slice")["data"]

    trials = storage.trials("digits")
    assert numbers_of(rate["x"]).tolist() == [trial.params["learning_rate"] for trial in trials]
    assert numbers_of(optimizer["x"]).tolist() == [0, 1] * 4
    assert numbers_of(momentum["y"]).tolist() == [1 / 8, 3 / 8, 5 / 8, 7 / 8]


def test_parallel_lines_say_of_how_many_they_are_some(storage, study):
    study([done(n, n / 700) for n in range(600)])

    record = figure(storage, "digits", "parallel")

    assert record["title"] == "Parallel coordinates (500 of 600 trials)"
    titles = record["layout"]["xaxis"]["ticktext"]
    assert titles == ["accuracy", "learning_rate", "optimizer", "trial number"]
    lines = [one for one in record["data"] if one["mode"] == "lines" and "customdata" in one]
    told = {tuple(point) for line in lines for point in line["customdata"]}
    drawn = {number for number, _ in told}
    assert len(drawn) == 500
    assert {0, 599} <= drawn
    assert {(n, f"accuracy: {n / 700:.4g}") for n in drawn} <= told
    assert {(n, f"learning_rate: {10.0 ** -(1 + n % 4):.4g}") for n in drawn} <= told
    best = lines[-1]
    assert {number for number, _ in best["customdata"]} == {599}
    assert [y for y in numbers_of(best["y"]) if not np.isnan(y)] == pytest.approx([1, 0, 1, 1])


def test_a_heat_map_has_the_best_of_each_cell_of_the_parameters_asked_for(storage, study):
    study([done(n, n / 8) for n in range(8)])

    record = figure(storage, "digits", "heatmap", Options(x="optimizer", y="learning_rate"))

    [cells] = record["data"]
    assert numbers_of(cells["z"]).shape == (4, 2)
    best = {n: n / 8 for n in (4, 5, 6, 7)}  # of the four rates, each with one optimizer only
    assert sorted(numbers_of(cells["z"])[~np.isnan(numbers_of(cells["z"]))]) == sorted(best.values())
    assert record["layout"]["xaxis"]["title"]["text"] == "optimizer"


@pytest.mark.parametrize(
    ("options", "error", "field"),
    [
        (Options(x="lerning_rate"), UnknownName, "x"),
        (Options(y="hidden_units"), UnknownName, "y"),
        (Options(x="momentum", y="momentum"), SpecError, "y"),
        (Options(metric="loss"), UnknownName, "metric"),
        (Options(trial=1), UnknownName, "trial"),
    ],
)
def test_options_that_mean_nothing_are_refused_with_their_place(storage, study, options, error, field):
    study([done(0, 0.5)])

    with pytest.raises(error) as refused:
        figure(storage, "digits", "heatmap", options)

    assert refused.value.field == field


def test_a_figure_that_there_is_not_names_those_there_are(storage, study):
    study([done(0, 0.5)])

    with pytest.raises(FigureNotFound) as refused:
        figure(storage, "digits", "pie")

    assert all(name in refused.value.detail for name in FIGURES)
    assert set(READINGS) == set(FIGURES)
    with pytest.raises(StudyNotFound):
        figure(storage, "nobody", "history")
    with pytest.raises(UnknownName, match="no theme"):
        figure(storage, "digits", "history", theme="pink")


def curve_of(train, validation):
    block = array("f", [value for pair in zip(train, validation, strict=True) for value in pair])
    return Curve(columns=("train_accuracy", "validation_accuracy"), block=block)


def test_curves_are_those_of_the_trials_the_best_one_in_front(storage, study):
    lines = [[0.25, 0.5], [0.5, 0.75, 0.625], [0.125]]
    results = [
        done(n, max(line), best_epoch=1 + int(np.argmax(line)), curve=curve_of([0.9] * len(line), line))
        for n, line in enumerate(lines)
    ]
    study(results, left=1)

    others, best = figure(storage, "digits", "curves")["data"]

    assert numbers_of(best["y"]).tolist() == storage.curve("digits", 1).column("validation_accuracy")
    assert set(numbers_of(others["customdata"])[~np.isnan(numbers_of(others["y"]))]) == {0, 2}


def test_curves_of_trials_that_all_failed_are_drawn_all_the_same(storage, study):
    broken = curve_of([0.5, np.nan], [0.25, np.nan])
    study([TrialResult(number=0, state=TrialState.FAIL, reason="diverged@2", curve=broken)])

    record = figure(storage, "digits", "curves")

    assert record["empty"] is None
    assert points(record)[0] == (1, 0.25)


def test_training_stands_against_validation_at_the_best_epoch(storage, study):
    results = [
        done(0, 0.5, best_epoch=2, curve=curve_of([0.5, 0.75, 1.0], [0.25, 0.5, 0.375])),
        done(1, 0.75, best_epoch=1, curve=curve_of([0.8125, 1.0], [0.75, 0.75])),
        done(2, 0.5),
    ]
    study(results)

    record = figure(storage, "digits", "scatter")

    assert points(record, 1) == [(0.75, 0.5)]
    assert points(record, 2) == [(0.8125, 0.75)]


def test_of_several_objectives_one_is_looked_at_and_two_span_the_front(storage, study):
    values = [(0.5, 10.0), (0.75, 30.0), (0.25, 20.0)]
    results = [TrialResult(number=n, state=TrialState.COMPLETE, values=pair) for n, pair in enumerate(values)]
    study(results, objectives=TWO)

    first, second = (
        figure(storage, "digits", "history", Options(metric=one)) for one in (None, "n_parameters")
    )
    front = figure(storage, "digits", "pareto", Options(x="n_parameters"))

    assert [y for _, y in points(first)] == [0.5, 0.75, 0.25]
    assert [y for _, y in points(second)] == [10.0, 30.0, 20.0]
    assert points(front, 0) == [(20.0, 0.25)]
    assert figure(storage, "digits", "pareto", Options(y="accuracy")) == front
    assert sorted(numbers_of(front["data"][1]["customdata"])) == sorted(
        t.number for t in storage.pareto("digits")
    )
    with pytest.raises(UnknownName, match="metric of epochs"):
        figure(storage, "digits", "curves", Options(metric="n_parameters"))
    with pytest.raises(UnknownName, match="no objective"):
        figure(storage, "digits", "pareto", Options(y="rmse"))


@pytest.mark.parametrize("name", FIGURES)
def test_an_external_study_of_a_cost_has_its_figures(storage, name):
    text = "{name: far, trainer: external, objective: {metric: train_seconds, direction: minimize}, parameters: {a: [1, 2]}}"
    storage.create_study(
        NewStudy(
            name="far",
            direction=Direction.MINIMIZE,
            metric="train_seconds",
            n_trials=3,
            spec=specfile.to_json(specfile.parse(text)),
            data={},
        )
    )

    assert figure(storage, "far", name)["empty"]


def test_importance_finds_the_parameter_that_decides(storage, study):
    study([done(n, (n % 4) / 4 + n / 4000) for n in range(200)])

    record = figure(storage, "digits", "importance")

    assert record["layout"]["yaxis"]["ticktext"][0] == "learning_rate"
    assert record["title"] == "Importance of the parameters"


def test_a_cohort_is_a_bar_of_its_lanes(storage, study):
    study([done(n, 0.5) for n in range(3)], left=2)

    [bar] = figure(storage, "digits", "timeline")["data"]

    assert numbers_of(bar["customdata"])[0].tolist()[1] == 5
    assert bar["name"] == "running"


def test_cohorts_that_were_planned_together_and_trained_in_turn_share_a_row(storage, study):
    claim = study([])
    space, numbers = specfile.parse(FILE).parameters, range(3)
    plans = [TrialPlan(number=number, params=settings(number)) for number in numbers]
    for cohort in storage.plan_trials(claim, space, plans, [CohortPlan(numbers=(n,)) for n in numbers]):
        begun = storage.start_cohort(claim, cohort.id)
        storage.finish_trials(claim, begun.id, begun.attempt, [done(*begun.numbers, 0.5)], done=True)

    record = figure(storage, "digits", "timeline")

    assert record["layout"]["yaxis"]["ticktext"] == ["1"]


def test_bars_stand_in_as_few_rows_as_keep_them_apart():
    drawn = np.random.default_rng(0)
    starts = drawn.integers(0, 60, 80).astype(float)
    ends = starts + drawn.integers(1, 9, 80)

    rows, n_rows = rows_apart(starts.tolist(), ends.tolist())

    for row in range(n_rows):
        mine = sorted(zip(starts[rows == row], ends[rows == row], strict=True))
        assert all(end <= start for (_, end), (start, _) in pairwise(mine))
    assert n_rows == max(((starts <= moment) & (moment < ends)).sum() for moment in starts)


def test_rounds_are_the_boxes_that_the_sampler_noted(storage, study):
    boxes = [{"learning_rate": {"low": 1e-4, "high": 0.1}, "optimizer": {"choices": ["sgd", "momentum"]}},
             {"learning_rate": {"low": 1e-3, "high": 1e-2}, "optimizer": {"choices": ["momentum"]}}]  # fmt: skip
    study([done(0, 0.5)], notes={"rounds": [{"round": n + 1, "box": box} for n, box in enumerate(boxes)]})

    rate, optimizer = figure(storage, "digits", "rounds")["data"]

    assert rate["y"] == [1e-4, 0.1, None, 1e-3, 1e-2, None]
    assert list(zip(optimizer["x"], optimizer["y"], strict=True)) == [
        (1, 0),
        (1, 1),
        (1, None),
        (2, 1),
        (2, None),
    ]


POPULATION = """
data: {source: digits}
parameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}}
pruner: {name: population, bracket: 2, min_epochs: 2}
epochs: 6
trials: 6
"""


def test_the_lineage_is_that_of_the_best_trials_population(storage, study):
    step = Inheritance(epoch=2, source=2, params={"learning_rate": 0.01})
    results = [done(n, value) for n, value in enumerate([0.5, 0.25, 0.5, 0.0, 0.25, 0.25])]
    results[3] = done(3, 0.75, lineage=(step,))
    study(results, text=POPULATION, params=lambda n: {"learning_rate": 0.01})

    everyone, best = figure(storage, "digits", "lineage")["data"]

    assert {row for row in everyone["y"] if row is not None} == {2, 3}
    assert [(x, y) for x, y in zip(best["x"], best["y"], strict=True) if x is not None] == [
        (0, 2), (2, 2), (2, 3), (5, 3), (2, 2), (2, 3),
    ]  # fmt: skip


NOTHING = TrialResult(number=0, state=TrialState.FAIL, reason="error")
LIVES = {"empty": ([], 0), "running": ([], 1), "failed": ([NOTHING], 0), "one trial": ([done(0, 0.5)], 0)}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("name", READINGS)
def test_every_figure_of_every_study_has_a_title_and_a_picture_or_the_reason_why_not(
    storage, study, name, life
):
    results, left = LIVES[life]
    study(results, left=left)

    record = figure(storage, "digits", name)

    json.dumps(record, allow_nan=False)
    assert record["title"]
    assert record["shows"].endswith(".")
    assert bool(record["data"]) == (record["empty"] is None)
    if record["empty"]:
        assert record["empty"].endswith(".")
        assert record["layout"]["annotations"][0]["text"]
    if name in ("history", "slice", "heatmap", "parallel"):
        assert (record["empty"] is None) == (life == "one trial")


def test_a_surface_of_no_trial_is_an_error(storage, study):
    study([done(0, 0.5)])

    with pytest.raises(TrialNotFound):
        figure(storage, "digits", "surface", Options(trial=7))
