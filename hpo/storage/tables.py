"""hpo's own tables, beside Optuna's: studies, narrow trials, queue, curves, cohorts, models, data sets.

Times are naive UTC, leases and `running_since` seconds since 1970 by the database's clock, JSON is text.
The migrations create what stands here; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)

from hpo.storage.optuna_tables import metadata

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
)  # oldest first; a test compares them with the migrations
VERSION_TABLE = "hpo_alembic_version"  # Alembic's default name is Optuna's already
CHUNK_BYTES = 1 << 20
BY_CODE_POINTS = Text().with_variant(Text(collation="C"), "postgresql")


def _study(*, primary_key: bool = False) -> Column[int]:
    """The study a row belongs to and goes with."""
    target = ForeignKey("studies.study_id", ondelete="CASCADE")
    return Column("study_id", Integer, target, primary_key=primary_key, nullable=False, autoincrement=False)


def _driver() -> tuple[Column[str], Column[int], Column[float], Column[str], Column[float]]:
    """Who drives, and until when that holds."""
    return (
        Column("driver_host", String(255)),
        Column("driver_pid", Integer),
        Column("driver_born", Float(53)),
        Column("driver_token", String(64)),
        Column("lease_until", Float(53)),
    )


studies = Table(
    "hpo_studies",
    metadata,
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
    Column("objectives", Text),  # all of them, null when there is one
    Column("notes", Text),  # the sampler's
    Column("counted", Integer),  # trials below it count, where `stop` ended the study
    Column("since", Integer, nullable=False),  # trials it had when it last ended
    Column("served", Boolean, nullable=False),  # a server's coordinator is to run it
    Column("live", Text),  # what its driver last said of its speed
    Column("queued_at", DateTime),  # when it last became QUEUED
    Index("hpo_studies_state", "state"),
)
labels = Table(
    "hpo_labels",
    metadata,
    _study(primary_key=True),
    Column("label", String(255), primary_key=True),
    Column("value", String(255), nullable=False),
    Index("hpo_labels_value", "label", "value"),
)
trials = Table(
    "hpo_trials",
    metadata,
    _study(primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("trial_id", Integer, nullable=False),  # Optuna's
    Column("state", String(16), nullable=False),
    Column("reason", String(64)),
    Column("value", Float(53)),  # null when there is none, or NaN or infinite
    Column("values", Text),  # of several objectives, null when there is one
    Column(
        "first", Float(53)
    ),  # the value, or the first of several, where it is finite: what trials are sorted by
    Column("stderr", Float(53)),
    Column("best_epoch", Integer),
    Column("epochs", Integer, nullable=False),
    Column("retry_of", Integer),
    Column("cohort", Integer),
    Column("started_at", DateTime),
    Column("finished_at", DateTime),
    Column("params", Text, nullable=False),
    Column("facts", Text),  # null until it ends, and of trials from before there were any
    Column("sampled", Boolean, nullable=False),  # by the sampler, not enqueued
    Column("budget", Integer),  # epochs of its plan, where fewer than the study file's
    Column("feasible", Boolean, nullable=False),
    Column("lineage", Text),  # null when it inherited nothing
    Column("place", Integer),  # among the finished ones, in the order in which they finished, from 1
    Index("hpo_trials_first", "study_id", "first", "number"),
    Index("hpo_trials_state", "study_id", "state", "number"),
    Index("hpo_trials_place", "study_id", "place"),
)
# Of many trials that share the largest value the lowest number comes first: read backwards, the index of `first`
# has the highest first, and all of them would be sorted to find the best one.
Index("hpo_trials_largest", trials.c.study_id, trials.c["first"].desc(), trials.c.number)
# What trials are sorted by, see sort_key in ordering.py: a row for each searched parameter of each trial, for those
# that it lacks as well. The primary key is the order itself, and on SQLite the whole table.
params = Table(
    "hpo_params",
    metadata,
    _study(primary_key=True),
    Column("name", BY_CODE_POINTS, primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),  # of trials, each sorted by itself
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Float(53), primary_key=True),
    Column("words", BY_CODE_POINTS, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
queue = Table(
    "hpo_queue",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(),
    Column("params", Text, nullable=False),
    Column("retry_of", Integer),
    Column("created_at", DateTime, nullable=False),
    Index("hpo_queue_study", "study_id", "id"),
    sqlite_autoincrement=True,  # an id is never used again
)
curves = Table(
    "hpo_curves",
    metadata,
    _study(primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("columns", Text, nullable=False),
    Column("block", LargeBinary, nullable=False),  # float32, little-endian, [epochs, columns]
)
blobs = Table(
    "hpo_blobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", Integer, ForeignKey("studies.study_id", ondelete="CASCADE")),
    Column("n_bytes", BigInteger, nullable=False),
    Index("hpo_blobs_study", "study_id"),
)
chunks = Table(
    "hpo_chunks",
    metadata,
    Column("blob", Integer, ForeignKey("hpo_blobs.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),  # at most CHUNK_BYTES
)
cohorts = Table(
    "hpo_cohorts",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("folds", Integer, nullable=False),
    Column("started_at", DateTime),
    *_driver(),
    Column("checkpoint", Integer, ForeignKey("hpo_blobs.id", ondelete="SET NULL")),
    Index("hpo_cohorts_state", "study_id", "state"),
)
lanes = Table(
    "hpo_cohort_lanes",
    metadata,
    Column("cohort", Integer, ForeignKey("hpo_cohorts.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("fold", Integer, nullable=False),
)
models = Table(
    "hpo_models",
    metadata,
    _study(primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("value", Float(53), nullable=False),
    Column("meta", Text, nullable=False),
    Column("blob", Integer, ForeignKey("hpo_blobs.id", ondelete="CASCADE"), nullable=False),
    Column("saved_at", DateTime, nullable=False),
    Column(
        "asked", Boolean, nullable=False
    ),  # somebody wanted this trial's, so a better one does not replace it
)
datasets = Table(
    "hpo_datasets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("n_bytes", BigInteger, nullable=False),
    Column("info", Text, nullable=False),
    Column("blob", Integer, ForeignKey("hpo_blobs.id", ondelete="CASCADE"), nullable=False),
    Column("added_at", DateTime, nullable=False),
    Index("hpo_datasets_name", "name"),
)
