"""Judge finished studies by their database alone, with sqlite3 or psycopg and Optuna; nothing of hpo is used.

`python tests/chaos/checker.py URL STUDY [REFERENCE_URL]` prints what is wrong, a line each; exit code 1 if anything is.
The reference is a database in which nothing disturbed the same study file.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from typing import Any

import optuna
import psycopg
import psycopg.rows

Row = dict[str, Any]

FINAL = {"COMPLETE", "PRUNED", "FAIL"}
GIVEN_UP = {"lost", "cancelled", "error", "out_of_memory"}
AWAY = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.errors.UndefinedTable)

STUDY = "SELECT h.* FROM hpo_studies h JOIN studies s ON s.study_id = h.study_id WHERE s.study_name = ?"
RESULTS = """
SELECT t.number, t.state, t.reason, t.value, t.stderr, t.best_epoch, t.epochs, t.params, t.sampled, t.feasible,
       c.columns, c.block
FROM hpo_trials t LEFT JOIN hpo_curves c ON c.study_id = t.study_id AND c.number = t.number
WHERE t.study_id = ? ORDER BY t.number
"""
STEPS = """
SELECT t.number, s.step, s.intermediate_value, s.intermediate_value_type
FROM trials t JOIN trial_intermediate_values s ON s.trial_id = t.trial_id
WHERE t.study_id = ? ORDER BY t.number, s.step
"""
MODEL = """
SELECT m.number, m.value, c.place, c.data
FROM hpo_models m JOIN hpo_chunks c ON c.blob = m.blob WHERE m.study_id = ? ORDER BY m.number, c.place
"""
MOST_STEPS = 20  # that a result gives Optuna
COUNTS = ("n_waiting", "n_running", "n_complete", "n_pruned", "n_fail")


class Database:
    """An open SQLite file or PostgreSQL database, for reading."""

    def __init__(self, connection: Any, mark: str) -> None:
        self._connection, self._mark = connection, mark

    def rows(self, query: str, *values: object) -> list[Row]:
        """What it answers; a ? in the query stands for a value."""
        found = self._connection.execute(query.replace("?", self._mark), values).fetchall()
        return [{key: _plain(row[key]) for key in row.keys()} for row in found]  # noqa: SIM118 - of sqlite3.Row


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database of a URL as hpo and Optuna write it. Raises one of AWAY."""
    if url.startswith("sqlite:///"):
        file = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            yield Database(connection, "?")
    else:
        plain = url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(plain, connect_timeout=10, row_factory=psycopg.rows.dict_row) as server:
            yield Database(server, "%s")


def states(url: str) -> dict[str, str]:
    """Study -> state; none while the database or its tables are not there."""
    try:
        with opened(url) as db:
            found = db.rows(
                "SELECT s.study_name, h.state FROM hpo_studies h JOIN studies s ON s.study_id = h.study_id"
            )
    except AWAY:
        return {}
    return {row["study_name"]: row["state"] for row in found}


def finished(url: str, name: str) -> dict[int, Row]:
    """Number -> when and how, of the trials that have ended; none while the database is not there."""
    try:
        with opened(url) as db:
            found = db.rows(
                "SELECT number, state, value, finished_at FROM hpo_trials WHERE state <> 'RUNNING' AND study_id = "
                "(SELECT study_id FROM studies WHERE study_name = ?)",
                name,
            )
    except AWAY:
        return {}
    return {row["number"]: row for row in found}


def check(url: str, name: str) -> list[str]:
    """What is wrong with a study that should be COMPLETED."""
    with opened(url) as db:
        if not (found := db.rows(STUDY, name)):
            return ["there is no such study"]
        study = found[0]
        trials = db.rows(RESULTS, study["study_id"])
        wrong = check_file(db) if url.startswith("sqlite") else []
        wrong += [*check_study(study), *check_trials(study, trials), *check_grid(study, trials)]
        wrong += [*check_steps(db, study, trials), *check_cohorts(db, study, trials)]
    return wrong + check_optuna(url, name, trials, json.loads(study["test"] or "{}"))


