"""Optuna is the oracle: what hpo writes in bulk is what Optuna itself would have written, column by column."""

import math
import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import create_engine, text

from hpo.cohort import CohortPlan
from hpo.space import Choice, Range, SearchSpace
from hpo.states import TrialState
from hpo.storage.open import open_storage
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.studies import complete, driver, new_study
from hpo.trial import TrialPlan, TrialResult

SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-4, high=1e-1, log=True, type="float"),
        "dropout": Range(low=0.0, high=0.55, step=0.1, type="float"),
        "hidden_units": Range(low=16, high=256, log=True, type="int"),
        "batch_size": Range(low=32, high=128, step=32, type="int"),
        "initializer": Choice(choices=(None, True, 1, 0.5, "größe")),
    }
)
DISTRIBUTIONS: dict[str, optuna.distributions.BaseDistribution] = {
    "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
    "dropout": optuna.distributions.FloatDistribution(0.0, 0.5, step=0.1),
    "hidden_units": optuna.distributions.IntDistribution(16, 256, log=True),
    "batch_size": optuna.distributions.IntDistribution(32, 128, step=32),
    "initializer": optuna.distributions.CategoricalDistribution((None, True, 1, 0.5, "größe")),
}
VALUES: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-4, 0.1 * 0.3, 1e-1),
    "dropout": (0.0, 0.3, 0.5),
    "hidden_units": (16, 17, 256),
    "batch_size": (32, 96),
    "initializer": (None, True, 0.5, "größe"),  # not 1: Optuna takes it for True, which stands before it
}
OBJECTIVES = (
    ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
    ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
    ObjectiveSpec(metric="train_seconds", direction=Direction.MINIMIZE),
)
# Every column but ids that count rows.
COLUMNS = {
    "studies": "study_id, study_name",
    "study_directions": "study_id, objective, direction",
    "study_user_attributes": "study_id, key, value_json",
    "study_system_attributes": "study_id, key, value_json",
    "trials": "trial_id, number, study_id, state, datetime_start, datetime_complete",
    "trial_params": "trial_id, param_name, param_value, distribution_json",
    "trial_values": "trial_id, objective, value, value_type",
    "trial_intermediate_values": "trial_id, step, intermediate_value, intermediate_value_type",
    "trial_user_attributes": "trial_id, key, value_json",
    "trial_system_attributes": "trial_id, key, value_json",
    "trial_heartbeats": "trial_id, heartbeat",
}


def rows(url: str) -> dict[str, list[Any]]:
    """All that Optuna's tables hold, in an order of its own; times as SQLite has them."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table: connection.execute(text(f"SELECT {columns} FROM {table}")).all()
            for table, columns in COLUMNS.items()
        }
    engine.dispose()
    return {
        table: sorted(
            (
                tuple(f"{cell:%F %T.%f}" if isinstance(cell, datetime) else cell for cell in row)
                for row in of_it
            ),
            key=repr,
        )
        for table, of_it in found.items()
    }


def drawn_params(drawn: random.Random) -> dict[str, Any]:
    """Some of the parameters: conditions leave others out."""
    return {name: drawn.choice(values) for name, values in VALUES.items() if drawn.random() < 0.7}


def drawn_result(drawn: random.Random, number: int, n_objectives: int) -> TrialResult | None:
    """Any end of a trial, or None for one that goes on running."""
    numbers = (0.1 + 0.2, -0.0, 1e300, 5e-324, math.inf, -math.inf)
    values = tuple(drawn.choice(numbers) for _ in range(n_objectives))
    steps = {drawn.randrange(1, 50): drawn.choice((*numbers, math.nan)) for _ in range(drawn.randrange(5))}
    state = drawn.choice([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, None])
    if state is None:
        return None
    what: dict[str, Any] = {"value": values[0]} if n_objectives == 1 else {"values": values}
    if state is TrialState.FAIL:
        what = {}
    feasible = drawn.random() < 0.7
    return TrialResult(number=number, state=state, steps=steps, feasible=feasible, **what)


def write_with_hpo(
    url: str, params: Sequence[dict[str, Any]], results: Sequence[TrialResult], n_objectives: int
) -> None:
    storage = open_storage(url)
    storage.create_study(new_study(objectives=OBJECTIVES[:n_objectives] if n_objectives > 1 else ()))
    claim = storage.claim_study("wine", driver())
    plans = [TrialPlan(number=number, params=values) for number, values in enumerate(params)]
    half = len(plans) // 2
    # Two windows, the second of two cohorts with numbers that alternate.
    [first] = storage.plan_trials(claim, SPACE, plans[:half], [CohortPlan(numbers=tuple(range(half)))])
    later = [CohortPlan(numbers=tuple(range(half + i, len(plans), 2))) for i in range(2)]
    for cohort in (first, *storage.plan_trials(claim, SPACE, plans[half:], later)):
        started = storage.start_cohort(claim, cohort.id)
        mine = [result for result in results if result.number in cohort.numbers]
        # Some steps come while trials run, and one of them twice, as after a lost worker: the later value counts.
        early = {result.number: dict.fromkeys(list(result.steps)[:2], 0.99) for result in mine}
        storage.record_epochs(claim, cohort.id, started.attempt, 1, early)
        storage.finish_trials(claim, cohort.id, started.attempt, mine[1::2])
        storage.finish_trials(claim, cohort.id, started.attempt, mine)
    storage.close()


def write_with_optuna(
    url: str,
    like: str,
    params: Sequence[dict[str, Any]],
    results: Sequence[TrialResult],
    n_objectives: int,
    *,
    one_by_one: bool,
) -> None:
    """The same trials through Optuna's own door, at the times that the other database has."""
    times = optuna.load_study(study_name="wine", storage=like).trials
    metrics = [objective.metric for objective in OBJECTIVES[:n_objectives]]
    study = optuna.create_study(
        study_name="wine",
        storage=url,
        directions=[str(objective.direction) for objective in OBJECTIVES[:n_objectives]],
    )
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(metrics)
    study.set_user_attr("metric", metrics if n_objectives > 1 else metrics[0])
    by_number = {result.number: result for result in results}
    trials = [
        optuna_trial(values, by_number.get(number), times[number]) for number, values in enumerate(params)
    ]
    if one_by_one:
        for trial in trials:
            study.add_trial(trial)
    else:
        study.add_trials(trials)


