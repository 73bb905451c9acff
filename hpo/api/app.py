"""The API as an application: its routes, its errors, what goes around every request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI

from hpo import __version__
from hpo.api.access import Access
from hpo.api.compression import Compression
from hpo.api.dashboard import dashboard_client
from hpo.api.dashboard import router as dashboard_router
from hpo.api.envelope import Envelope
from hpo.api.etags import ETags
from hpo.api.guard import Guard
from hpo.api.json import Json
from hpo.api.measures import Measures, Measuring
from hpo.api.methods import Methods
from hpo.api.openapi import document
from hpo.api.pages import assets
from hpo.api.pages import routes as pages
from hpo.api.pages.faces import Faces
from hpo.api.problems import add_problems
from hpo.api.routes import (
    datasets,
    events,
    external,
    figures,
    health,
    keys,
    login,
    models,
    moving,
    results,
    spaces,
    studies,
    system,
    trials,
)
from hpo.api.site import Site
from hpo.api.streams import Streams
from hpo.api.watched import watched

if TYPE_CHECKING:
    from hpo.api.traces import Traces

PREFIX = "/api/v1"

ROUTERS: tuple[APIRouter, ...] = (
    system.router,
    studies.router,
    moving.router,
    trials.router,
    results.router,
    figures.router,
    external.router,
    spaces.router,
    keys.router,
    events.router,
    datasets.router,
    models.router,
)
# Beside /api/v1; the Optuna dashboard last, since it takes whatever else begins with /api.
OUTSIDE: tuple[APIRouter, ...] = (
    pages.router,
    assets.router,
    login.router,
    health.router,
    dashboard_router,
)


def make_app(site: Site, *, traces: Traces | None = None) -> FastAPI:
    """The application for one site. It keeps nothing but the site: any number of processes may serve it.

    traces: where spans of requests and transactions go, if anywhere
    """
    measures = Measures(site.storage)
    site = replace(site, storage=watched(site.storage, measures.call))
    if traces is not None:
        site = replace(site, storage=watched(site.storage, traces.call))
    app = FastAPI(
        title="hpo",
        version=__version__,
        summary="Hyperparameter search for multilayer perceptrons",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
        redirect_slashes=False,
        separate_input_output_schemas=False,  # else what an answer may leave out would be required
        lifespan=lambda app: dashboard_client(app, site),
    )
    app.state.site, app.state.measures = site, measures
    app.state.streams = Streams(site.storage)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    for router in OUTSIDE:
        app.include_router(router)
    add_problems(app)
    # The last one added is the first to see a request.
    app.add_middleware(ETags)
    app.add_middleware(Compression)
    app.add_middleware(Methods, routes=app.routes)
    app.add_middleware(Guard, site=site)
    app.add_middleware(Envelope)
    app.add_middleware(Faces)
    if traces is not None:
        traces.go_around(app)
    app.add_middleware(Measuring, measures=measures)
    app.add_middleware(Access)
    app.openapi = document(app)  # type: ignore[method-assign]
    return app
