"""Pages sorted by a parameter: a database looks at what it shows, whatever the study's size and the ties."""

import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, make_url, text

from hpo.cohort import CohortPlan
from hpo.space import Choice, Params, Range, SearchSpace
from hpo.states import TrialState
from hpo.storage import by_param
from hpo.storage.base import Storage, TrialQuery
from hpo.storage.database import Database
from hpo.storage.engine import Transactions, server_engine, sqlite_engine
from hpo.storage.memory import Memory
from hpo.storage.open import open_storage
from hpo.storage.ordering import SORTED_TEXT, after_of, sort_key
from hpo.study import MAX_TRIALS
from hpo.testing.studies import driver, new_study, numbers
from hpo.trial import TrialPlan
from tests.storage.test_open import change, older_file, query

LIMIT = 10
SPACE = SearchSpace(
    {
        "learning_rate": Range(low=0.0, high=1.0, type="float"),
        "optimizer": Choice(choices=("sgd", "adam")),
        "momentum": Range(low=0.0, high=1.0, type="float"),
        "seldom": Choice(choices=(1, "one", None)),
        "fixed": Choice(choices=(0.5,)),
    }
)
SORTS = [sign + f"params.{name}" for name in SPACE.searched for sign in ("", "-")]
ASKED = [(sort, states) for sort in SORTS for states in ((), (TrialState.RUNNING,))]


def settings(number: int) -> Params:
    """Those of a trial; only trials of sgd have a momentum, few have what is seldom."""
    params: dict[str, Any] = {"learning_rate": number * math.pi % 1, "fixed": 0.5}
    own = {"optimizer": "sgd", "momentum": number % 7 / 7} if number % 2 else {"optimizer": "adam"}
    return params | own | ({"seldom": (1, "one", None)[number % 3]} if number % 40 < 3 else {})


def fill(storage: Storage, name: str, n: int) -> None:
    """A study of n trials."""
    storage.create_study(new_study(name))
    plans = [TrialPlan(number=number, params=settings(number)) for number in range(n)]
    cohort = CohortPlan(numbers=tuple(range(n)))
    storage.plan_trials(storage.claim_study(name, driver()), SPACE, plans, [cohort])


