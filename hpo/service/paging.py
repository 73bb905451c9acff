"""Lists a page at a time: studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpo.errors import SpecError
from hpo.service import records
from hpo.service.cursors import cursor_of, keys_of
from hpo.service.results import study_state
from hpo.storage.base import Storage, StudyQuery
from hpo.study import Study

MAX_PAGE = 1_000
_STUDIES = "studies"


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
    return {"items": [_line(storage, study) for study in found[:limit]], "next_cursor": more}


def check_limit(limit: int) -> None:
    """Raises SpecError unless a page may be that long."""
    if not 1 <= limit <= MAX_PAGE:
        raise SpecError(f"must be between 1 and {MAX_PAGE:,}, got {limit}", field="limit")


def _line(storage: Storage, study: Study) -> dict[str, Any]:
    best = storage.best_trials(study.name, 1)
    return records.study_summary(study, best=best[0] if best else None)


def _label(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise SpecError(f"must be name=value, got {word!r}", field="label")
    return name, value