def check_file(db: Database) -> list[str]:
    """SQLite's own opinion of its file."""
    wrong = []
    for pragma in ("integrity_check", "foreign_key_check"):
        said = [value for row in db.rows(f"PRAGMA {pragma}") for value in row.values()]
        if said not in ([], ["ok"]):
            wrong.append(f"{pragma}: {said[:3]}")
    return wrong


def check_study(study: Row) -> list[str]:
    """State, lease and test score."""
    wrong = []
    if study["state"] != "COMPLETED":
        wrong.append(f"the study is {study['state']}: {study['reason']}")
    if study["driver_token"] is not None or study["lease_until"] is not None:
        wrong.append("the study has a driver or a lease")
    test = json.loads(study["test"] or "null")
    if test is None or test.get("scored") != 1:
        wrong.append(f"the test score is {test}")
    return wrong


def check_trials(study: Row, trials: list[Row]) -> list[str]:
    """Every number once, all of them final, none given up, counted right, what was enqueued among them."""
    wrong = []
    numbers = [row["number"] for row in trials]
    if numbers != list(range(study["n_trials"])):
        wrong.append(f"{len(numbers)} trials, {len(set(numbers))} numbers, of {study['n_trials']}")
    if others := {row["state"] for row in trials} - FINAL:
        wrong.append(f"trials are {others}")
    for column in COUNTS:
        count = sum(f"n_{row['state'].lower()}" == column for row in trials)
        if study[column] != count:
            wrong.append(f"{column} is {study[column]}, not {count}")
    if lost := [row["number"] for row in trials if row["reason"] in GIVEN_UP]:
        wrong.append(f"trials {lost} were given up")
    asked = json.loads(study["spec"]).get("enqueue", [])
    settings = [json.loads(row["params"]) for row in trials if not row["sampled"]]
    if len(settings) != len(asked) or any(
        not a.items() <= s.items() for a, s in zip(asked, settings, strict=False)
    ):
        wrong.append(f"{len(settings)} enqueued settings were tried, of {len(asked)}")
    return wrong


def check_grid(study: Row, trials: list[Row]) -> list[str]:
    """Every point of a grid once."""
    spec = json.loads(study["spec"])
    if spec["sampler"]["name"] != "grid":
        return []
    lists = {name: values for name, values in spec["parameters"].items() if isinstance(values, list)}
    expected = sorted(
        json.dumps(dict(zip(lists, point, strict=True)), separators=(",", ":"))
        for point in product(*lists.values())
    )
    points = sorted(row["params"] for row in trials if row["sampled"])
    if points == expected:
        return []
    return [f"{len(points)} grid points, {len(set(points))} different, of {len(expected)}"]


def check_steps(db: Database, study: Row, trials: list[Row]) -> list[str]:
    """A curve has as many epochs as its trial; Optuna's steps are points of it, in order, the last among them."""
    wrong = []
    steps: dict[int, dict[int, float]] = {}
    for row in db.rows(STEPS, study["study_id"]):
        steps.setdefault(row["number"], {})[row["step"]] = row["intermediate_value"]
    for row in trials:
        number, epochs, told = row["number"], row["epochs"], steps.get(row["number"], {})
        curve = curve_of(row, f"validation_{study['metric']}")
        if len(curve) != epochs:
            wrong.append(f"trial {number} of {epochs} epochs has a curve of {len(curve)}")
        elif strange := [step for step, value in told.items() if not _on_curve(step, value, curve)]:
            wrong.append(f"trial {number} of {epochs} epochs: the steps {strange} are not on its curve")
        elif row["state"] == "COMPLETE" and epochs not in told:
            wrong.append(f"trial {number} of {epochs} epochs has no last step, but {sorted(told)}")
    return wrong[:5]


def curve_of(trial: Row, column: str) -> list[float]:
    """The values of a column, an epoch each."""
    columns = json.loads(trial["columns"] or "[]")
    numbers = [number for (number,) in struct.iter_unpack("<f", trial["block"] or b"")]
    return numbers[columns.index(column) :: len(columns)] if columns else []


