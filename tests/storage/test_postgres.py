"""PostgreSQL keeps the same contract, and Optuna reads it there as well. A server of its own is started."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.testing.pytest_storages import StorageTestCase
from sqlalchemy import create_engine, inspect, text

from hpo.cohort import CohortPlan
from hpo.errors import IllegalMove
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.storage import StorageContract
from hpo.testing.studies import SPACE, begun, complete, finished, plans

pytestmark = pytest.mark.postgres


def _as_server(*command: str) -> None:
    """Run a command of the server's; it refuses to run as root."""
    user = "postgres" if getpass.getuser() == "root" else None
    subprocess.run(command, check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a database that these tests may empty: HPO_TEST_POSTGRES, or on a server of their own."""
    given = os.environ.get("HPO_TEST_POSTGRES")
    if given:
        yield given
        return
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("this machine has no PostgreSQL server; HPO_TEST_POSTGRES may name one elsewhere")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "data"
        os.chmod(parent, 0o777)  # the server's own user makes its folder in it
        _as_server(initdb, "-D", str(folder), "-U", "hpo", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {parent} -c fsync=off"
        _as_server(pg_ctl, "-D", str(folder), "-w", "-l", f"{parent}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://hpo@127.0.0.1:{port}/postgres"
        finally:
            _as_server(pg_ctl, "-D", str(folder), "-m", "immediate", "stop")


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """The same database without rows, whatever the last test left."""
    yield server
    engine = create_engine(server)
    with engine.begin() as connection:
        tables = inspect(connection).get_table_names()
        kept = {"alembic_version", "hpo_alembic_version", "version_info"}
        connection.execute(text(f"TRUNCATE {', '.join(set(tables) - kept)} RESTART IDENTITY"))
    engine.dispose()


class TestPostgres(StorageContract):
    @pytest.fixture
    def storage(self, url: str):
        storage = open_storage(url)
        yield storage
        storage.close()


def test_optuna_reads_the_trials_and_names_the_same_best(url: str):
    storage = open_storage(url)
    claim = finished(storage, [0.5, float("inf"), 0.7, 0.1][::2])
    storage.release(claim, StudyState.COMPLETED)

    study = optuna.load_study(study_name="wine", storage=url)

    assert [t.value for t in study.trials] == [0.5, 0.7]
    assert [t.params["hidden_units"] for t in study.trials] == [16, 17]
    assert study.trials[0].intermediate_values == {1: 0.25, 3: 0.5}
    assert study.best_trial.number == storage.best_trials("wine")[0].number == 1
    storage.close()


def test_numbers_go_on_after_optunas_own_studies_took_ids(url: str):
    storage = open_storage(url)
    claim, cohort = begun(storage, 2)
    foreign = optuna.create_study(study_name="foreign", storage=url)
    foreign.ask()

    storage.plan_trials(claim, SPACE, plans(2, 2), [CohortPlan(numbers=(2, 3))])
    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(1, 0.5)])

    study = optuna.load_study(study_name="wine", storage=url)
    assert [t.state.name for t in study.trials] == ["RUNNING", "COMPLETE", "RUNNING", "RUNNING"]
    study.ask()
    with pytest.raises(IllegalMove, match="another program"):
        storage.plan_trials(claim, SPACE, plans(4, 1), [CohortPlan(numbers=(4,))])
    storage.close()


def test_a_study_deleted_by_optuna_is_gone_for_hpo(url: str):
    storage = open_storage(url)
    finished(storage, [0.5, 0.6])

    optuna.delete_study(study_name="wine", storage=url)

    assert storage.list_studies() == []
    storage.close()


@pytest.mark.slow
class TestOptunasStorageSuite(StorageTestCase):
    """Every test of optuna.testing.pytest_storages, on tables that hpo made."""

    @pytest.fixture
    def storage(self, url: str) -> Iterator[optuna.storages.RDBStorage]:
        open_storage(url).close()
        storage = optuna.storages.RDBStorage(url)
        yield storage
        storage.engine.dispose()
