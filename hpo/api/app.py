"""The API as an application: its routes, its errors, what goes around every request."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from hpo import __version__
from hpo.api.envelope import Envelope
from hpo.api.etags import ETags
from hpo.api.guard import Guard
from hpo.api.json import Json
from hpo.api.openapi import document
from hpo.api.problems import add_problems
from hpo.api.routes import keys, login, moving, studies, system
from hpo.api.site import Site

PREFIX = "/api/v1"

ROUTERS: tuple[APIRouter, ...] = (
    system.router,
    studies.router,
    moving.router,
    keys.router,
)
OUTSIDE: tuple[APIRouter, ...] = (login.router,)  # of the API: beside its pages


def make_app(site: Site) -> FastAPI:
    """The application for one site. It keeps nothing but the site: any number of processes may serve it."""
    app = FastAPI(
        title="hpo",
        version=__version__,
        summary="Hyperparameter search for multilayer perceptrons",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        default_response_class=Json,
        separate_input_output_schemas=False,  # else what an answer may leave out would be required
    )
    app.state.site = site
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    for router in OUTSIDE:
        app.include_router(router)
    add_problems(app)
    # The last one added is the first to see a request.
    app.add_middleware(ETags)
    app.add_middleware(Guard, site=site)
    app.add_middleware(Envelope)
    app.openapi = document(app)  # type: ignore[method-assign]
    return app
