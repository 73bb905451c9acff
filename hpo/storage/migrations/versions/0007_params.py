"""What trials are sorted by where a page goes by a parameter: a row for each one of each trial, in an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from hpo.storage.bulk import BulkInsert

revision = "0007"
down_revision = "0006"

_BATCH = 5_000  # trials
_TEXT = 500  # characters of a text that count
_BLOCK = 1 << 14  # trials that are sorted among themselves
_COLUMNS = ("study_id", "name", "block", "kind", "number", "words", "trial")
_TRIALS = sa.text(
    "SELECT number, params FROM hpo_trials WHERE study_id = :study AND number > :last ORDER BY number LIMIT :n"
)
_TRIGGER = """
CREATE TRIGGER hpo_follow_deletion AFTER DELETE ON studies BEGIN
    DELETE FROM hpo_cohort_lanes WHERE cohort IN (SELECT id FROM hpo_cohorts WHERE study_id = OLD.study_id);
    DELETE FROM hpo_cohorts WHERE study_id = OLD.study_id;
    DELETE FROM hpo_models WHERE study_id = OLD.study_id;
    DELETE FROM hpo_model_requests WHERE study_id = OLD.study_id;
    DELETE FROM hpo_chunks WHERE blob IN (SELECT id FROM hpo_blobs WHERE study_id = OLD.study_id);
    DELETE FROM hpo_blobs WHERE study_id = OLD.study_id;
    DELETE FROM hpo_curves WHERE study_id = OLD.study_id;
    DELETE FROM hpo_queue WHERE study_id = OLD.study_id;
    DELETE FROM hpo_leases WHERE study_id = OLD.study_id;
    DELETE FROM hpo_reports WHERE study_id = OLD.study_id;
    DELETE FROM hpo_once WHERE study_id = OLD.study_id;
    DELETE FROM hpo_params WHERE study_id = OLD.study_id;
    DELETE FROM hpo_trials WHERE study_id = OLD.study_id;
    DELETE FROM hpo_labels WHERE study_id = OLD.study_id;
    DELETE FROM hpo_studies WHERE study_id = OLD.study_id;
END
"""


def upgrade() -> None:
    """Make the table and fill it from the trials that there are."""
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    study = sa.ForeignKey("studies.study_id", ondelete="CASCADE")
    table = op.create_table(
        "hpo_params",
        sa.Column("study_id", sa.Integer, study, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("name", words, primary_key=True),
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Float(53), primary_key=True),
        sa.Column("words", words, primary_key=True),
        sa.Column("trial", sa.Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    insert = BulkInsert(table, _COLUMNS)
    connection = op.get_bind()
    for study_id, spec in connection.execute(sa.text("SELECT study_id, spec FROM hpo_studies")).all():
        _fill(connection, insert, study_id, _searched(json.loads(spec)))
    if connection.dialect.name == "sqlite":
        op.execute("DROP TRIGGER hpo_follow_deletion")
        op.execute(_TRIGGER)


def _searched(spec: dict[str, Any]) -> set[str]:
    """Names of the parameters that a study file searches: lists, and mappings but of one value."""
    found = spec.get("parameters")
    parameters = found if isinstance(found, dict) else {}
    return {
        name
        for name, its in parameters.items()
        if isinstance(its, list) or (isinstance(its, dict) and "value" not in its)
    }


def _fill(connection: sa.Connection, insert: BulkInsert, study: int, names: set[str]) -> None:
    """Read by Python: what SQLite makes of decimal digits may differ from the number in its last bit."""
    for batch in _batches(connection, study):
        names.update(name for _, params in batch for name in params)
    for batch in _batches(connection, study):
        rows = [
            (study, name, trial // _BLOCK, *_key(params.get(name)), trial)
            for name in names
            for trial, params in batch
        ]
        insert(connection, sorted(rows))


def _batches(connection: sa.Connection, study: int) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    last = -1
    while rows := connection.execute(_TRIALS, {"study": study, "last": last, "n": _BATCH}).all():
        yield [(number, json.loads(params)) for number, params in rows]
        last = rows[-1][0]


def _key(value: Any) -> tuple[int, float, str]:
    """What trials are sorted by: numbers, then texts, then nothing."""
    if value is None:
        return 2, 0.0, ""
    if isinstance(value, str):
        return 1, 0.0, "" if "\0" in value else value[:_TEXT]
    try:
        return 0, float(value), ""
    except OverflowError:
        return 0, float("inf") if value > 0 else float("-inf"), ""
