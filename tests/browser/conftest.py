"""A headless Chromium that looks at a real server, and holds every error of a page against it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
LAPTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Of each file its own: while it is there, no other test of the process can have an event loop."""
    if CHROMIUM is None:
        pytest.skip("this machine has no Chromium; Debian's package `chromium` has one")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET) as browser,
    ):
        yield browser


class PageFault(Exception):
    """Something went wrong on a page that nobody may have noticed."""


@dataclass
class Looker:
    """Opens pages of a server. faults: what a browser's console would show in red, and what did not load"""

    url: str
    storage: Storage
    browser: Browser
    faults: list[str] = field(default_factory=list)

    @contextmanager
    def page(
        self, path: str = "/", *, size: dict[str, int] = LAPTOP, forgiven: Sequence[str] = (), **options: Any
    ) -> Iterator[Page]:
        """A page in a profile of its own. Raises PageFault at the end for what went wrong on it.

        forgiven: words of faults that belong to the test
        """
        context = self.browser.new_context(viewport=size, **options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", lambda one: self._note(one.type == "error", f"console: {one.text}"))
        page.on("pageerror", lambda error: self._note(True, f"script: {error}"))
        page.on(
            "requestfailed", lambda one: self._note(self._is_fault(one), f"request: {one.url} {one.failure}")
        )
        page.on("dialog", lambda one: self._note(True, f"dialog: {one.message}"))
        try:
            page.goto(self.url + path)
            yield page
        finally:
            context.close()
        faults = [fault for fault in self.faults if not any(word in fault for word in forgiven)]
        self.faults.clear()
        if faults:
            raise PageFault("; ".join(faults))

    def _note(self, is_fault: bool, what: str) -> None:
        if is_fault:
            self.faults.append(what)

    @staticmethod
    def _is_fault(request: Any) -> bool:
        """A stream that the page itself ends, or that ends with the page, did not fail."""
        return not (request.url.endswith("/events?after=now") or request.failure == "net::ERR_ABORTED")


@pytest.fixture
def looker(chromium, sqlite, tmp_path) -> Iterator[Looker]:
    """A server without keys, and who looks at it."""
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    storage = open_storage(sqlite)
    with serving(Site(settings=settings, storage=storage)) as url:
        yield Looker(url, storage, chromium)
    storage.close()