def optuna_trial(
    params: dict[str, Any], result: TrialResult | None, like: optuna.trial.FrozenTrial
) -> optuna.trial.FrozenTrial:
    """A trial as Optuna's users make one."""
    values = None
    if result is not None and result.state is not TrialState.FAIL:
        values = result.values or [result.value]
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState[result.state.value if result else "RUNNING"],
        values=values,
        params=params,
        distributions={name: DISTRIBUTIONS[name] for name in params},
        intermediate_values=dict(result.steps) if result else {},
    )
    if result is not None and not result.feasible:
        trial.set_constraint("infeasible", 1.0)
    trial.datetime_start, trial.datetime_complete = like.datetime_start, like.datetime_complete
    return trial


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("n_objectives", [1, 3])
def test_rows_written_in_bulk_are_those_of_optunas_own_door(
    request: pytest.FixtureRequest, database: str, tmp_path: Path, n_objectives: int, one_by_one: bool
):
    url, theirs = request.getfixturevalue(database), f"sqlite:///{tmp_path}/optuna.db"
    drawn = random.Random(n_objectives)
    params = [drawn_params(drawn) for _ in range(60)]
    found = [drawn_result(drawn, number, n_objectives) for number in range(60)]
    results = [result for result in found if result is not None]

    write_with_hpo(url, params, results, n_objectives)
    write_with_optuna(theirs, url, params, results, n_objectives, one_by_one=one_by_one)

    expected, written = rows(theirs), rows(url)
    for table in COLUMNS:
        assert written[table] == expected[table], table
    assert {row[3] for row in written["trials"]} == {"RUNNING", "COMPLETE", "PRUNED", "FAIL"}
    assert {row[3] for row in written["trial_values"]} == {"FINITE", "INF_POS", "INF_NEG"}
    assert {row[3] for row in written["trial_intermediate_values"]} == {"FINITE", "INF_POS", "INF_NEG", "NAN"}
    assert len(written["trial_system_attributes"]) > 5
    assert {row[1] for row in written["trial_values"]} == set(range(n_objectives))


def test_complete_without_a_number_is_the_failure_that_optunas_tell_makes_of_it(file: Path):
    results = [complete(n, value, steps={}) for n, value in enumerate((math.nan, 0.5, 0.5, 0.5))]
    write_with_hpo(f"sqlite:///{file}", [{}] * 4, results, 1)
    study = optuna.create_study()
    with pytest.warns(UserWarning, match="nan is not acceptable"):
        study.tell(study.ask(), math.nan)
    for _ in range(3):
        study.tell(study.ask(), 0.5)

    ours = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}").trials

    assert [(t.state, t.values) for t in ours] == [(t.state, t.values) for t in study.trials]
