"""A column for the facts that are noted of a trial while it trains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; trials from before have none."""
    op.add_column("hpo_trials", sa.Column("facts", sa.Text))
