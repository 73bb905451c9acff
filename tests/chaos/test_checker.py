"""The checker of the chaos rounds finds nothing in an undisturbed study, and sees each kind of damage."""

import shutil

import pytest
from sqlalchemy import create_engine, text

from hpo.coordinator.loop import Coordinator, Options
from hpo.storage.open import open_storage
from hpo.testing.coordinating import job_of, submit
from hpo.testing.simulated_pool import SimulatedPool
from tests.chaos import checker
from tests.chaos.studies import STUDIES, file_of


def search(url, *names):
    """Run studies on a pool that only pretends to train."""
    storage = open_storage(url)
    options = Options(poll_s=0.0, renew_s=0.0)
    for name in names:
        study = submit(storage, file_of(name, trials=50, epochs=4))
        Coordinator(storage, SimulatedPool(n_slots=2), options=options).run(job_of(storage, study))
    storage.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, empty_database):
    """The file of a database in which one study of each kind has ended."""
    file = shutil.copy(empty_database, tmp_path_factory.mktemp("whole") / "hpo.db")
    search(f"sqlite:///{file}", *STUDIES)
    return file


def complaints_after(statement, url, reference):
    """What the checker says of the grid, once a statement has changed some rows of its database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0
    engine.dispose()
    return " ".join([*checker.check(url, "grid"), *checker.compare(url, reference, "grid")])


# By number, of the study of the grid; 51 trials, the first of them enqueued.
GRID = "study_id = (SELECT study_id FROM studies WHERE study_name = 'grid')"
TRIAL = f"(SELECT trial_id FROM trials WHERE number = 3 AND {GRID})"
DAMAGE = {
    "a number": (f"UPDATE hpo_trials SET number = 1000 WHERE number = 7 AND {GRID}", "51 numbers, of 51"),
    "a point": (
        f"UPDATE hpo_trials SET params = (SELECT params FROM hpo_trials WHERE number = 1 AND {GRID}) "
        f"WHERE number = 2 AND {GRID}",
        "49 different",
    ),
    "a trial that runs": (
        f"UPDATE hpo_trials SET state = 'RUNNING' WHERE number = 3 AND {GRID}",
        "trials are {'RUNNING'}",
    ),
    "a trial that was lost": (
        f"UPDATE hpo_trials SET reason = 'lost' WHERE number = 3 AND {GRID}",
        "trials [3] were given up",
    ),
    "a value": (f"UPDATE hpo_trials SET value = value + 1e-15 WHERE number = 3 AND {GRID}", "results differ"),
    "a best epoch": (f"UPDATE hpo_trials SET best_epoch = 0 WHERE number = 3 AND {GRID}", "results differ"),
    "a longer trial": (
        f"UPDATE hpo_trials SET epochs = 5 WHERE number = 3 AND {GRID}",
        "trial 3 of 5 epochs has a curve of 4",
    ),
    "Optuna's value": (
        f"UPDATE trial_values SET value = 0 WHERE trial_id = {TRIAL}",
        "Optuna's trials are not hpo's",
    ),
    "Optuna's steps": (
        f"UPDATE trial_intermediate_values SET intermediate_value = 7 WHERE trial_id = {TRIAL}",
        "the steps [4] are not on its curve",
    ),
    "a step that is missing": (
        f"DELETE FROM trial_intermediate_values WHERE step = 4 AND trial_id = {TRIAL}",
        "trial 3 of 4 epochs has no last step, but []",
    ),
    "a cohort that runs": (
        f"UPDATE hpo_cohorts SET state = 'RUNNING' WHERE {GRID}",
        "cohorts are {'RUNNING'}",
    ),
    "a lane": (
        f"DELETE FROM hpo_cohort_lanes WHERE number = 3 AND cohort IN (SELECT id FROM hpo_cohorts WHERE {GRID})",
        "the cohorts' lanes are not the trials",
    ),
    "a lease": (f"UPDATE hpo_studies SET lease_until = 1 WHERE {GRID}", "a driver or a lease"),
    "what was enqueued": (
        f"UPDATE hpo_trials SET sampled = true WHERE number = 0 AND {GRID}",
        "0 enqueued settings were tried, of 1",
    ),
    "what still waits": (
        "INSERT INTO hpo_queue (study_id, params, created_at) "
        "SELECT study_id, '{}', '2026-01-01' FROM studies WHERE study_name = 'grid'",
        "1 settings still wait",
    ),
    "the test score": (
        f"UPDATE hpo_studies SET test = replace(test, '\"scored\"', '\"counted\"') WHERE {GRID}",
        "the test score is",
    ),
    "a count": (
        f"UPDATE hpo_studies SET n_complete = n_complete - 1 WHERE {GRID}",
        "n_complete is 50, not 51",
    ),
    "the state": (f"UPDATE hpo_studies SET state = 'FAILED' WHERE {GRID}", "the study is FAILED"),
}
OF_SQLITE = {
    "a curve": (
        f"UPDATE hpo_curves SET block = zeroblob(16) WHERE number = 3 AND {GRID}",
        "trial 3 of 4 epochs",
    ),
    "the model": (
        f"UPDATE hpo_chunks SET data = zeroblob(8) WHERE blob IN (SELECT blob FROM hpo_models WHERE {GRID})",
        "model differ",
    ),
}


@pytest.mark.parametrize("name", STUDIES)
def test_the_checker_finds_nothing_in_an_undisturbed_study(undisturbed, name):
    url = f"sqlite:///{undisturbed}"

    assert checker.check(url, name) == []
    assert checker.compare(url, url, name) == []


@pytest.mark.parametrize(("statement", "complaint"), (DAMAGE | OF_SQLITE).values(), ids=DAMAGE | OF_SQLITE)
def test_the_checker_sees_what_is_wrong(undisturbed, tmp_path, statement, complaint):
    spoiled = f"sqlite:///{shutil.copy(undisturbed, tmp_path / 'hpo.db')}"

    assert complaint in complaints_after(statement, spoiled, f"sqlite:///{undisturbed}")


@pytest.mark.postgres
@pytest.mark.parametrize("damage", ["a value", "a step that is missing", "a lease"])
def test_the_checker_sees_it_on_postgresql_too(undisturbed, postgres, damage):
    statement, complaint = DAMAGE[damage]
    search(postgres, "grid")
    before = [
        *checker.check(postgres, "grid"),
        *checker.compare(postgres, f"sqlite:///{undisturbed}", "grid"),
    ]

    after = complaints_after(statement, postgres, f"sqlite:///{undisturbed}")

    assert before == []
    assert complaint in after


def test_a_study_that_is_not_there_is_a_finding(undisturbed):
    assert checker.check(f"sqlite:///{undisturbed}", "other") == ["there is no such study"]
