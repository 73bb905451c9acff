"""On SQLite, remove what is hpo's when Optuna or its dashboard deletes a study.

Optuna's connections do not enforce foreign keys, so ON DELETE CASCADE does not reach our tables; and
SQLite gives the id of a deleted last study to the next one, which would inherit the rows left behind.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_TRIGGER = """
CREATE TRIGGER hpo_follow_deletion AFTER DELETE ON studies BEGIN
    DELETE FROM hpo_cohort_lanes WHERE cohort IN (SELECT id FROM hpo_cohorts WHERE study_id = OLD.study_id);
    DELETE FROM hpo_cohorts WHERE study_id = OLD.study_id;
    DELETE FROM hpo_models WHERE study_id = OLD.study_id;
    DELETE FROM hpo_chunks WHERE blob IN (SELECT id FROM hpo_blobs WHERE study_id = OLD.study_id);
    DELETE FROM hpo_blobs WHERE study_id = OLD.study_id;
    DELETE FROM hpo_curves WHERE study_id = OLD.study_id;
    DELETE FROM hpo_trials WHERE study_id = OLD.study_id;
    DELETE FROM hpo_labels WHERE study_id = OLD.study_id;
    DELETE FROM hpo_studies WHERE study_id = OLD.study_id;
END
"""


def upgrade() -> None:
    """Make the trigger; PostgreSQL's cascades need none."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_TRIGGER)
