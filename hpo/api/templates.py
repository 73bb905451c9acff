"""Which route answered a request, by its template: what metrics and traces are grouped by."""

from __future__ import annotations

from starlette.types import Scope

NO_ROUTE = "none"


def template_of(scope: Scope) -> str:
    """The whole template, `/api/v1/studies/{name}`, of a request that was answered; `none` where no route was.

    A route knows its own part alone; what stands before it is what the path has more than it.
    """
    route = scope.get("route")
    if route is None:
        return NO_ROUTE
    own: str = route.path
    said: str = route.path_format.format(**scope.get("path_params", {}))
    path: str = scope["path"]
    return path.removesuffix(said) + own if path.endswith(said) else own
