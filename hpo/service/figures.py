"""A study's figures by name: their columns read, their numbers found, drawn as Plotly's JSON."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from hpo.errors import FigureNotFound, UnknownName, lookup
from hpo.figures.catalogue import FIGURES
from hpo.figures.theme import TEMPLATES
from hpo.service import figure_columns, figure_surface
from hpo.service.figure_source import PLAIN, Options, Source
from hpo.storage.base import Storage

LIGHT = "light"
THEMES = tuple(TEMPLATES)


class Reading(NamedTuple):
    """How the columns of a figure are read, and which options it knows."""

    columns: Callable[[Source, Options], Any]
    options: tuple[str, ...] = ()


_METRIC = ("metric",)
READINGS: dict[str, Reading] = {
    "history": Reading(figure_columns.history, _METRIC),
    "curves": Reading(figure_columns.curves_, _METRIC),
    "parallel": Reading(figure_columns.parallel_, _METRIC),
    "slice": Reading(figure_columns.slice_, _METRIC),
    "heatmap": Reading(figure_columns.heatmap_, (*_METRIC, "x", "y")),
    "importance": Reading(figure_columns.importance, _METRIC),
    "scatter": Reading(figure_columns.scatter, _METRIC),
    "timeline": Reading(figure_columns.timeline),
    "rounds": Reading(figure_columns.rounds),
    "lineage": Reading(figure_columns.lineage),
    "pareto": Reading(figure_columns.pareto, ("x", "y")),
    "surface": Reading(figure_surface.surface, ("trial",)),
}


def figure(
    storage: Storage,
    name: str,
    figure: str,
    options: Options = PLAIN,
    *,
    theme: str = LIGHT,
) -> dict[str, Any]:
    """One figure of a study in Plotly's JSON; `empty` says in a sentence why there is nothing to see.

    Raises FigureNotFound, StudyNotFound; UnknownName, SpecError for an option that it does not know or that is wrong.
    """
    check(figure, options)
    return drawn(Source(storage, storage.get_study(name)), figure, options, theme=theme)


def options_of(given: Mapping[str, Any]) -> Options:
    """Options by their names. Raises UnknownName for one that no figure knows."""
    for name in given:
        lookup(dict.fromkeys(Options.__slots__), name, "option of a figure")
    return Options(**given)


def check(figure: str, options: Options) -> None:
    """Raises FigureNotFound; UnknownName for an option that the figure does not know."""
    if figure not in READINGS:
        raise FigureNotFound(f"no figure is called {figure[:80]!r}; there are {', '.join(READINGS)}")
    known = READINGS[figure].options
    for option in options.__slots__:
        if getattr(options, option) is not None and option not in known:
            listed = f"it takes {', '.join(known)}" if known else "it takes none of these"
            raise UnknownName(f"the figure {figure} does not take that; {listed}", field=option)


def drawn(
    source: Source,
    figure: str,
    options: Options = PLAIN,
    *,
    theme: str = LIGHT,
) -> dict[str, Any]:
    """The same of a study whose columns may have been read before. Raises SpecError."""
    plot, template = FIGURES[figure], lookup(TEMPLATES, theme, "theme")
    given = READINGS[figure].columns(source, options)
    record = plot.data(*given) if isinstance(given, tuple) else plot.data(given)
    picture = _picture(lambda: plot.draw(record).update_layout(template=template).to_json())
    return {
        "study": source.study.name,
        "figure": figure,
        "shows": plot.shows,
        "title": record.title,
        "empty": record.empty or None,
        "data": picture["data"],
        "layout": picture["layout"],
    }


def _picture(written: Callable[[], str]) -> dict[str, Any]:
    """A drawing as plain JSON types. written: draws it

    Plotly looks whether values are pandas' as soon as there is a pandas, which another thread may only have begun to import.
    """
    try:
        text = written()
    except AttributeError as error:
        if not isinstance(error.obj, ModuleType):
            raise
        importlib.import_module(error.obj.__name__)  # waits until it is whole
        text = written()
    picture: dict[str, Any] = json.loads(text)
    return picture
