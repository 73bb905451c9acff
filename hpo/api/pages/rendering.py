"""Make a page: a template of `dashboards/pages` in the frame that all share, under one content security policy."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment, StrictUndefined

from hpo import __version__
from hpo.account import ANYBODY, NOBODY, Account
from hpo.api.pages.assets import address
from hpo.api.site import Site
from hpo.service import dashboard_files

# Everything from this server, no script in a page itself. plotly.js writes styles, and pictures from blobs.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "private, no-cache",
    # With no-referrer a form of ours would come with `Origin: null`, which the guard takes for another site's.
    "Referrer-Policy": "same-origin",
}


class Link(NamedTuple):
    """A page of the navigation."""

    href: str
    text: str


NAVIGATION = (
    Link("/", "Studies"),
    Link("/submit", "Submit"),
    Link("/datasets", "Data"),
    Link("/workers", "Workers"),
)


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=DictLoader(dashboard_files.texts("pages")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(asset=address, version=__version__)
    return made


def page(request: Request, template: str, title: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """A page. template: without its ending; facts: what it shows; all of it becomes text."""
    site: Site = request.app.state.site
    # What the guard refused has nobody yet.
    account: Account = getattr(request.state, "account", NOBODY if site.auth else ANYBODY)
    shown = _environment().get_template(f"{template}.html")
    html = shown.render(
        facts,
        title=title,
        # On a server without keys everybody may everything, and there is nobody to sign out.
        account=account if site.auth and account.key else None,
        navigation=NAVIGATION if account.key or not site.auth else (),
        here=request.url.path,
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS)
