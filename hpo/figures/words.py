"""The words of a figure: names as text and never as HTML, numbers short, units in brackets."""

from __future__ import annotations

import math

from hpo.figures.columns import Objective
from hpo.space import Value

LONGEST = 60  # letters of a name: longer ones push the picture out of its window

UNITS: dict[str, str] = {
    "batch_size": "rows",
    "epochs": "epochs",
    "hidden_layers": "layers",
    "hidden_units": "units",
    "n_parameters": "weights",
    "train_seconds": "s",
}


def plain(name: str) -> str:
    """A name as Plotly shows it letter by letter: it takes a part of HTML, and &lt; &gt; &amp; for < > &.

    >>> plain("<b>R&D</b>")
    '&lt;b&gt;R&amp;D&lt;/b&gt;'
    """
    return escaped(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def escaped(text: str) -> str:
    """A text of any length as Plotly shows it letter by letter."""
    # A template of a hover would take %{x} for a place to fill; a dollar begins a formula where MathJax is.
    marked = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return marked.replace("%", "&#37;").replace("$", "&#36;")


def short(number: float) -> str:
    """A number in four digits.

    >>> short(0.123456), short(1e-06), short(256.0), short(math.nan)
    ('0.1235', '1e-06', '256', '–')
    """
    return f"{number:.4g}" if math.isfinite(number) else "–"


def choice(value: Value) -> str:
    """A choice as a study file writes it, as text.

    >>> choice(True), choice(None), choice(0.5), choice("64-32")
    ('true', 'null', '0.5', '64-32')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return plain(f"{value:g}" if isinstance(value, float) else str(value))


def with_unit(name: str, unit: str = "") -> str:
    """An axis title: the name, and its unit where it has one.

    >>> with_unit("hidden_units"), with_unit("rmse", "EUR"), with_unit("accuracy")
    ('hidden_units [units]', 'rmse [EUR]', 'accuracy')
    """
    unit = unit or UNITS.get(name, "")
    return f"{plain(name)} [{plain(unit)}]" if unit else plain(name)


def label(objective: Objective) -> str:
    """The axis title of an objective's values."""
    return with_unit(objective.metric, objective.unit)


def of_all(shown: int, n: int, what: str = "trials") -> str:
    """What is added to a title when only some are drawn.

    >>> of_all(2000, 100000), of_all(7, 7)
    (' (2,000 of 100,000 trials)', '')
    """
    return f" ({shown:,} of {n:,} {what})" if shown < n else ""
