"""Tables of the service: coordinators, accounts, requests that came twice, external trainers, models asked for.

Times are naive UTC; `…_until` and `…_at_s` are seconds since 1970 by the database's clock.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from hpo.storage.optuna_tables import metadata


def _study() -> Column[int]:
    """The study a row goes with."""
    target = ForeignKey("studies.study_id", ondelete="CASCADE")
    return Column("study_id", Integer, target, primary_key=True, nullable=False, autoincrement=False)


coordinators = Table(
    "hpo_coordinators",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("born", Float(53), nullable=False),
    Column("version", String(32), nullable=False),
    Column("pool", String(16), nullable=False),
    Column("slots", Text, nullable=False),  # JSON: what each slot does
    Column("started_at", DateTime, nullable=False),
    Column("seen_at_s", Float(53), nullable=False),
)
keys = Table(
    "hpo_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the secret, which is random
    Column("created_at", DateTime, nullable=False),
    Column("last_used_at", DateTime),
    Column("expires_at", DateTime),
    Column("revoked_at", DateTime),
    Index("hpo_keys_owner", "owner"),
)
sessions = Table(
    "hpo_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of what the cookie holds
    Column("key_id", String(16), ForeignKey("hpo_keys.id", ondelete="CASCADE"), nullable=False),
    Column("until_s", Float(53), nullable=False),
)
quotas = Table(
    "hpo_quotas",
    metadata,
    Column("owner", String(255), primary_key=True),
    Column("studies", Integer),
    Column("trials", Integer),
    Column("slots", Integer),
)
once = Table(
    "hpo_once",
    metadata,
    Column("owner", String(255), primary_key=True),  # empty: nobody in particular
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),  # SHA-256 of the request
    Column("study_id", Integer, ForeignKey("studies.study_id", ondelete="CASCADE"), nullable=False),
    Column("created_at_s", Float(53), nullable=False),
)
leases = Table(
    "hpo_leases",
    metadata,
    _study(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("client", String(255), nullable=False),
    Column("until_s", Float(53), nullable=False),
    Column("losses", Integer, nullable=False),  # how often a lease on the trial has run out
    Index("hpo_leases_client", "study_id", "client"),
    Index("hpo_leases_until", "study_id", "until_s"),
)
reports = Table(
    "hpo_reports",
    metadata,
    _study(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("value", Float(53), nullable=False),
    Column("best", Float(53), nullable=False),  # the best so far, this one included
    Column("rung", Integer),  # the rung that was reached with it
    Column("prune", Boolean, nullable=False),  # what was answered
    Index("hpo_reports_rung", "study_id", "rung", "number"),
)
model_requests = Table(
    "hpo_model_requests",
    metadata,
    _study(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("failed", Boolean, nullable=False),
    Column("detail", Text),
    Column("requested_at_s", Float(53), nullable=False),
)
