"""Make hpo's tables beside Optuna's.

A migration never changes: this is what the tables were at this revision, whatever `tables.py` says now.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, DateTime, Float, ForeignKey, Integer, LargeBinary, String, Text

revision = "0001"
down_revision = None


def _study(*, primary_key: bool = False) -> Column[Any]:
    target = ForeignKey("studies.study_id", ondelete="CASCADE")
    return Column("study_id", Integer, target, primary_key=primary_key, nullable=False, autoincrement=False)


def _blob(
    *, nullable: bool, primary_key: bool = False, name: str = "blob", gone: str = "CASCADE"
) -> Column[Any]:
    target = ForeignKey("hpo_blobs.id", ondelete=gone)
    return Column(name, Integer, target, nullable=nullable, primary_key=primary_key)


def _number() -> Column[Any]:
    return Column("number", Integer, primary_key=True, autoincrement=False)


def _driver() -> tuple[Column[Any], ...]:
    return (
        Column("driver_host", String(255)),
        Column("driver_pid", Integer),
        Column("driver_born", Float(53)),
        Column("driver_token", String(64)),
        Column("lease_until", Float(53)),
    )


def upgrade() -> None:
    """Make all tables."""
    _studies()
    _trials()
    _blobs()
    _cohorts()
    _models_and_datasets()


def _studies() -> None:
    op.create_table(
        "hpo_studies",
        _study(primary_key=True),
        Column("state", String(16), nullable=False),
        Column("reason", Text),
        Column("wanted", String(16), nullable=False),
        Column("metric", String(64), nullable=False),
        Column("direction", String(16), nullable=False),
        Column("n_trials", Integer, nullable=False),
        Column("n_waiting", Integer, nullable=False),
        Column("n_running", Integer, nullable=False),
        Column("n_complete", Integer, nullable=False),
        Column("n_pruned", Integer, nullable=False),
        Column("n_fail", Integer, nullable=False),
        Column("spec", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("folder", Text, nullable=False),
        Column("owner", String(255)),
        Column("priority", Integer, nullable=False),
        Column("labels", Text, nullable=False),
        Column("versions", Text, nullable=False),
        *_driver(),
        Column("attempt", Integer, nullable=False),
        Column("running_since", Float(53)),
        Column("seconds", Float(53), nullable=False),
        Column("test", Text),
        Column("created_at", DateTime, nullable=False),
        Column("started_at", DateTime),
        Column("finished_at", DateTime),
    )
    op.create_index("hpo_studies_state", "hpo_studies", ["state"])
    op.create_table(
        "hpo_labels",
        _study(primary_key=True),
        Column("label", String(255), primary_key=True),
        Column("value", String(255), nullable=False),
    )
    op.create_index("hpo_labels_value", "hpo_labels", ["label", "value"])


def _trials() -> None:
    op.create_table(
        "hpo_trials",
        _study(primary_key=True),
        _number(),
        Column("trial_id", Integer, nullable=False),
        Column("state", String(16), nullable=False),
        Column("reason", String(64)),
        Column("value", Float(53)),
        Column("values", Text),
        Column("stderr", Float(53)),
        Column("best_epoch", Integer),
        Column("epochs", Integer, nullable=False),
        Column("retry_of", Integer),
        Column("cohort", Integer),
        Column("started_at", DateTime),
        Column("finished_at", DateTime),
        Column("params", Text, nullable=False),
    )
    op.create_index("hpo_trials_value", "hpo_trials", ["study_id", "value", "number"])
    op.create_index("hpo_trials_state", "hpo_trials", ["study_id", "state", "number"])
    op.create_table(
        "hpo_curves",
        _study(primary_key=True),
        _number(),
        Column("columns", Text, nullable=False),
        Column("block", LargeBinary, nullable=False),
    )


def _blobs() -> None:
    op.create_table(
        "hpo_blobs",
        Column("id", Integer, primary_key=True),
        Column("study_id", Integer, ForeignKey("studies.study_id", ondelete="CASCADE")),
        Column("n_bytes", BigInteger, nullable=False),
    )
    op.create_index("hpo_blobs_study", "hpo_blobs", ["study_id"])
    op.create_table(
        "hpo_chunks",
        _blob(nullable=False, primary_key=True),
        Column("place", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
    )


def _cohorts() -> None:
    op.create_table(
        "hpo_cohorts",
        Column("id", Integer, primary_key=True),
        _study(),
        Column("state", String(16), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("repeats", Integer, nullable=False),
        Column("folds", Integer, nullable=False),
        *_driver(),
        _blob(nullable=True, name="checkpoint", gone="SET NULL"),
    )
    op.create_index("hpo_cohorts_state", "hpo_cohorts", ["study_id", "state"])
    op.create_table(
        "hpo_cohort_lanes",
        Column("cohort", Integer, ForeignKey("hpo_cohorts.id", ondelete="CASCADE"), primary_key=True),
        Column("place", Integer, primary_key=True, autoincrement=False),
        Column("number", Integer, nullable=False),
        Column("repeat", Integer, nullable=False),
        Column("fold", Integer, nullable=False),
    )


def _models_and_datasets() -> None:
    op.create_table(
        "hpo_models",
        _study(primary_key=True),
        _number(),
        Column("value", Float(53), nullable=False),
        Column("meta", Text, nullable=False),
        _blob(nullable=False),
        Column("saved_at", DateTime, nullable=False),
    )
    op.create_table(
        "hpo_datasets",
        Column("id", String(32), primary_key=True),
        Column("name", String(255), nullable=False),
        Column("sha256", String(64), nullable=False, unique=True),
        Column("n_bytes", BigInteger, nullable=False),
        Column("info", Text, nullable=False),
        _blob(nullable=False),
        Column("added_at", DateTime, nullable=False),
    )
    op.create_index("hpo_datasets_name", "hpo_datasets", ["name"])
