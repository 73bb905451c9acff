"""Names and numbers in paths: what cannot be the name of anything is found nowhere, and no database is asked."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import StringConstraints

from hpo.errors import StudyNotFound
from hpo.service.paging import MAX_PAGE
from hpo.study import MAX_TRIALS, NAME


async def _study_name(
    name: Annotated[str, Path(description="The study's name.", examples=["wine-red"])],
) -> str:
    if not NAME.fullmatch(name):
        raise StudyNotFound("no study can be called that; GET /api/v1/studies lists the names there are")
    return name


NO_NUL = r"^[^\x00]*$"  # PostgreSQL's text has none
MAX_WORD = 4_000

StudyName = Annotated[str, Depends(_study_name)]
TrialNumber = Annotated[
    int, Path(alias="number", ge=0, le=MAX_TRIALS, description="The trial's number.", examples=[17])
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
Word = Annotated[str, StringConstraints(pattern=NO_NUL, max_length=MAX_WORD)]
