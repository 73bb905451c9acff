"""Named search spaces."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from hpo.api.answers import answers
from hpo.api.deps import Viewer
from hpo.api.json import Json
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.space import SpaceList, SpaceRecord
from hpo.service import spaces

router = APIRouter(tags=["spaces"], route_class=DeclaredOnly)


@router.get("/spaces", **answers(SpaceList))
def list_spaces(_: Viewer) -> Json:
    """The named search spaces, which `parameters` of a study file may name."""
    return Json({"items": spaces.listed(), "next_cursor": None})


@router.get("/spaces/{space}", **answers(SpaceRecord, 404))
def show_space(
    space: Annotated[str, Path(description="Its name.", examples=["mlp-default"])], _: Viewer
) -> Json:
    """A named search space with its parameters."""
    return Json(spaces.shown(space))
