"""A driver that froze in the middle of a batch of commands, with locks that nobody else gets."""

from __future__ import annotations

from sqlalchemy import Connection, text

STUCK_S = 10.0  # less than a lease: whoever let one run out has been silent for longer

# Of a batch that has begun (psycopg's pipeline) PostgreSQL says `active`, and waits for the client to read or go on; so no time
# limit before version 17 ends it, as idle_in_transaction_session_timeout ends others. Whoever owns a role may end its sessions.
# https://www.postgresql.org/docs/15/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() "
    "AND usename = current_user AND state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite') "
    "AND query_start < clock_timestamp() - make_interval(secs => :seconds) "
    # Who only reads, a backup for one, is in nobody's way.
    "AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'hpo_studies'::regclass AND mode <> 'AccessShareLock')"
)


def end_stuck(connection: Connection) -> None:
    """End the connections to PostgreSQL that have held locks of studies for so long while their clients say nothing.

    Nothing with SQLite, whose lock is the file's: the system gives it back when the process dies.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_END, {"seconds": STUCK_S})
