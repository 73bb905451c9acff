"""When a cohort began to train: its trials know only when they were planned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; of cohorts from before nobody knows it."""
    op.add_column("hpo_cohorts", sa.Column("started_at", sa.DateTime))
