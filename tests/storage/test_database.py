"""What only a database can get wrong: locks, a full disk, a lost file, indexes, several processes."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from hpo.cohort import CohortPlan
from hpo.errors import StorageFull, StorageUnavailable
from hpo.states import TrialState
from hpo.storage.base import TrialQuery
from hpo.storage.database import Database
from hpo.storage.engine import Transactions, sqlite_engine, translated
from hpo.storage.open import open_storage
from hpo.study import Direction
from hpo.testing.studies import SPACE, begun, complete, counted, driver, finished, new_study, numbers, plans
from hpo.trial import TrialResult


@pytest.fixture
def transactions(file: Path):
    transactions = Transactions(sqlite_engine(file, busy_timeout_s=0.01), str(file), file)
    yield transactions
    transactions.close()


def test_a_full_disk_is_one_sentence_and_the_study_goes_on_once_there_is_room(
    file: Path, transactions: Transactions
):
    limit = {"pages": 0}

    @event.listens_for(transactions.engine, "checkout")
    def _limit(connection, _record, _proxy):
        connection.execute(f"PRAGMA max_page_count = {limit['pages'] or 1_000_000}")

    storage = Database(transactions)
    claim, cohort = begun(storage, 2)
    with closing(sqlite3.connect(file)) as connection:
        limit["pages"] = connection.execute("PRAGMA page_count").fetchone()[0]

    with pytest.raises(StorageFull, match=r"hpo\.db is full; free some space$"):
        storage.plan_trials(claim, SPACE, plans(2, 5000), [CohortPlan(numbers=tuple(range(2, 5002)))])

    assert counted(storage.get_study("wine").counts) == {"RUNNING": 2}
    limit["pages"] = 0
    storage.plan_trials(claim, SPACE, plans(2, 5000), [CohortPlan(numbers=tuple(range(2, 5002)))])
    storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5)])
    assert counted(storage.get_study("wine").counts) == {"RUNNING": 5001, "COMPLETE": 1}


def test_a_lock_that_stays_is_one_sentence_and_nothing_is_lost(file: Path, transactions: Transactions):
    storage = Database(transactions)
    storage.create_study(new_study())

    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked by another process; nothing is lost, try again"):
            storage.set_trials("wine", 9)
        assert storage.get_study("wine").n_trials == 8  # readers do not wait for writers

    assert storage.set_trials("wine", 9).n_trials == 9


def test_threads_of_one_process_write_in_turns_however_short_the_wait_for_others(file: Path):
    transactions = Transactions(sqlite_engine(file, busy_timeout_s=0.001), str(file), file)
    n_threads, n_rows = 8, 20_000
    rows = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {n_rows}) SELECT n FROM c"

    def write(_: int) -> None:
        with transactions.write() as connection:
            connection.exec_driver_sql(f"INSERT INTO counted {rows}")

    with transactions.write() as connection:
        connection.exec_driver_sql("CREATE TABLE counted (n INTEGER)")
    with ThreadPoolExecutor(n_threads) as threads:
        list(threads.map(write, range(n_threads)))

    with transactions.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM counted").scalar_one()
    assert count == n_threads * n_rows
    transactions.close()


def test_a_file_that_was_removed_is_noticed_at_once(file: Path, transactions: Transactions):
    storage = Database(transactions)
    storage.create_study(new_study())

    file.unlink()

    with pytest.raises(StorageUnavailable, match="is gone"):
        storage.set_trials("wine", 9)
    with pytest.raises(StorageUnavailable, match="is gone"):
        storage.list_studies()
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("disk I/O error", StorageUnavailable, "input/output error"),
        ("attempt to write a readonly database", StorageUnavailable, "read-only"),
        ("database disk image is malformed", StorageUnavailable, "damaged"),
        ('could not extend file "base/1": No space left on device', StorageFull, "full"),
        ("server closed the connection\nunexpectedly", StorageUnavailable, "connection unexpectedly"),
    ],
)
def test_what_a_driver_says_becomes_one_sentence(words: str, kind: type, sentence: str):
    error = translated(sqlite3.OperationalError(words), "/data/hpo.db")

    assert type(error) is kind
    assert sentence in str(error)
    assert "/data/hpo.db" in str(error)
    assert "\n" not in str(error)


def statements(transactions: Transactions) -> list[tuple[str, Any]]:
    """What is asked of the database from now on, with its parameters."""
    asked: list[tuple[str, Any]] = []
    event.listen(
        transactions.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, parameters, *_: asked.append((statement, parameters)),
    )
    return asked


def plan_of(transactions: Transactions, statement: str, parameters: Any) -> str:
    """How SQLite goes about a statement, step by step."""
    with transactions.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    return " / ".join(str(row[-1]) for row in plan)


@pytest.mark.parametrize("sort", ["value", "-value", "number", "-number"])
def test_a_page_walks_an_index_and_sorts_nothing_not_even_ties(transactions: Transactions, sort: str):
    storage = Database(transactions)
    finished(storage, [0.5, 0.9, 0.1])
    asked = statements(transactions)

    storage.trials("wine", TrialQuery(sort=sort, limit=2))
    storage.trials("wine", TrialQuery(sort=sort, states=(TrialState.COMPLETE,), limit=2))
    storage.best_trials("wine", 2)

    pages = [(s, p) for s, p in asked if "FROM hpo_trials" in s]
    assert len(pages) == 3
    for page in pages:
        steps = plan_of(transactions, *page)
        assert "USING INDEX hpo_trials" in steps or "USING INDEX sqlite_autoindex_hpo_trials" in steps
        assert "TEMP B-TREE" not in steps, steps


@pytest.mark.parametrize("sort", ["value", "-value", "finished_at", "-finished_at"])
def test_a_page_of_the_few_in_a_state_does_not_look_through_all_others(transactions: Transactions, sort: str):
    storage = Database(transactions)
    claim, cohort = begun(storage, 40)
    pruned = [TrialResult(number=n, state=TrialState.PRUNED, value=n / 40) for n in (3, 30)]
    results = [*pruned, *(complete(n, n / 40) for n in range(40) if n not in (3, 30))]
    storage.finish_trials(claim, cohort.id, cohort.attempt, results)
    asked = statements(transactions)

    few = storage.trials("wine", TrialQuery(sort=sort, states=(TrialState.PRUNED,), limit=2))
    many = storage.trials("wine", TrialQuery(sort=sort, states=(TrialState.COMPLETE,), limit=2))

    assert numbers(few) == ([30, 3] if sort.startswith("-") else [3, 30])
    assert len(many) == 2
    pages = [(s, p) for s, p in asked if "FROM hpo_trials" in s]
    of_few, of_many = (plan_of(transactions, *page) for page in pages)
    assert " hpo_trials_state " in of_few
    assert " hpo_trials_state " not in of_many
    assert "TEMP B-TREE FOR ORDER BY" not in of_many


_CLAIM = """
import sys
from hpo.errors import StudyOwned
from hpo.storage.open import open_storage
from hpo.study import Driver
storage = open_storage(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    claim = storage.claim_study("wine", Driver(host="node", pid=int(sys.argv[2]), born=1.0, token=sys.argv[2]))
    print("won", claim.attempt, flush=True)
except StudyOwned as error:
    print("lost:", error, flush=True)
"""


def test_of_two_processes_that_claim_a_study_one_wins(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    storage.create_study(new_study())
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _CLAIM, f"sqlite:///{file}", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for pid in (1, 2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = sorted(process.communicate()[0].strip() for process in processes)

    owner = storage.get_study("wine").driver
    assert owner is not None
    assert answers == [f"lost: study 'wine' is being run by process {owner.pid} on node", "won 1"]
    storage.close()


_WRITE = """
import sys
from hpo.cohort import CohortPlan
from hpo.storage.open import open_storage
from hpo.testing.studies import SPACE, complete, driver, new_study, plans
storage = open_storage(sys.argv[1])
name = sys.argv[2]
storage.create_study(new_study(name))
claim = storage.claim_study(name, driver(name))
for first in range(0, 200, 20):
    [cohort] = storage.plan_trials(claim, SPACE, plans(first, 20), [CohortPlan(numbers=tuple(range(first, first + 20)))])
    started = storage.start_cohort(claim, cohort.id)
    storage.finish_trials(claim, cohort.id, started.attempt, [complete(n, n / 200) for n in cohort.numbers], done=True)
"""


def test_several_processes_write_into_one_file_and_every_trial_is_there_once(file: Path):
    names = ["a", "b", "c"]
    processes = [
        subprocess.Popen([sys.executable, "-c", _WRITE, f"sqlite:///{file}", name]) for name in names
    ]

    assert [process.wait() for process in processes] == [0, 0, 0]

    storage = open_storage(f"sqlite:///{file}")
    for name in names:
        assert counted(storage.get_study(name).counts) == {"COMPLETE": 200}
        assert [t.number for t in storage.trials(name)] == list(range(200))
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT study_id, count(*), count(DISTINCT number) FROM trials GROUP BY 1")
        assert [row[1:] for row in found] == [(200, 200)] * 3
        ids = "SELECT count(*) FROM trials t JOIN hpo_trials h USING (trial_id, number, study_id)"
        assert connection.execute(ids).fetchone() == (600,)
    storage.close()


_DIE = """
import os, sys
from hpo.storage.open import open_storage
from hpo.testing.studies import begun, complete
storage = open_storage(sys.argv[1])
claim, cohort = begun(storage, 4)
storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(0, 0.5)])
os.kill(os.getpid(), 9)
"""


def test_a_driver_that_was_killed_leaves_a_study_to_take_over_with_what_it_had(file: Path):
    subprocess.run([sys.executable, "-c", _DIE, f"sqlite:///{file}"], check=False)
    storage = open_storage(f"sqlite:///{file}")
    dead = storage.get_study("wine").driver

    claim = storage.claim_study("wine", driver("second"), dead=dead)

    assert claim.attempt == 2
    assert [t.number for t in storage.unfinished("wine")] == [1, 2, 3]
    [cohort] = storage.open_cohorts("wine")
    again = storage.start_cohort(claim, cohort.id)
    assert again.attempt == 2
    ended = storage.finish_trials(claim, cohort.id, 2, [complete(n, 0.6) for n in range(4)], done=True)
    assert ended == [1, 2, 3]
    assert storage.get_trial("wine", 0).value == 0.5
    storage.close()


def test_a_value_that_is_not_finite_is_a_word_for_optuna_and_null_for_us(file: Path):
    storage = open_storage(f"sqlite:///{file}")
    finished(storage, [float("inf"), float("-inf"), 0.5], direction=Direction.MINIMIZE)

    with closing(sqlite3.connect(file)) as connection:
        theirs = connection.execute("SELECT value, value_type FROM trial_values ORDER BY trial_id").fetchall()
        ours = connection.execute("SELECT value FROM hpo_trials ORDER BY number").fetchall()

    assert theirs == [(None, "INF_POS"), (None, "INF_NEG"), (0.5, "FINITE")]
    assert ours == [(None,), (None,), (0.5,)]
    storage.close()
