"""Everything in the database, counted: three statements, whatever there is. Runs inside a transaction."""

from __future__ import annotations

import json

from sqlalchemy import Connection, case, func, select

from hpo.states import AT_REST, StudyState, TrialState
from hpo.storage.base_census import Census
from hpo.storage.engine import database_now, utc
from hpo.storage.records import COUNTERS
from hpo.storage.rules import DRIVEN
from hpo.storage.tables import studies
from hpo.study import EXTERNAL


def count(connection: Connection) -> Census:
    """Studies and trials by state, from the counters that stand with each study; how fast running ones go."""
    counted = select(
        studies.c.state,
        func.count().label("n"),
        func.min(case((studies.c.served, studies.c.queued_at))).label("oldest"),
        func.max(database_now()).label("now"),
        *(func.sum(studies.c[column]).label(column) for column in COUNTERS.values()),
    ).group_by(studies.c.state)
    n_studies, n_trials, waits_s = dict.fromkeys(StudyState, 0), dict.fromkeys(TrialState, 0), 0.0
    for row in connection.execute(counted):
        n_studies[StudyState(row.state)] = row.n
        for state, column in COUNTERS.items():
            n_trials[state] += int(getattr(row, column))
        if row.state == StudyState.QUEUED and row.oldest is not None:
            waits_s = max(0.0, (utc(row.now) - row.oldest).total_seconds())
    said = select(studies.c.live).where(studies.c.state.in_(DRIVEN), studies.c.live.is_not(None))
    n_resting = _resting(connection)
    live = tuple(json.loads(text) for text in connection.execute(said).scalars())
    return Census(studies=n_studies, trials=n_trials, n_resting=n_resting, waits_s=waits_s, live=live)


def _resting(connection: Connection) -> int:
    """How many trials were handed back. Who trains elsewhere may go on while the study rests."""
    column = studies.c[COUNTERS[TrialState.RUNNING]]
    wanted = select(studies.c.spec, column.label("n")).where(studies.c.state.in_(AT_REST), column > 0)
    return sum(row.n for row in connection.execute(wanted) if json.loads(row.spec).get("trainer") != EXTERNAL)
