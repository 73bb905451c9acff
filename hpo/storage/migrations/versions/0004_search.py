"""What searches need: a queue, budgets, several objectives, constraints, lineages, notes of samplers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TRIGGER = """
CREATE TRIGGER hpo_follow_deletion AFTER DELETE ON studies BEGIN
    DELETE FROM hpo_cohort_lanes WHERE cohort IN (SELECT id FROM hpo_cohorts WHERE study_id = OLD.study_id);
    DELETE FROM hpo_cohorts WHERE study_id = OLD.study_id;
    DELETE FROM hpo_models WHERE study_id = OLD.study_id;
    DELETE FROM hpo_chunks WHERE blob IN (SELECT id FROM hpo_blobs WHERE study_id = OLD.study_id);
    DELETE FROM hpo_blobs WHERE study_id = OLD.study_id;
    DELETE FROM hpo_curves WHERE study_id = OLD.study_id;
    DELETE FROM hpo_queue WHERE study_id = OLD.study_id;
    DELETE FROM hpo_trials WHERE study_id = OLD.study_id;
    DELETE FROM hpo_labels WHERE study_id = OLD.study_id;
    DELETE FROM hpo_studies WHERE study_id = OLD.study_id;
END
"""


def upgrade() -> None:
    """Add the columns and the queue; trials from before were proposed by a sampler and had no constraints."""
    for column in (
        sa.Column("sampled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("budget", sa.Integer),
        sa.Column("feasible", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("lineage", sa.Text),
    ):
        op.add_column("hpo_trials", column)
    for name in ("objectives", "notes"):
        op.add_column("hpo_studies", sa.Column(name, sa.Text))
    op.create_table(
        "hpo_queue",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "study_id", sa.Integer, sa.ForeignKey("studies.study_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("retry_of", sa.Integer),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("hpo_queue_study", "hpo_queue", ["study_id", "id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER hpo_follow_deletion")
        op.execute(_TRIGGER)
