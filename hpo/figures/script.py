"""The program that draws figures in a browser: plotly.js as the installed package has it, nothing from elsewhere."""

from __future__ import annotations

import functools

from plotly.offline import get_plotlyjs


@functools.cache  # five megabytes, and reports are asked for one after another
def plotly_js() -> str:
    """The whole of plotly.js, which fits into a script element of a page."""
    source: str = get_plotlyjs()
    return source
