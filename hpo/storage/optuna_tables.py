"""Optuna's own tables as SQLAlchemy Core sees them, at the one schema version hpo knows.

Optuna creates them (see `schema.py`); hpo writes many rows at once through these mirrors, and so needs
neither Optuna's ORM, three quarters of whose time is Python, nor the 0.3 s that importing Optuna takes.
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Enum, Float, ForeignKey, Integer, MetaData, String, Table, Text

# Unchanged since Optuna 3.2 (March 2023); another version is refused, never guessed at.
KNOWN_VERSIONS = ("v3.2.0.a",)
VERSION_TABLE = "alembic_version"
METRIC_NAMES = "study:metric_names"  # the system attribute behind optuna.Study.metric_names
# What Optuna's set_constraint("infeasible", 1.0) writes: a trial with a constraint above 0 is never its best.
INFEASIBLE = "constraints:infeasible"

metadata = MetaData()

# Names of the types as Optuna's models give them: on PostgreSQL they are types of their own.
_DIRECTION = Enum("NOT_SET", "MINIMIZE", "MAXIMIZE", name="studydirection")
_STATE = Enum("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING", name="trialstate")
_VALUE = Enum("FINITE", "INF_POS", "INF_NEG", name="trialvaluetype")
_STEP = Enum("FINITE", "INF_POS", "INF_NEG", "NAN", name="trialintermediatevaluetype")

studies = Table(
    "studies",
    metadata,
    Column("study_id", Integer, primary_key=True),
    Column("study_name", String(512), nullable=False),
)
directions = Table(
    "study_directions",
    metadata,
    Column("study_direction_id", Integer, primary_key=True),
    Column("direction", _DIRECTION, nullable=False),
    Column("study_id", Integer, ForeignKey("studies.study_id"), nullable=False),
    Column("objective", Integer, nullable=False),
)


def _attributes(name: str, key: str, owner: str, target: str) -> Table:
    """One of the four tables of attributes: key, value as JSON."""
    return Table(
        name,
        metadata,
        Column(key, Integer, primary_key=True),
        Column(owner, Integer, ForeignKey(target)),
        Column("key", String(512)),
        Column("value_json", Text),
    )


user_attributes = _attributes(
    "study_user_attributes", "study_user_attribute_id", "study_id", "studies.study_id"
)
system_attributes = _attributes(
    "study_system_attributes", "study_system_attribute_id", "study_id", "studies.study_id"
)
trials = Table(
    "trials",
    metadata,
    Column("trial_id", Integer, primary_key=True),
    Column("number", Integer),
    Column("study_id", Integer, ForeignKey("studies.study_id")),
    Column("state", _STATE, nullable=False),
    Column("datetime_start", DateTime),  # naive UTC since Optuna 5
    Column("datetime_complete", DateTime),
)
trial_user_attributes = _attributes(
    "trial_user_attributes", "trial_user_attribute_id", "trial_id", "trials.trial_id"
)
trial_system_attributes = _attributes(
    "trial_system_attributes", "trial_system_attribute_id", "trial_id", "trials.trial_id"
)
params = Table(
    "trial_params",
    metadata,
    Column("param_id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.trial_id")),
    Column("param_name", String(512)),
    Column("param_value", Float(53)),
    Column("distribution_json", Text),
)
values = Table(
    "trial_values",
    metadata,
    Column("trial_value_id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.trial_id"), nullable=False),
    Column("objective", Integer, nullable=False),
    Column("value", Float(53)),
    Column("value_type", _VALUE, nullable=False),
)
steps = Table(
    "trial_intermediate_values",
    metadata,
    Column("trial_intermediate_value_id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.trial_id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("intermediate_value", Float(53)),
    Column("intermediate_value_type", _STEP, nullable=False),
)
heartbeats = Table(
    "trial_heartbeats",
    metadata,
    Column("trial_heartbeat_id", Integer, primary_key=True),
    Column("trial_id", Integer, ForeignKey("trials.trial_id"), nullable=False),
)

# What hangs on a trial, and on a study, in an order that deletes may follow.
OF_A_TRIAL = (params, values, steps, trial_user_attributes, trial_system_attributes, heartbeats)
OF_A_STUDY = (trials, directions, user_attributes, system_attributes)
