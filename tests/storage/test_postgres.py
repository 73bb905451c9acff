"""PostgreSQL keeps the same contract, and Optuna reads it there as well. A server of its own is started."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import optuna
import psycopg
import pytest
from optuna.testing.pytest_storages import StorageTestCase
from sqlalchemy import Connection, make_url, text

from hpo.account import Quota
from hpo.cohort import CohortPlan
from hpo.errors import IllegalMove, StorageUnavailable
from hpo.states import StudyState
from hpo.storage import stuck
from hpo.storage.engine import Transactions, server_engine
from hpo.storage.open import open_storage
from hpo.testing.postgres import has_postgres, own_server
from hpo.testing.server_program import until
from hpo.testing.storage import StorageContract
from hpo.testing.studies import SPACE, begun, complete, driver, finished, plans

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


@pytest.mark.skipif(not has_postgres(), reason="this machine has no PostgreSQL server")
def test_connections_from_before_a_restart_of_the_server_are_not_used():
    with own_server() as server:
        transactions = Transactions(server_engine(make_url(server.url)), "")

        def sessions() -> set[int]:
            with transactions.read() as one, transactions.read() as other, transactions.write() as third:
                return {its.scalar(text("SELECT pg_backend_pid()")) for its in (one, other, third)}

        before, kept = sessions(), sessions()
        server.stop()
        server.start()
        after = sessions()
        transactions.close()

    assert kept == before
    assert len(after) == 3


def test_a_reader_holds_no_transaction_open_and_a_writer_does(postgres: str):
    transactions = Transactions(server_engine(make_url(postgres)), "")
    state = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")

    def seen(session: Connection) -> str:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with transactions.read() as looking:
            return str(looking.scalar(state, {"pid": pid}))

    for _ in range(2):  # the same connections, the other way round
        with transactions.read() as reader, transactions.write() as writer:
            assert (seen(reader), seen(writer)) == ("idle", "idle in transaction")
        with transactions.write() as writer, transactions.read() as reader:
            assert (seen(reader), seen(writer)) == ("idle", "idle in transaction")
    transactions.close()


def test_a_writer_that_freezes_in_a_transaction_keeps_the_others_waiting_for_no_longer_than_a_moment(
    postgres: str,
):
    open_storage(postgres).close()
    frozen = Transactions(server_engine(make_url(postgres), silent_s=1), "")
    other = Transactions(server_engine(make_url(postgres)), "")
    lock = text("LOCK TABLE hpo_studies")

    def write_slowly() -> None:
        with frozen.write() as writer:
            writer.execute(lock)
            with other.write() as waiting:
                waiting.execute(lock)  # which returns when the server has ended the first connection
            writer.execute(text("SELECT 1"))

    with pytest.raises(StorageUnavailable, match="idle-in-transaction"):
        write_slowly()

    with frozen.write() as writer:  # it wakes up, and is served again
        assert writer.scalar(text("SELECT 1")) == 1
    frozen.close()
    other.close()


@pytest.mark.parametrize("known", [True, False], ids=["known to be dead", "lease over"])
def test_a_driver_that_froze_in_the_middle_of_a_batch_does_not_keep_its_study(
    postgres: str, monkeypatch, known: bool
):
    monkeypatch.setattr(stuck, "STUCK_S", 0.0)
    storage = open_storage(postgres)
    claim, _ = begun(storage)
    if not known:
        storage.renew(claim, lease_s=0.0)
    locks, reads = (_silent(postgres, b"SELECT * FROM hpo_studies" + end) for end in (b" FOR UPDATE", b""))
    before = [until(lambda one=one: _state_of(postgres, one)) for one in (locks, reads)]

    taken = storage.claim_study("wine", driver("second"), dead=claim.driver if known else None)

    after = [_state_of(postgres, one) for one in (locks, reads)]
    locks.finish()
    reads.finish()
    storage.close()
    waits = ("active", "ClientRead")
    assert before == [waits, waits]
    assert taken.attempt == 2
    assert after == [None, waits]


def _silent(url: str, command: bytes) -> psycopg.pq.PGconn:
    """A client that says no more after it has begun a batch of commands."""
    client = psycopg.pq.PGconn.connect(url.replace("+psycopg", "").encode())
    client.enter_pipeline_mode()
    for words in (b"BEGIN", command):
        client.send_query_params(words, None)
    client.send_flush_request()
    client.flush()
    return client


def _state_of(url: str, client: psycopg.pq.PGconn) -> tuple[str, str] | None:
    """What PostgreSQL says of a client that it waits for, and that holds locks."""
    asked = (
        "SELECT a.state, a.wait_event FROM pg_stat_activity a JOIN pg_locks l USING (pid) "
        "WHERE pid = %s AND l.relation IS NOT NULL"
    )
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        found = connection.execute(asked, [client.backend_pid]).fetchone()
    return found if found and found[1] == "ClientRead" else None


def test_either_side_finds_out_that_the_other_is_cut_off(postgres: str):
    transactions = Transactions(server_engine(make_url(postgres)), "")
    asked = "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"

    with transactions.read() as session:
        theirs = [session.scalar(text(f"SHOW {name}")) for name in asked]
        with socket.fromfd(session.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as ours:
            options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT
            mine = [ours.getsockopt(socket.IPPROTO_TCP, option) for option in options]
    transactions.close()

    assert theirs == ["6", "3", "3", "15000"]
    assert mine == [6, 3, 3, 15000]
