"""Optuna reads what hpo writes, while the study runs and after, and names the same best trials."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
import pytest

from hpo.cohort import CohortPlan
from hpo.errors import IllegalMove
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.studies import SPACE, begun, complete, finished, new_study
from hpo.trial import TrialPlan, TrialResult
from tests.storage.test_optuna_columns import rows


def test_optuna_reads_trials_while_the_study_runs_and_after(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    claim, cohort = begun(storage, 3)
    storage.record_epochs(claim, cohort.id, cohort.attempt, 2, {1: {1: 0.2, 2: 0.3}})

    during = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}")

    assert [t.state.name for t in during.trials] == ["RUNNING"] * 3
    assert during.trials[1].intermediate_values == {1: 0.2, 2: 0.3}
    assert during.metric_names == ["accuracy"]
    assert during.user_attrs == {"metric": "accuracy"}

    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(n, n / 10) for n in range(3)])
    storage.release(claim, StudyState.COMPLETED)

    # The same object, whose cache saw the trials running, and a fresh one.
    for study in (during, optuna.load_study(study_name="wine", storage=f"sqlite:///{file}")):
        assert [t.value for t in study.trials] == [0.0, 0.1, 0.2]
        assert list(study.trials_dataframe()["params_hidden_units"]) == [16, 17, 18]
    storage.close()


def test_steps_that_come_after_a_trial_ended_are_ignored(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    claim, cohort = begun(storage, 2)
    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5, steps={1: 0.5})])

    storage.record_epochs(claim, cohort.id, cohort.attempt, 2, {0: {1: 0.9, 2: 0.9}, 1: {2: 0.9}})

    trials = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}").trials
    assert [t.intermediate_values for t in trials] == [{1: 0.5}, {2: 0.9}]
    storage.close()


@pytest.mark.parametrize("direction", list(Direction))
def test_the_best_trial_is_optunas_ties_and_all(file: Path, direction: Direction):
    storage = open_storage(f"sqlite:///{file}")
    values = [0.5, 0.9, 0.1, 0.9, 0.1, 0.5]
    finished(storage, values, direction=direction)
    study = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}")

    [best] = storage.best_trials("wine")

    assert study.best_trial.number == best.number
    assert study.best_value == best.value
    assert study.best_params == best.params
    storage.close()


def test_a_trial_that_breaks_a_constraint_is_not_the_best_for_optuna_either(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    claim, cohort = begun(storage, 3)
    results = [complete(0, 0.9, feasible=False), complete(1, 0.5), complete(2, 0.7)]
    storage.finish_trials(claim, cohort.id, cohort.attempt, results)
    study = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}")

    [best] = storage.best_trials("wine")

    assert study.best_trial.number == best.number == 2
    assert study.trials[0].constraints == {"infeasible": 1.0}
    assert [trial.number for trial in study.best_trials] == [2]
    storage.close()


def test_the_pareto_front_is_optunas(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    objectives = (
        ObjectiveSpec(metric="accuracy", direction=Direction.MAXIMIZE),
        ObjectiveSpec(metric="n_parameters", direction=Direction.MINIMIZE),
    )
    claim, cohort = begun(storage, 60, objectives=objectives)
    results = [
        TrialResult(
            number=n,
            state=TrialState.COMPLETE,
            values=((n * 37 % 20) / 20, float(n * 53 % 23)),
            feasible=n % 5 > 0,
        )
        for n in range(60)
    ]
    storage.finish_trials(claim, cohort.id, cohort.attempt, results)

    study = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}")

    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "n_parameters"]
    assert study.user_attrs == {"metric": ["accuracy", "n_parameters"]}
    ours = storage.pareto("wine")
    assert sorted(t.number for t in ours) == [t.number for t in study.best_trials]
    assert {t.number: list(t.values) for t in ours} == {t.number: t.values for t in study.best_trials}
    assert [t.values[0] for t in ours] == sorted((t.values[0] for t in ours), reverse=True)
    storage.close()


def test_a_study_cancelled_while_running_fails_its_trials_for_optuna_too(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    claim, _ = begun(storage, 2)

    storage.release(claim, StudyState.CANCELLED)

    trials = optuna.load_study(study_name="wine", storage=f"sqlite:///{file}").trials
    assert [t.state.name for t in trials] == ["FAIL", "FAIL"]
    assert all(t.datetime_complete is not None for t in trials)
    storage.close()


def test_a_study_deleted_by_optuna_is_gone_for_hpo_and_its_id_inherits_nothing(file: Path):
    url = f"sqlite:///{file}"
    storage = open_storage(url)
    storage.create_study(new_study("keep"))
    finished(storage, [0.5, 0.6])
    storage.enqueue("wine", [({"hidden_units": 16}, None)])

    optuna.delete_study(study_name="wine", storage=url)

    assert [s.name for s in storage.list_studies()] == ["keep"]
    optuna.create_study(study_name="foreign", storage=url)  # takes the freed id
    assert [s.name for s in storage.list_studies()] == ["keep"]
    with closing(sqlite3.connect(file)) as connection:
        gone = ("hpo_trials", "hpo_params", "hpo_cohorts", "hpo_cohort_lanes", "hpo_curves", "hpo_queue")
        for table in gone:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    storage.close()


def test_a_study_removed_by_hpo_leaves_no_row_of_optunas_but_other_studies(file: Path):
    url = f"sqlite:///{file}"
    optuna.create_study(study_name="foreign", storage=url).add_trial(
        optuna.trial.create_trial(
            value=1.0,
            params={"x": 0.5},
            distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
        )
    )
    before = rows(f"sqlite:///{file}")
    storage = open_storage(url)
    claim = finished(storage, [0.5, 0.6])
    storage.release(claim, StudyState.COMPLETED)

    storage.delete_study("wine")

    assert rows(f"sqlite:///{file}") == before
    storage.close()


def test_trials_that_optuna_added_itself_are_noticed_before_numbers_clash(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    claim, _ = begun(storage, 1)
    optuna.load_study(study_name="wine", storage=f"sqlite:///{file}").ask()

    with pytest.raises(IllegalMove, match="another program added trials"):
        storage.plan_trials(claim, SPACE, [TrialPlan(number=1, params={})], [CohortPlan(numbers=(1,))])
    storage.close()


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("told", [{"values": 0.9}, {"state": optuna.trial.TrialState.FAIL}])
def test_what_another_program_told_of_a_running_trial_gives_way_to_what_was_found(
    request: pytest.FixtureRequest, database: str, told: dict[str, Any]
):
    url = request.getfixturevalue(database)
    storage = open_storage(url)
    claim, cohort = begun(storage, 2)
    optuna.load_study(study_name="wine", storage=url).tell(0, **told)

    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.25), complete(1, 0.5)], done=True)

    found = optuna.load_study(study_name="wine", storage=url).trials
    assert [(t.state.name, t.value) for t in found] == [("COMPLETE", 0.25), ("COMPLETE", 0.5)]
    assert [(t.state.name, t.value) for t in storage.trials("wine")] == [
        ("COMPLETE", 0.25),
        ("COMPLETE", 0.5),
    ]
    storage.close()


def test_a_name_that_a_study_of_optunas_own_has_is_taken(file: Path):
    from_optuna = optuna.create_study(study_name="wine", storage=f"sqlite:///{file}")
    storage = open_storage(f"sqlite:///{file}")

    with pytest.raises(Exception, match="exists already"):
        storage.create_study(new_study())

    assert from_optuna.trials == []
    storage.close()


def test_the_optuna_dashboard_shows_a_study_and_its_trials(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    finished(storage, [0.5, 0.75])
    study = storage.get_study("wine")
    app = optuna_dashboard.wsgi(optuna.storages.get_storage(f"sqlite:///{file}"))

    listed = ask(app, "/api/studies")["study_summaries"]
    detail = ask(app, f"/api/studies/{study.id}")

    assert [s["study_name"] for s in listed] == ["wine"]
    assert listed[0]["directions"] == ["maximize"]
    assert [t["values"] for t in detail["trials"]] == [[0.5], [0.75]]
    assert detail["objective_names"] == ["accuracy"]
    storage.close()


def ask(app: Any, path: str) -> Any:
    """What a web application answers to a GET."""
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    setup_testing_defaults(environ)
    return json.loads(b"".join(app(environ, lambda *_: None)))
