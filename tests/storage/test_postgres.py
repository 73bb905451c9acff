"""PostgreSQL keeps the same contract, and Optuna reads it there as well. A server of its own is started."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
from optuna.testing.pytest_storages import StorageTestCase

from hpo.account import Quota
from hpo.cohort import CohortPlan
from hpo.errors import IllegalMove
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.storage import StorageContract
from hpo.testing.studies import SPACE, begun, complete, finished, plans

pytestmark = pytest.mark.postgres


class TestPostgres(StorageContract):
    @pytest.fixture
    def storage(self, postgres: str):
        storage = open_storage(postgres)
        yield storage
        storage.close()


def test_optuna_reads_the_trials_and_names_the_same_best(postgres: str):
    storage = open_storage(postgres)
    claim = finished(storage, [0.5, float("inf"), 0.7, 0.1][::2])
    storage.release(claim, StudyState.COMPLETED)

    study = optuna.load_study(study_name="wine", storage=postgres)

    assert [t.value for t in study.trials] == [0.5, 0.7]
    assert [t.params["hidden_units"] for t in study.trials] == [16, 17]
    assert study.trials[0].intermediate_values == {1: 0.25, 3: 0.5}
    assert study.best_trial.number == storage.best_trials("wine")[0].number == 1
    storage.close()


def test_numbers_go_on_after_optunas_own_studies_took_ids(postgres: str):
    storage = open_storage(postgres)
    claim, cohort = begun(storage, 2)
    foreign = optuna.create_study(study_name="foreign", storage=postgres)
    foreign.ask()

    storage.plan_trials(claim, SPACE, plans(2, 2), [CohortPlan(numbers=(2, 3))])
    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(1, 0.5)])

    study = optuna.load_study(study_name="wine", storage=postgres)
    assert [t.state.name for t in study.trials] == ["RUNNING", "COMPLETE", "RUNNING", "RUNNING"]
    study.ask()
    with pytest.raises(IllegalMove, match="another program"):
        storage.plan_trials(claim, SPACE, plans(4, 1), [CohortPlan(numbers=(4,))])
    storage.close()


def test_the_same_bytes_kept_by_many_at_one_moment_are_one_data_set(postgres: str):
    storage = open_storage(postgres)
    names = [f"{n}.csv" for n in range(8)]

    with ThreadPoolExecutor(len(names)) as threads:
        for n in range(10):
            data = bytes([n]) * 100_000
            kept = list(threads.map(lambda name, data=data: storage.add_dataset(name, [data], {}), names))
            assert kept == [kept[0]] * len(names)

    assert len(storage.list_datasets()) == 10
    storage.close()


def test_of_quotas_given_to_one_owner_at_one_moment_one_holds(postgres: str):
    storage = open_storage(postgres)
    limits = range(1, 9)

    with ThreadPoolExecutor(len(limits)) as threads:
        for n in range(10):
            list(threads.map(lambda most, n=n: storage.set_quota(f"owner-{n}", Quota(studies=most)), limits))

    held = storage.quotas()
    assert len(held) == 10
    assert all(quota.studies in limits for quota in held.values())
    storage.close()


def test_a_study_deleted_by_optuna_is_gone_for_hpo(postgres: str):
    storage = open_storage(postgres)
    finished(storage, [0.5, 0.6])

    optuna.delete_study(study_name="wine", storage=postgres)

    assert storage.list_studies() == []
    storage.close()


@pytest.mark.slow
class TestOptunasStorageSuite(StorageTestCase):
    """Every test of optuna.testing.pytest_storages, on tables that hpo made."""

    @pytest.fixture
    def storage(self, postgres: str) -> Iterator[optuna.storages.RDBStorage]:
        open_storage(postgres).close()
        storage = optuna.storages.RDBStorage(postgres)
        yield storage
        storage.engine.dispose()
