"""Several objectives and constraints, as users write and read them."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from hpo.cohort import CohortPlan
from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError, StudyFailed, TrialNotFound
from hpo.service import follow, records, results, specfile, submit
from hpo.service.export import export
from hpo.states import StudyState, TrialState
from hpo.study import COSTS, METRICS, Direction, NewStudy, ObjectiveSpec
from hpo.trial import TrialPlan, TrialResult

FILE = """
name: small
data: digits
objective: [accuracy, {metric: n_parameters}, {metric: epochs, direction: maximize}]
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  hidden_units: 32
constraints: {n_parameters: "<= 5000"}
"""
SINGLE = """
name: NAME
data: digits
trials: 4
parameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}}
constraints: {epochs: "<= 3"}
"""
VALUES = [(0.9, 500.0, 7.0), (0.8, 100.0, 7.0), (0.7, 600.0, 5.0), None, (0.95, 900.0, 1.0)]


def info_of(task=Task.CLASSIFICATION):
    classes = ("a", "b") if task is Task.CLASSIFICATION else ()
    return DatasetInfo(
        source="digits",
        sha256="0",
        task=task,
        task_reason="",
        target="y",
        n_rows=9,
        n_features=2,
        classes=classes,
    )


@pytest.fixture
def spec():
    return specfile.complete(specfile.parse(FILE), info_of())


@pytest.fixture
def stored(storage, spec, other):
    """The study with trials of these values; the last breaks a constraint."""
    data = records.info_record(info_of())
    storage.create_study(
        NewStudy(
            name="small",
            direction=Direction.MAXIMIZE,
            metric="accuracy",
            n_trials=len(VALUES),
            spec=specfile.to_json(spec),
            data=data,
            objectives=spec.objectives,
        )
    )
    claim = storage.claim_study("small", other)
    plans = [TrialPlan(number=n, params={"learning_rate": 0.01 * (n + 1)}) for n in range(len(VALUES))]
    [cohort] = storage.plan_trials(
        claim, spec.parameters, plans, [CohortPlan(numbers=tuple(range(len(VALUES))))]
    )
    cohort = storage.start_cohort(claim, cohort.id)
    ended = [
        TrialResult(number=n, state=TrialState.FAIL, reason="diverged@1", epochs=1)
        if values is None
        else TrialResult(
            number=n, state=TrialState.COMPLETE, values=values, best_epoch=1, epochs=7, feasible=n < 4
        )
        for n, values in enumerate(VALUES)
    ]
    storage.finish_trials(claim, cohort.id, cohort.attempt, ended, done=True)
    return claim


def test_a_list_of_objectives_is_completed_with_their_directions(spec):
    assert spec.objectives == (
        ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
        ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
        ObjectiveSpec(metric="epochs", direction=Direction.MAXIMIZE),
    )
    assert spec.objective == spec.objectives[0]
    assert specfile.complete(spec, info_of()) == spec


def test_the_completed_file_has_the_list_where_it_was_written(spec):
    text = specfile.to_yaml(spec)

    assert "objectives" not in text
    assert specfile.parse(text) == spec == specfile.from_json(specfile.to_json(spec))


def test_a_list_of_one_is_one_objective():
    spec = specfile.complete(
        specfile.parse(
            FILE.replace("[accuracy, {metric: n_parameters}, {metric: epochs, direction: maximize}]", "[f1]")
        ),
        info_of(),
    )

    assert (spec.objective.metric, spec.objectives) == ("f1", ())


@pytest.mark.parametrize("key", ["objective", "objective.metric"])
def test_an_objective_of_the_command_line_replaces_the_list(key):
    spec = specfile.parse(FILE, overrides={key: "log_loss"})

    assert (spec.objective.metric, spec.objectives) == ("log_loss", ())


@pytest.mark.parametrize(("task", "metric"), [(Task.REGRESSION, "f1"), (Task.CLASSIFICATION, "rmse")])
def test_objectives_and_constraints_read_metrics_of_the_task(task, metric):
    own = "rmse" if task is Task.REGRESSION else "accuracy"
    text = "data: digits\nparameters: {learning_rate: [0.1, 0.2]}\n"
    for more, field in (
        (f"objective: [{own}, {metric}]", "objective.1.metric"),
        (f"objective: {metric}", "objective.metric"),
        (f"constraints: {{'2 * train_{metric}': '> 1'}}", f"constraints.2 * train_{metric}"),
    ):
        with pytest.raises(SpecError) as caught:
            specfile.complete(specfile.parse(text + more), info_of(task))
        assert caught.value.field == field
        assert f"{metric} is no metric of {task}" in caught.value.detail


@pytest.mark.parametrize("sampler", ["coarse_to_fine", "cmaes"])
def test_samplers_of_one_value_are_refused(sampler, monkeypatch):
    monkeypatch.setattr("hpo.service.specfile.check_choices", lambda spec: None)

    with pytest.raises(
        SpecError, match="searches for one best value, and there are 3 objectives; write nsga2"
    ):
        specfile.parse(FILE + f"sampler: {sampler}")


def test_every_cost_may_stand_beside_every_metric():
    for metric in METRICS:
        for cost in COSTS:
            spec = specfile.parse(
                f"{{data: digits, objective: [{metric}, {cost}], parameters: {{learning_rate: [0.1, 0.2]}}}}"
            )
            assert [one.metric for one in spec.objectives] == [metric, cost]


def test_the_study_says_what_it_makes_good(spec):
    assert (
        "maximize accuracy, minimize n_parameters and maximize epochs over learning_rate"
        in submit.sentence(spec)
    )


def test_best_is_the_front_by_the_first_objective(storage, stored):
    storage.release(stored, StudyState.COMPLETED)

    [best] = results.best(storage, "small")

    assert best["objectives"] == [
        {"metric": "accuracy", "direction": "maximize"},
        {"metric": "n_parameters", "direction": "minimize"},
        {"metric": "epochs", "direction": "maximize"},
    ]
    assert (best["number"], best["value"], best["values"]) == (0, None, [0.9, 500.0, 7.0])
    assert best["front"] == [
        {"number": 0, "values": [0.9, 500.0, 7.0], "stderr": None, "params": {"learning_rate": 0.01}},
        {"number": 1, "values": [0.8, 100.0, 7.0], "stderr": None, "params": {"learning_rate": 0.02}},
    ]
    assert json.loads(json.dumps(best)) == best
    assert [(one["number"], "front" in one) for one in results.best(storage, "small", top=5)] == [
        (0, False),
        (1, False),
    ]


@pytest.mark.parametrize("state", [None, StudyState.FAILED])
def test_without_a_feasible_trial_best_names_the_constraints(storage, studies, other, state):
    studies.queued(text=SINGLE)
    claim = storage.claim_study("digits", other)
    space = specfile.from_json(storage.get_study("digits").spec).parameters
    [cohort] = storage.plan_trials(
        claim, space, [TrialPlan(number=0, params={"learning_rate": 0.1})], [CohortPlan(numbers=(0,))]
    )
    cohort = storage.start_cohort(claim, cohort.id)
    ended = TrialResult(
        number=0, state=TrialState.COMPLETE, value=0.5, best_epoch=1, epochs=7, feasible=False
    )
    storage.finish_trials(claim, cohort.id, cohort.attempt, [ended], done=True)
    if state is not None:
        storage.release(claim, state)

    with pytest.raises(
        TrialNotFound if state is None else StudyFailed,
        match=r"meets its constraints \(epochs <= 3; 1 COMPLETE\)",
    ):
        results.best(storage, "digits")


def test_show_says_how_many_are_on_the_front(storage, stored):
    shown = results.show(storage, "small")

    assert (shown["on_front"], shown["best_number"], shown["value"]) == (2, 0, None)
    assert shown["values"] == [0.9, 500.0, 7.0]
    assert results.studies(storage)[0]["values"] == [0.9, 500.0, 7.0]


def test_the_live_view_follows_the_first_objective(storage, stored):
    progress = follow.progress(storage, "small", is_alive=lambda driver: True)

    assert (progress.metric, progress.best_value, progress.best_number) == ("accuracy", 0.9, 0)


@pytest.mark.parametrize(("sort", "numbers"), [("value", [2, 1, 0, 4, 3]), ("-value", [4, 0, 1, 2, 3])])
def test_trials_are_sorted_by_the_first_objective_without_a_value_last(storage, stored, sort, numbers):
    assert [t["number"] for t in results.trials(storage, "small", sort=sort)] == numbers
    assert [t["number"] for t in results.trials(storage, "small", sort=sort, limit=2)] == numbers[:2]


def test_trials_have_values_and_say_when_they_break_a_constraint(storage, stored):
    found = list(results.trials(storage, "small"))

    assert [t.get("values") for t in found] == [None if v is None else list(v) for v in VALUES]
    assert [t.get("feasible") for t in found] == [None, None, None, None, False]


def test_exports_have_a_column_for_each_objective(storage, stored):
    written = {}
    for kind in ("csv", "json", "parquet"):
        written[kind] = io.BytesIO()
        export(storage, "small", kind, written[kind])
        written[kind].seek(0)

    rows = list(csv.DictReader(io.TextIOWrapper(written["csv"])))
    table = pq.read_table(written["parquet"])
    assert [row["values.n_parameters"] for row in rows] == ["500.0", "100.0", "600.0", "", "900.0"]
    assert [row["feasible"] for row in rows] == ["true"] * 4 + ["false"]
    assert table.column("values.accuracy").to_pylist() == [0.9, 0.8, 0.7, None, 0.95]
    assert table.column("feasible").to_pylist() == [True] * 4 + [False]
    assert [t.get("values") for t in json.load(written["json"])] == [
        None if v is None else list(v) for v in VALUES
    ]