def _on_curve(step: int, value: float | None, curve: list[float]) -> bool:
    """Whether a step of Optuna's, null where it is not finite, is the curve's point, which has single precision."""
    if not 1 <= step <= len(curve):
        return False
    point = curve[step - 1]
    return (
        not math.isfinite(point) if value is None else math.isclose(value, point, rel_tol=1e-6, abs_tol=1e-37)
    )


def check_cohorts(db: Database, study: Row, trials: list[Row]) -> list[str]:
    """All DONE, each trial in one of them, and nothing waits in the queue."""
    wrong = []
    cohorts = db.rows("SELECT state FROM hpo_cohorts WHERE study_id = ?", study["study_id"])
    if others := {row["state"] for row in cohorts} - {"DONE"}:
        wrong.append(f"cohorts are {others}")
    lanes = db.rows(
        "SELECT l.number FROM hpo_cohort_lanes l JOIN hpo_cohorts c ON c.id = l.cohort "
        "WHERE c.study_id = ? ORDER BY l.number",
        study["study_id"],
    )
    if [row["number"] for row in lanes] != [row["number"] for row in trials]:
        wrong.append("the cohorts' lanes are not the trials")
    waiting = db.rows("SELECT id FROM hpo_queue WHERE study_id = ?", study["study_id"])
    if waiting:
        wrong.append(f"{len(waiting)} settings still wait")
    return wrong


def check_optuna(url: str, name: str, trials: list[Row], test: dict[str, Any]) -> list[str]:
    """Optuna sees the same trials, and the scored one is its best."""
    wrong = []
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=name, storage=url)
    theirs = [(t.number, t.state.name, t.value, t.params) for t in study.trials]
    ours = [(row["number"], row["state"], row["value"], json.loads(row["params"])) for row in trials]
    if theirs != ours:
        wrong.append("Optuna's trials are not hpo's")
    if any(trial.state.name == "COMPLETE" for trial in study.trials):
        # Of equal values Optuna names any, on PostgreSQL now this and now that; the lowest number is to be scored.
        best = min(
            t.number for t in study.trials if t.state.name == "COMPLETE" and t.value == study.best_value
        )
        if best != test.get("number"):
            wrong.append(f"Optuna's best is {best}, scored was {test.get('number')}")
    return wrong


def compare(url: str, reference: str, name: str, undisturbed: str | None = None) -> list[str]:
    """Where the results of one study differ, to the bit, from the same study that nothing disturbed, by its name there."""
    wrong = []
    with opened(url) as one, opened(reference) as other:
        ours, theirs = one.rows(STUDY, name)[0], other.rows(STUDY, undisturbed or name)[0]
        for what, query in (("results", RESULTS), ("model", MODEL)):
            found = [_bits(row) for row in one.rows(query, ours["study_id"])]
            expected = [_bits(row) for row in other.rows(query, theirs["study_id"])]
            if found != expected:
                rows = [row[:2] for row in found if row not in expected][:5]
                wrong.append(f"{what} differ from the undisturbed: {len(found)} of {len(expected)}, {rows}")
        # A slow trial shows more of its curve while it runs, so those have more steps than their result alone gives.
        found_steps, whole = (_n_steps(db, row["study_id"]) for db, row in ((one, ours), (other, theirs)))
        if short := [n for n, count in whole.items() if found_steps.get(n, 0) < min(count, MOST_STEPS)]:
            wrong.append(f"trials {short} have fewer steps than undisturbed")
        if json.loads(ours["test"] or "null") != json.loads(theirs["test"] or "null"):
            wrong.append(f"the test score is {ours['test']}, undisturbed {theirs['test']}")
    return wrong


def _n_steps(db: Database, study: int) -> Counter[int]:
    """Number of a trial -> how many of its steps Optuna has."""
    return Counter(row["number"] for row in db.rows(STEPS, study))


def _bits(row: Row) -> tuple[Any, ...]:
    """What two databases must have in common: SQLite has no booleans."""
    return tuple(int(value) if isinstance(value, bool) else value for value in row.values())


def main(words: list[str]) -> int:
    """Check a study, and compare it if there is a reference."""
    url, name = words[:2]
    wrong = check(url, name)
    for reference in words[2:]:
        wrong += compare(url, reference, name)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
