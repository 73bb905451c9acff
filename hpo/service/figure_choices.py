"""What a figure of a study may be asked for: whose values, what stands across and up, on which scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hpo.service.figure_source import Source
from hpo.study import COSTS

AXES: dict[str, str] = {"history": "y", "curves": "y", "slice": "y", "scatter": "xy"}  # of values
SCALES = ("linear", "log")  # which a page lays over the axes of values; unless chosen the figure knows best


def _metrics(source: Source) -> list[str]:
    return [one.metric for one in source.objectives]


def _measured(source: Source) -> list[str]:
    return [metric for metric in _metrics(source) if metric not in COSTS]


def _parameters(source: Source) -> list[str]:
    return list(source.space)


# Figure -> option -> its values; options that have but one value are no choice.
_VALUES: dict[str, dict[str, Callable[[Source], list[str]]]] = {
    "history": {"metric": _metrics},
    "curves": {"metric": _measured},
    "parallel": {"metric": _metrics},
    "slice": {"metric": _metrics},
    "heatmap": {"metric": _metrics, "x": _parameters, "y": _parameters},
    "importance": {"metric": _metrics},
    "scatter": {"metric": _measured},
    "pareto": {"x": _metrics, "y": _metrics},
}


def choices(source: Source, figure: str) -> dict[str, Sequence[str]]:
    """Option -> the values that it may have in this study; with `scale` where the axes of values may be chosen.

    One value is no choice, and of two there is only another order where both stand on an axis.
    """
    found: dict[str, Sequence[str]] = {}
    for option, values in _VALUES.get(figure, {}).items():
        there = values(source)
        if len(there) > (2 if option in ("x", "y") else 1):
            found[option] = there
    return found | ({"scale": SCALES} if figure in AXES else {})
