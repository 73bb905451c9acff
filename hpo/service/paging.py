"""Lists a page at a time: studies, and the trials of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpo.errors import SpecError, UnknownName, suggest
from hpo.service import records, specfile
from hpo.service.cursors import cursor_of, keys_of
from hpo.service.resting import seen, stored
from hpo.service.results import lines_of, study_state, trial_state
from hpo.service.where import check_sort, parse_where
from hpo.storage.base import After, Storage, StudyQuery, TrialQuery
from hpo.storage.ordering import NAMES, PARAM, after_of
from hpo.study import Study

MAX_PAGE = 1_000
FIELDS = (
    "number", "state", "reason", "value", "stderr", "params", "epochs", "best_epoch", "retry_of", "started_at",
    "finished_at", "values", "feasible", "lineage",
)  # fmt: skip
_STUDIES = "studies"
_KEYS = (type(None), bool, int, float, str)


def studies_page(
    storage: Storage,
    *,
    states: Sequence[str] = (),
    labels: Sequence[str] = (),
    owner: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Studies, the newest first, one line each: `items`, and `next_cursor` while there are more.

    states: any of them; labels: all of them, each `name=value`; owner: None for everybody's
    Raises BadRequest for a broken cursor, UnknownName, SpecError.
    """
    check_limit(limit)
    query = StudyQuery(
        states=tuple(study_state(word) for word in states),
        labels=tuple(_label(word) for word in labels),
        owner=owner,
        limit=limit + 1,
        after=None if cursor is None else keys_of(cursor, _STUDIES, [(int,)])[0],
    )
    found = storage.list_studies(query)
    more = cursor_of(_STUDIES, [found[limit - 1].id]) if len(found) > limit else None
    return {"items": lines_of(storage, found[:limit]), "next_cursor": more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which trials a page is of, in a user's words.

    states: any of them; where: `name op value and …`; fields: of a trial's record, params.NAME too; () for all
    """

    states: tuple[str, ...] = ()
    sort: str = "number"
    where: str | None = None
    fields: tuple[str, ...] = ()


def trials_page(
    storage: Storage, name: str, wanted: Wanted, *, limit: int = 100, cursor: str | None = None
) -> dict[str, Any]:
    """Trials of a study, each as `hpo trials -f json` shows it: `items`, and `next_cursor` while there are more.

    Raises StudyNotFound, BadRequest for a broken cursor or that of another question, UnknownName, SpecError.
    """
    check_limit(limit)
    study = None if _is_plain(wanted) else storage.get_study(name)
    query = TrialQuery(sort=wanted.sort) if study is None else query_of(study, wanted)
    select = None if study is None else selector(wanted.fields, study)
    question = _question(name, wanted)
    if cursor is not None:
        key, number = keys_of(cursor, question, [_KEYS, (int,)])
        query = replace(query, after=After(key=key, number=number))
    query = replace(query, unread=_unread(wanted), limit=limit + 1)
    found, more = storage.trials(name, query), None
    if len(found) > limit:
        last = after_of(found[limit - 1], query.sort)
        found, more = found[:limit], cursor_of(question, [last.key, last.number])
    if study is None and not all(trial.state.finished for trial in found):
        study = storage.get_study(name)
    items = [records.trial_record(trial if study is None else seen(study, trial)) for trial in found]
    return {"items": items if select is None else [select(item) for item in items], "next_cursor": more}


def _is_plain(wanted: Wanted) -> bool:
    """Whether a page can be read without its study: half of the time that a page takes."""
    words = wanted.states or wanted.where is not None or wanted.fields
    return not words and wanted.sort.removeprefix("-") in NAMES


def _unread(wanted: Wanted) -> tuple[str, ...]:
    """What no item shows, and the database need not read. A page ends at what its last trial was sorted by."""
    if not wanted.fields:
        return ("facts",)
    named = {
        "params" if word.startswith(PARAM) else word
        for word in (*wanted.fields, wanted.sort.removeprefix("-"))
    }
    return ("facts", *[name for name in ("params", "lineage") if name not in named])


def query_of(study: Study, wanted: Wanted) -> TrialQuery:
    """The words as a question for a storage. Raises UnknownName, SpecError."""
    space = specfile.parameters_of(study.spec)
    return TrialQuery(
        states=stored(study, map(trial_state, wanted.states)),
        sort=check_sort(wanted.sort, space),
        where=() if wanted.where is None else parse_where(wanted.where, space),
    )


def _question(name: str, wanted: Wanted) -> str:
    """Names a question, so that no cursor of one goes with another."""
    said = [name, wanted.sort, sorted(wanted.states), wanted.where]
    return f"trials-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]}"


def selector(fields: Sequence[str], study: Study) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Makes of a trial's record what was asked for. Raises UnknownName for a field that there is not."""
    if not fields:
        return lambda record: record
    searched = specfile.parameters_of(study.spec).searched
    known = [*FIELDS, *(f"{PARAM}{name}" for name in searched)]
    for field in fields:
        if field not in known:
            hint = suggest(field, known) or f"; there are {', '.join(known[:30])}"
            raise UnknownName(f"a trial has no {field[:80]!r}{hint}", field="fields")
    params = [field.removeprefix(PARAM) for field in fields if field.startswith(PARAM)]

    def selected(record: dict[str, Any]) -> dict[str, Any]:
        kept = {field: record[field] for field in fields if field in record}
        if params and "params" not in fields:
            kept["params"] = {name: record["params"][name] for name in params if name in record["params"]}
        return kept

    return selected


def all_items(
    page: Callable[[int, str | None], dict[str, Any]], limit: int | None
) -> Iterator[dict[str, Any]]:
    """All items of a list, or the first ones, a page at a time. page: gives one of a size, behind a cursor."""
    left, cursor = limit, None
    while left is None or left > 0:
        size = MAX_PAGE if left is None else min(left, MAX_PAGE)
        found = page(size, cursor)
        yield from found["items"]
        cursor = found["next_cursor"]
        if cursor is None:
            return
        left = None if left is None else left - size


def check_limit(limit: int) -> None:
    """Raises SpecError unless a page may be that long."""
    if not 1 <= limit <= MAX_PAGE:
        raise SpecError(f"must be between 1 and {MAX_PAGE:,}, got {limit}", field="limit")


def _label(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise SpecError(f"must be name=value, got {word!r}", field="label")
    return name, value