def pages(
    storage: Storage, name: str, sort: str, states: tuple[TrialState, ...], work: Callable[[], float]
) -> Iterator[float]:
    """What the first page took, and those behind places all over the study. work: what there was since last asked."""
    everyone = storage.trials(name, TrialQuery(sort=sort))
    work()
    places = [0, *(len(everyone) * part // 12 for part in range(1, 12)), len(everyone) - LIMIT]
    for place in places:
        after = after_of(everyone[place - 1], sort) if place else None
        page = storage.trials(name, TrialQuery(sort=sort, states=states, after=after, limit=LIMIT))
        took = work()
        assert numbers(page) == numbers(everyone[place : place + LIMIT])
        yield took


@contextmanager
def counting_steps(transactions: Transactions) -> Iterator[Callable[[], float]]:
    """How many steps SQLite's machine took since last asked, in hundreds."""
    taken = [0.0]

    def count() -> None:
        taken[0] += 1

    def watch(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(count, 100)

    def ask() -> float:
        steps, taken[0] = taken[0], 0.0
        return steps

    event.listen(transactions.engine, "checkout", watch)
    yield ask


def test_on_sqlite_any_page_of_many_trials_takes_the_steps_of_one_of_few(file: Path):
    transactions = Transactions(sqlite_engine(file), "test", file)
    storage = Database(transactions)
    fill(storage, "few", 500)
    fill(storage, "many", 4_000)

    with counting_steps(transactions) as steps:
        few, many = (
            {(sort, states): max(pages(storage, name, sort, states, steps)) for sort, states in ASKED}
            for name in ("few", "many")
        )

    assert min(few.values()) > 0
    assert {asked: (few[asked], n) for asked, n in many.items() if n > 1.25 * few[asked] + 1} == {}
    transactions.close()


@pytest.mark.parametrize("place", ["file", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_blocks_are_sorted_as_one(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, place: str
):
    monkeypatch.setattr(by_param, "BLOCK", 64)
    found = request.getfixturevalue(place)
    storage, memory = open_storage(found if place == "postgres" else f"sqlite:///{found}"), Memory()
    for each in (storage, memory):
        fill(each, "many", 500)

    for sort in SORTS:
        whole = numbers(memory.trials("many", TrialQuery(sort=sort)))
        assert numbers(storage.trials("many", TrialQuery(sort=sort))) == whole
        assert numbers(storage.trials("many", TrialQuery(sort=sort, limit=9, offset=95))) == whole[95:104]
        for page in pages(storage, "many", sort, (), float):
            assert page == 0.0
    storage.close()


def test_on_sqlite_a_study_may_have_as_many_blocks_as_it_may_have_trials(
    monkeypatch: pytest.MonkeyPatch, file: Path
):
    monkeypatch.setattr(by_param, "BLOCK", 1)
    storage = open_storage(f"sqlite:///{file}")
    n = MAX_TRIALS // (1 << 14) + 1
    fill(storage, "many", n)

    page = numbers(storage.trials("many", TrialQuery(sort="-params.learning_rate", limit=LIMIT)))

    assert page == sorted(range(n), key=lambda number: -(number * math.pi % 1))[:LIMIT]
    storage.close()


def looked_at(node: dict[str, Any]) -> float:
    """Rows that a plan's scans read, those that were thrown away as well."""
    own = 0.0
    if "Scan" in node["Node Type"]:
        removed = sum(
            node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck", "Join Filter")
        )
        own = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return own + sum(map(looked_at, node.get("Plans", ())))


@contextmanager
def counting_rows(transactions: Transactions) -> Iterator[Callable[[], float]]:
    """How many rows PostgreSQL looked at since last asked, by its own account of each statement run again."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("EXPLAIN"):
            asked.append((statement, parameters))

    def ask() -> float:
        statements, asked[:] = asked[:], []
        with transactions.read() as connection:
            plans = [
                connection.exec_driver_sql(
                    f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
                ).scalar_one()
                for statement, parameters in statements
            ]
        return sum(looked_at(plan[0]["Plan"]) for plan in plans)

    event.listen(transactions.engine, "before_cursor_execute", note)
    yield ask


@pytest.mark.postgres
@pytest.mark.parametrize("analyzed", [False, True])
def test_on_postgresql_any_page_looks_at_a_few_rows_for_each_that_it_shows(postgres: str, analyzed: bool):
    open_storage(postgres).close()
    transactions = Transactions(server_engine(make_url(postgres)), "")
    storage = Database(transactions)
    fill(storage, "many", 4_000)
    if analyzed:
        with transactions.write() as connection:
            connection.execute(text("ANALYZE"))

    with counting_rows(transactions) as rows:
        most = {(sort, states): max(pages(storage, "many", sort, states, rows)) for sort, states in ASKED}

    assert {asked: n for asked, n in most.items() if not LIMIT <= n <= 8 * LIMIT} == {}
    transactions.close()


def test_trials_of_an_older_file_are_sorted_by_parameters_to_the_last_bit_beside_new_ones(tmp_path: Path):
    file = older_file(tmp_path, "0006")
    searched = {"rate": {"low": 0, "high": 1}, "kind": ["a", "b", None], "momentum": {"low": 0, "high": 1}}
    spec = {"parameters": {**searched, "epochs": 3, "l2": {"value": 0.1, "when": {"kind": ["a"]}}}}
    rng = random.Random(0)
    rates = [rng.random() * 10.0 ** rng.randint(-30, 0) for _ in range(2_000)]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO studies (study_name) VALUES ('old')")
        connection.execute(
            "INSERT INTO hpo_studies (study_id, state, wanted, metric, direction, n_trials, n_waiting, n_running, "
            "n_complete, n_pruned, n_fail, spec, data, folder, priority, labels, versions, attempt, seconds, "
            "created_at, since, served) VALUES (1, 'QUEUED', '', 'accuracy', 'maximize', 9000, 0, 2000, 0, 0, 0, ?, "
            "'{}', '', 0, '{}', '{}', 1, 2.5, '2026-01-02 03:04:05', 0, 0)",
            (json.dumps(spec),),
        )
        settings = [{"rate": rate, "kind": "ab"[n % 2]} for n, rate in enumerate(rates)]
        settings[7] = {"kind": None}
        connection.executemany(
            "INSERT INTO trials (number, study_id, state) VALUES (?, 1, 'RUNNING')",
            [(n,) for n in range(len(settings))],
        )
        connection.executemany(
            "INSERT INTO hpo_trials (study_id, number, trial_id, state, epochs, params, sampled, feasible) "
            "VALUES (1, ?, 1, 'RUNNING', 0, ?, 1, 1)",
            [(n, json.dumps(params)) for n, params in enumerate(settings)],
        )

    storage = open_storage(f"sqlite:///{file}")
    unit = Range(low=0.0, high=1.0, type="float")
    space = SearchSpace({"rate": unit, "kind": Choice(choices=("a", "b", None)), "momentum": unit})
    new = TrialPlan(number=len(rates), params={"momentum": 0.5, "kind": "a", "rate": 2.0})
    storage.plan_trials(
        storage.claim_study("old", driver()), space, [new], [CohortPlan(numbers=(new.number,))]
    )

    kept = query(file, "SELECT trial, number FROM hpo_params WHERE name = 'rate' AND kind = 0 ORDER BY trial")
    assert kept == [(n, rate) for n, rate in enumerate(rates) if n != 7] + [(2_000, 2.0)]
    by_rate = [t.number for t in storage.trials("old", TrialQuery(sort="-params.rate"))]
    assert by_rate == [2_000, *sorted(set(range(2_000)) - {7}, key=lambda n: -rates[n]), 7]
    by_kind = [t.number for t in storage.trials("old", TrialQuery(sort="params.kind"))]
    odd = [n for n in range(2_000) if n % 2 and n != 7]
    assert by_kind == [*range(0, 2_001, 2), *odd, 7]
    by_momentum = [t.number for t in storage.trials("old", TrialQuery(sort="params.momentum"))]
    assert by_momentum == [2_000, *range(2_000)]
    assert query(file, "SELECT DISTINCT name FROM hpo_params ORDER BY 1") == [
        ("kind",),
        ("momentum",),
        ("rate",),
    ]
    change(file, "DELETE FROM studies")  # as Optuna would, without foreign keys
    assert query(file, "SELECT count(*) FROM hpo_params") == [(0,)]
    storage.close()


def test_the_upgrade_cuts_rows_as_new_trials_do():
    then = import_module("hpo.storage.migrations.versions.0007_params")

    assert (then._BLOCK, then._TEXT) == (by_param.BLOCK, SORTED_TEXT)
    for value in (3, 0.1, True, -(10**400), "adam", "x" * 600, "a\0b", None):
        assert then._key(value) == sort_key(value)
