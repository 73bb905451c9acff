"""The service: who is to run a study, its speed, the order in which trials finished, and the service's own tables."""

from __future__ import annotations

import json
import math

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


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
    DELETE FROM hpo_trials WHERE study_id = OLD.study_id;
    DELETE FROM hpo_labels WHERE study_id = OLD.study_id;
    DELETE FROM hpo_studies WHERE study_id = OLD.study_id;
END
"""


def upgrade() -> None:
    """Add the columns and tables; trials that are finished already get their places by their times."""
    _columns()
    _accounts()
    _work()
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER hpo_follow_deletion")
        op.execute(_TRIGGER)


def _columns() -> None:
    op.add_column("hpo_studies", sa.Column("served", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("hpo_studies", sa.Column("live", sa.Text))
    op.add_column("hpo_studies", sa.Column("queued_at", sa.DateTime))
    op.execute("UPDATE hpo_studies SET queued_at = created_at")
    op.add_column("hpo_models", sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("hpo_trials", sa.Column("place", sa.Integer))
    op.create_index("hpo_trials_place", "hpo_trials", ["study_id", "place"])
    op.execute(
        "UPDATE hpo_trials SET place = found.place FROM ("
        "SELECT study_id, number, row_number() OVER (PARTITION BY study_id ORDER BY finished_at, number) AS place "
        "FROM hpo_trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')) AS found "
        "WHERE found.study_id = hpo_trials.study_id AND found.number = hpo_trials.number"
    )
    op.add_column("hpo_trials", sa.Column("first", sa.Float(53)))
    op.execute("UPDATE hpo_trials SET first = value")
    _first_of_several()
    op.drop_index("hpo_trials_value", "hpo_trials")
    op.create_index("hpo_trials_first", "hpo_trials", ["study_id", "first", "number"])
    op.create_index("hpo_trials_largest", "hpo_trials", ["study_id", sa.text("first DESC"), "number"])


def _first_of_several() -> None:
    """Of several objectives the values are JSON, with words in it that no database reads: Infinity."""
    trials = sa.table("hpo_trials", *map(sa.column, ("study_id", "number", "values", "first")))
    several = sa.select(trials.c.study_id, trials.c.number, trials.c["values"])
    found = op.get_bind().execute(several.where(trials.c["values"].is_not(None))).all()
    rows = [{"of_study": row[0], "of_number": row[1], "found": json.loads(row[2])[0]} for row in found]
    finite = [row for row in rows if math.isfinite(row["found"])]
    if finite:
        mine = (trials.c.study_id == sa.bindparam("of_study"), trials.c.number == sa.bindparam("of_number"))
        op.get_bind().execute(sa.update(trials).where(*mine).values(first=sa.bindparam("found")), finite)


def _accounts() -> None:
    op.create_table(
        "hpo_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("last_used_at", sa.DateTime),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
    )
    op.create_index("hpo_keys_owner", "hpo_keys", ["owner"])
    op.create_table(
        "hpo_sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(16), sa.ForeignKey("hpo_keys.id", ondelete="CASCADE"), nullable=False),
        sa.Column("until_s", sa.Float(53), nullable=False),
    )
    op.create_table(
        "hpo_quotas",
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("studies", sa.Integer),
        sa.Column("trials", sa.Integer),
        sa.Column("slots", sa.Integer),
    )
    op.create_table(
        "hpo_once",
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column(
            "study_id", sa.Integer, sa.ForeignKey("studies.study_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("created_at_s", sa.Float(53), nullable=False),
    )


def _work() -> None:
    op.create_table(
        "hpo_coordinators",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("born", sa.Float(53), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("pool", sa.String(16), nullable=False),
        sa.Column("slots", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("seen_at_s", sa.Float(53), nullable=False),
    )
    op.create_table(
        "hpo_leases",
        *_trial(),
        sa.Column("client", sa.String(255), nullable=False),
        sa.Column("until_s", sa.Float(53), nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
    )
    op.create_index("hpo_leases_client", "hpo_leases", ["study_id", "client"])
    op.create_index("hpo_leases_until", "hpo_leases", ["study_id", "until_s"])
    op.create_table(
        "hpo_reports",
        *_trial(),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("best", sa.Float(53), nullable=False),
        sa.Column("rung", sa.Integer),
        sa.Column("prune", sa.Boolean, nullable=False),
    )
    op.create_index("hpo_reports_rung", "hpo_reports", ["study_id", "rung", "number"])
    op.create_table(
        "hpo_model_requests",
        *_trial(),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("requested_at_s", sa.Float(53), nullable=False),
    )


def _trial() -> tuple[sa.Column[int], sa.Column[int]]:
    """The trial a row goes with."""
    study = sa.ForeignKey("studies.study_id", ondelete="CASCADE")
    return (
        sa.Column("study_id", sa.Integer, study, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    )
