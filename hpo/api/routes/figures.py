"""Figures of a study in Plotly's JSON, and all of them in one HTML file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from hpo.api.answers import answers
from hpo.api.deps import StorageOf, Viewer
from hpo.api.etags import tag_of
from hpo.api.json import Json
from hpo.api.names import StudyName, Word
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.figure import FigureRecord
from hpo.service import figures, report
from hpo.service.figure_source import Options
from hpo.study import MAX_TRIALS

router = APIRouter(tags=["figures"], route_class=DeclaredOnly)


class Theme(StrEnum):
    """The colours of paper and ink."""

    LIGHT = "light"
    DARK = "dark"


def _takers(option: str) -> str:
    """Which figures know an option."""
    return ", ".join(name for name, reading in figures.READINGS.items() if option in reading.options)


Figure = Annotated[
    str,
    Path(
        description="Which: " + ", ".join(figures.READINGS) + ".",
        examples=["history"],
        json_schema_extra={"enum": list(figures.READINGS)},
    ),
]


async def _options(
    metric: Annotated[
        Word | None,
        Query(
            description=f"Of several objectives the one to look at; the first unless given. Of {_takers('metric')}."
        ),
    ] = None,
    x: Annotated[
        Word | None,
        Query(
            description="What stands across: a parameter of heatmap, the metric of an objective of pareto."
        ),
    ] = None,
    y: Annotated[Word | None, Query(description="What stands up, likewise.")] = None,
    trial: Annotated[
        int | None,
        Query(
            ge=0, le=MAX_TRIALS, description=f"Whose network; else the best trial's. Of {_takers('trial')}."
        ),
    ] = None,
) -> Options:
    """What else a request asks for."""
    return Options(metric=metric, x=x, y=y, trial=trial)


@router.get("/studies/{name}/figures/{figure}", **answers(FigureRecord, 404))
def show_figure(
    name: StudyName,
    figure: Figure,
    _: Viewer,
    storage: StorageOf,
    options: Annotated[Options, Depends(_options)],
    theme: Annotated[Theme, Query(description="The colours of paper and ink.")] = Theme.LIGHT,
) -> Json:
    """A figure of a study, with points enough for a screen however many trials there are."""
    return Json(figures.figure(storage, name, figure, options, theme=theme.value))


HTML = "text/html; charset=utf-8"
# Beside what the file itself says: no frame around it, and no access to this server in the reader's name.
_ALONE = "; frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
_PAGE = answers(None, 404, about="The file.")
_PAGE["responses"][200]["content"] = {"text/html": {"schema": {"type": "string"}}}


@router.get("/studies/{name}/report", response_class=Response, **_PAGE)
def show_report(name: StudyName, _: Viewer, storage: StorageOf) -> Response:
    """One HTML file that needs no network: figures, best settings, study file, versions, how to do it again."""
    found = report.report(storage, name)
    headers = {
        "ETag": f'W/"{tag_of(found.html.encode())}"',
        "Content-Security-Policy": found.policy + _ALONE,
        "Content-Disposition": f'inline; filename="{name}.html"',
    }
    return Response(found.html, media_type=HTML, headers=headers)
