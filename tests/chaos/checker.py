"""Judge a finished study by its SQLite file alone, with sqlite3 and Optuna; nothing of hpo is used.

`python checker.py DATABASE STUDY [REFERENCE_DATABASE]` prints what is wrong, a line each; exit code 1 if anything is.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import optuna

FINAL = {"COMPLETE", "PRUNED", "FAIL"}
RESULTS = """
SELECT t.number, t.state, t.reason, t.value, t.stderr, t.best_epoch, t.epochs, t.params, t.sampled, c.columns, c.block
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
FROM hpo_models m JOIN hpo_chunks c ON c.blob = m.blob WHERE m.study_id = ? ORDER BY c.place
"""


def connect(database: Path) -> closing[sqlite3.Connection]:
    """The database, for reading."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    connection.row_factory = sqlite3.Row
    return closing(connection)


def finished(database: Path, study: str) -> dict[int, tuple[Any, ...]]:
    """Number -> when and how, of the trials that have ended; none while the study is not there."""
    if not database.exists():
        return {}
    with connect(database) as db:
        try:
            rows = db.execute(
                "SELECT number, state, value, finished_at FROM hpo_trials "
                "WHERE study_id = (SELECT study_id FROM studies WHERE study_name = ?) AND state != 'RUNNING'",
                (study,),
            ).fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return {}
    return {row["number"]: tuple(row) for row in rows}


def check(database: Path, name: str) -> list[str]:
    """What is wrong with a study that should be COMPLETED."""
    wrong: list[str] = []
    with connect(database) as db:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = [tuple(row) for row in db.execute(f"PRAGMA {pragma}")]
            if found not in ([], [("ok",)]):
                wrong.append(f"{pragma}: {found[:3]}")
        id_ = db.execute("SELECT study_id FROM studies WHERE study_name = ?", (name,)).fetchone()[0]
        study = db.execute("SELECT * FROM hpo_studies WHERE study_id = ?", (id_,)).fetchone()
        trials = db.execute(RESULTS, (id_,)).fetchall()
        wrong += check_study(study)
        wrong += check_trials(study, trials)
        if waiting := db.execute("SELECT count(*) FROM hpo_queue WHERE study_id = ?", (id_,)).fetchone()[0]:
            wrong.append(f"{waiting} settings still wait")
        wrong += check_cohorts(db, id_, [row["number"] for row in trials])
    wrong += check_optuna(database, name, trials, json.loads(study["test"] or "{}"))
    return wrong


def check_study(study: sqlite3.Row) -> list[str]:
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


def check_trials(study: sqlite3.Row, trials: list[sqlite3.Row]) -> list[str]:
    """Every number once and every grid point once, all of them final, counted right."""
    wrong = []
    numbers = [row["number"] for row in trials]
    if numbers != list(range(study["n_trials"])):
        wrong.append(f"{len(numbers)} trials, {len(set(numbers))} numbers, of {study['n_trials']}")
    if states := {row["state"] for row in trials} - FINAL:
        wrong.append(f"trials are {states}")
    for state in ("COMPLETE", "FAIL", "PRUNED", "RUNNING", "WAITING"):
        count = sum(row["state"] == state for row in trials)
        if study[f"n_{state.lower()}"] != count:
            wrong.append(f"n_{state.lower()} is {study[f'n_{state.lower()}']}, not {count}")
    if lost := [row["number"] for row in trials if row["reason"] in ("lost", "cancelled", "error")]:
        wrong.append(f"trials {lost} were given up")
    spec = json.loads(study["spec"])
    settings = [json.loads(row["params"]) for row in trials if not row["sampled"]]
    asked = spec.get("enqueue", [])
    if len(settings) != len(asked) or any(
        not a.items() <= s.items() for a, s in zip(asked, settings, strict=False)
    ):
        wrong.append(f"{len(settings)} enqueued settings were tried, of {len(asked)}")
    if spec["sampler"]["name"] == "grid":
        points = sorted(row["params"] for row in trials if row["sampled"])
        lists = {name: p for name, p in spec["parameters"].items() if isinstance(p, list)}
        expected = sorted(
            json.dumps(dict(zip(lists, point, strict=True)), separators=(",", ":"))
            for point in product(*lists.values())
        )
        if points != expected:
            wrong.append(f"{len(points)} grid points, {len(set(points))} different, of {len(expected)}")
    return wrong


def check_cohorts(db: sqlite3.Connection, study: int, numbers: list[int]) -> list[str]:
    """All DONE, and each trial in one of them."""
    wrong = []
    counted = "SELECT state, count(*) FROM hpo_cohorts WHERE study_id = ? GROUP BY state"
    states = {row[0]: row[1] for row in db.execute(counted, (study,))}
    if list(states) != ["DONE"]:
        wrong.append(f"cohorts are {states}")
    lanes = db.execute(
        "SELECT l.number FROM hpo_cohort_lanes l JOIN hpo_cohorts c ON c.id = l.cohort "
        "WHERE c.study_id = ? ORDER BY l.number",
        (study,),
    )
    if [row[0] for row in lanes] != numbers:
        wrong.append("the cohorts' lanes are not the trials")
    return wrong


def check_optuna(database: Path, name: str, trials: list[sqlite3.Row], test: dict[str, Any]) -> list[str]:
    """Optuna sees the same trials, and the scored one is its best."""
    wrong = []
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{database}")
    theirs = [(t.number, t.state.name, t.value, t.params) for t in study.trials]
    ours = [(row["number"], row["state"], row["value"], json.loads(row["params"])) for row in trials]
    if theirs != ours:
        wrong.append("Optuna's trials are not hpo's")
    if study.best_trial.number != test.get("number"):
        wrong.append(f"Optuna's best is {study.best_trial.number}, scored was {test.get('number')}")
    return wrong


def compare(database: Path, reference: Path, name: str) -> list[str]:
    """Where the results of one study differ, to the bit, from the same study that nothing disturbed."""
    wrong = []
    with connect(database) as one, connect(reference) as other:
        ids = [
            db.execute("SELECT study_id FROM studies WHERE study_name = ?", (name,)).fetchone()[0]
            for db in (one, other)
        ]
        for what, query in (("results", RESULTS), ("steps", STEPS), ("model", MODEL)):
            found, expected = (
                [tuple(row) for row in db.execute(query, (id_,))]
                for db, id_ in zip((one, other), ids, strict=True)
            )
            if found != expected:
                rows = [row[:2] for row in found if row not in expected][:5]
                wrong.append(f"{what} differ from the undisturbed: {len(found)} of {len(expected)}, {rows}")
        tests = [
            db.execute("SELECT test FROM hpo_studies WHERE study_id = ?", (id_,)).fetchone()[0]
            for db, id_ in zip((one, other), ids, strict=True)
        ]
        if tests[0] != tests[1]:
            wrong.append(f"the test score is {tests[0]}, undisturbed {tests[1]}")
    return wrong


def main(words: list[str]) -> int:
    """Check a database, and compare it if there is a reference."""
    database, name = Path(words[0]), words[1]
    wrong = check(database, name)
    if len(words) > 2:
        wrong += compare(database, Path(words[2]), name)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
