"""Ask before a grid is trained that is so large that it may be a mistake."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from hpo.cli.moving import confirm

if TYPE_CHECKING:
    from hpo.service.submit import Draft


def agreed(asked: Draft, *, yes: bool) -> Draft:
    """The draft, with all points of a huge grid as its trials once the user agrees.

    Raises SpecError where nobody can be asked, typer.Abort for no.
    """
    from hpo.service.completion import points_unasked, too_many_points
    from hpo.study import MAX_TRIALS

    size = points_unasked(asked.spec)
    if size is None:
        return asked
    if size > MAX_TRIALS or not (yes or sys.stdin.isatty()):
        raise too_many_points(size)
    confirm(f"the grid has {size:,} points; train them all?", yes=yes)
    return replace(asked, spec=replace(asked.spec, trials=size))
