"""Trials in the order of a parameter: a narrow row for each value of each trial, and the walk along them.

The rows of so many trials after one another are a block, sorted by itself: a new trial's rows go among those of its
block and cost the same however long a study is. A page takes the first rows of each block, and of these the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    and_,
    exists,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

from hpo.space import SearchSpace
from hpo.storage.base import TrialQuery
from hpo.storage.bulk import BulkInsert
from hpo.storage.ordering import NOTHING, Order, SortKey, sort_key
from hpo.storage.tables import params, trials
from hpo.trial import TrialPlan

Rows = list[Row[Any]]
Walk = Callable[..., Rows]

BLOCK = 1 << 14  # trials; the rows that there are were cut by it, so it stays
TOGETHER = 400  # blocks; SQLite joins 500 selects at most, and a study has 10,000,000 trials at most

_INSERT = BulkInsert(params, ("study_id", "name", "block", "kind", "number", "words", "trial"))
_KEY = (params.c.kind, params.c.number, params.c.words)
_PLACE = (*_KEY, params.c.trial)


def add(connection: Connection, study: int, space: SearchSpace, plans: Sequence[TrialPlan]) -> None:
    """Rows of new trials: one for each searched parameter, NOTHING where a trial has none or null."""
    rows = [
        (study, name, plan.number // BLOCK, *sort_key(plan.params.get(name)), plan.number)
        for name in space.searched
        for plan in plans
    ]
    _INSERT(connection, sorted(rows))  # in the order of the index, whose pages are then visited once


def is_known(connection: Connection, study: int, name: str) -> bool:
    """Whether trials of a study can have a parameter of that name."""
    its = exists().where(params.c.study_id == study, params.c.name == name)
    return bool(connection.execute(select(its)).scalar_one())


def page(
    connection: Connection,
    wanted: Select[Any],
    meets: Sequence[ColumnElement[bool]],
    study: int,
    order: Order,
    query: TrialQuery,
) -> Rows:
    """The rows of a page that is sorted by a parameter. wanted: rows of the study's trials; meets: conditions."""
    along = select(*_PLACE).where(params.c.study_id == study, params.c.name == order.param)
    if meets:
        # A question about each trial, not a join: no database can begin with the trials and sort what it finds.
        its = select(and_(*meets)).where(trials.c.study_id == study, trials.c.number == params.c.trial)
        along = along.where(its.correlate(params).scalar_subquery())
    blocks = _blocks(connection, study)
    at = None if query.after is None else sort_key(query.after.key)
    last = -1 if query.after is None else query.after.number

    def walk(*where: ColumnElement[bool], n: int | None, offset: int = 0, down: bool = False) -> Rows:
        """The first n rows that meet conditions along the index, one way or the other."""
        if n == 0:
            return []
        # First the places of a page, alone, then its rows: for the same reason.
        firsts = _firsts(
            connection.dialect.name, along.where(*where), blocks, None if n is None else n + offset, down=down
        )
        places = _sorted(select(firsts), tuple(firsts.c), down=down).limit(n).offset(offset).subquery()
        rows = wanted.add_columns(*places.c).where(trials.c.number == places.c.trial)
        return list(connection.execute(_sorted(rows, tuple(places.c), down=down)))

    if order.down:
        n = None if query.limit is None else query.limit + query.offset
        return _largest_first(walk, at, last, n)[query.offset :]
    beyond = () if at is None else (tuple_(*_PLACE) > _literal(*at, last),)
    return walk(*beyond, n=query.limit, offset=query.offset)


def _blocks(connection: Connection, study: int) -> range:
    last = connection.execute(select(func.max(trials.c.number)).where(trials.c.study_id == study)).scalar()
    return range(1 if last is None else last // BLOCK + 1)


def _firsts(dialect: str, along: Select[Any], blocks: range, n: int | None, *, down: bool) -> Subquery:
    """The first n places of each block, one way or the other."""
    if dialect == "postgresql":  # one part says it for all blocks; SQLite knows no LATERAL
        block = func.generate_series(0, len(blocks) - 1).table_valued("block").render_derived()
        firsts = _sorted(along.where(params.c.block == block.c.block), _PLACE, down=down).limit(n)
        part = firsts.correlate(block).lateral()
        return select(part).select_from(block.join(part, true())).subquery()
    parts = [_sorted(along.where(params.c.block == block), _PLACE, down=down).limit(n) for block in blocks]
    while len(parts) > 1:
        parts = [_together(parts[i : i + TOGETHER]) for i in range(0, len(parts), TOGETHER)]
    return parts[0].subquery()


def _together(parts: Sequence[Select[Any]]) -> Select[Any]:
    return select(union_all(*[select(part.subquery()) for part in parts]).subquery())


def _sorted(rows: Select[Any], columns: Sequence[ColumnElement[Any]], *, down: bool) -> Select[Any]:
    return rows.order_by(*[column.desc() if down else column for column in columns])


def _largest_first(walk: Walk, at: SortKey | None, last: int, n: int | None) -> Rows:
    """Behind trial `last` of those at a key: those at it too, then all below, then those that have nothing."""

    def left() -> int | None:
        return None if n is None else n - len(rows)

    rows: Rows = []
    if at is not None:
        rows += _ties(walk, at, last, left())
    if at != NOTHING:
        rows += _below(walk, at or NOTHING, left())
        rows += _ties(walk, NOTHING, -1, left())
    return rows


def _ties(walk: Walk, at: SortKey, last: int, n: int | None) -> Rows:
    """Rows at a key, behind a number."""
    return walk(tuple_(*_KEY) == _literal(*at), params.c.trial > last, n=n)


def _below(walk: Walk, at: SortKey, n: int | None) -> Rows:
    """Rows below a key, the largest first.

    Backwards the index has ties by number the wrong way round. So each run of them is turned; the last one may
    have been cut off at its wrong end, and is read once more.
    """
    # With the number, though it says nothing new: SQLite takes `<` for `<=` where a part of the key is not named.
    found = walk(tuple_(*_PLACE) < _literal(*at, -1), n=n, down=True)
    runs = [(key, list(run)[::-1]) for key, run in groupby(found, lambda row: tuple(row[-len(_PLACE) : -1]))]
    if runs and len(found) == n:
        key, run = runs.pop()
        runs.append((key, _ties(walk, key, -1, len(run))))
    return list(chain.from_iterable(run for _, run in runs))


def _literal(*values: Any) -> ColumnElement[Any]:
    return tuple_(*[literal(value, column.type) for value, column in zip(values, _PLACE, strict=False)])
