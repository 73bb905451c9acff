"""Where a rule of the study file ended a study, and from which trial on rules are looked at once it goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; no study from before had such rules."""
    op.add_column("hpo_studies", sa.Column("counted", sa.Integer))
    op.add_column("hpo_studies", sa.Column("since", sa.Integer, nullable=False, server_default="0"))
