"""Take the pictures of the pages in docs/pictures: real studies, served and looked at in Chromium; `make screenshots` runs it."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

PICTURES = Path(__file__).parent / "pictures"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LAPTOP, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}
SETTLE_MS = 1500  # until bars have grown and figures are drawn
QUALITY = 80  # of WebP: letters stay sharp
STUDIES = {
    "digits": """
data: {source: digits}
labels: {course: cs231n}
trials: 192
epochs: 20
pruner: {name: halving, min_epochs: 3, factor: 3}
parameters:
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
  l2: {low: 1e-6, high: 1e-1, log: true}
  hidden_units: {low: 16, high: 128, log: true, type: int}
  optimizer: [momentum, adam]
""",
    "spiral": """
data: {source: spiral}
labels: {course: playground}
trials: 96
epochs: 60
parameters:
  learning_rate: {low: 1e-3, high: 1, log: true}
  activation: [relu, tanh, sigmoid]
  hidden_units: [8, 32]
""",
}


@dataclass(frozen=True)
class Picture:
    """A page as somebody sees it. at: what is scrolled to the top of the window; ready: what it waits for"""

    path: str
    ready: str
    at: str = "body"
    size: str = "laptop"
    scheme: str = "light"


FIGURE = "[data-figure={}] .main-svg"
OF = {
    "study": Picture("/studies/digits", FIGURE.format("history")),
    "study-dark": Picture("/studies/digits", FIGURE.format("heatmap"), at="#figure-heatmap", scheme="dark"),
    "study-phone": Picture(
        "/studies/digits", FIGURE.format("history"), at="#figure-history", size="phone", scheme="dark"
    ),
    "trial": Picture(
        "/studies/spiral/trials/{best}", FIGURE.format("surface"), at="#figure-surface", scheme="dark"
    ),
    "submit": Picture("/submit?fork=digits", "#checked :text('It is valid')"),
    "data": Picture("/datasets?show=wine", "#columns tbody tr", at="#one"),
    "compare-phone": Picture("/compare?study=digits&study=spiral", "#settings tbody tr", size="phone"),
}


def train(home: Path) -> None:
    """Run the studies there."""
    for name, text in STUDIES.items():
        file = home / f"{name}.yaml"
        file.write_text(text)
        words = [sys.executable, "-m", "hpo", "run", str(file), "--quiet"]
        subprocess.run(words, check=True, env=os.environ | {"HPO_HOME": str(home)})


def take(browser: Browser, root: str, picture: Picture) -> bytes:
    """One picture, as WebP."""
    size = {"laptop": LAPTOP, "phone": PHONE}[picture.size]
    with browser.new_context(viewport=size, color_scheme=picture.scheme) as context:
        page = context.new_page()
        page.goto(root + picture.path)
        page.locator(picture.at).scroll_into_view_if_needed()  # or its figures are not asked for
        page.wait_for_selector(picture.ready)
        page.evaluate("at => document.querySelector(at).scrollIntoView()", picture.at)
        page.wait_for_timeout(SETTLE_MS)
        page.wait_for_selector("[aria-busy=true]", state="detached")
        page.wait_for_selector("main :text-is('Looking…')", state="hidden")
        asked = {"format": "webp", "quality": QUALITY}
        taken = context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    return base64.b64decode(taken["data"])


def main() -> None:
    """Take all of them, or those named."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        train(home)
        given = {"HPO_HOME": folder, "HPO_STORAGE": f"sqlite:///{folder}/hpo.db"}
        storage = open_storage(given["HPO_STORAGE"])
        with (
            serving(Site(settings=read_settings(given), storage=storage)) as root,
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
        ):
            best = httpx.get(f"{root}/api/v1/studies/spiral/best").json()["number"]
            for name in sys.argv[1:] or OF:
                taken = take(browser, root, replace(OF[name], path=OF[name].path.format(best=best)))
                (PICTURES / f"{name}.webp").write_bytes(taken)
                print(f"{name}.webp", f"{len(taken) // 1000} kB")
        storage.close()


if __name__ == "__main__":
    main()
