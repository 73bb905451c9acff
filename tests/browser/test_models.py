"""A study that really trains, watched to its end; its networks downloaded, asked and looked at by clicking."""

import threading

import httpx
import pytest
from playwright.sync_api import expect

from hpo.api.site import Site
from hpo.coordinator.service import serve
from hpo.models import load_folder
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from hpo.workers.local_pool import LocalPool
from tests.browser.conftest import Looker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

STUDY = """
data: {source: circle}
trials: 8
epochs: 12
parameters: {learning_rate: {low: 1e-3, high: 3e-1, log: true}}
"""
COLUMNS = ("x1", "x2", "x1²", "x2²", "x1x2", "sin(x1)", "sin(x2)")
ROWS = [(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), (4.5, -1.0, 20.25, 1.0, -4.5, -0.9775, -0.8415)]


@pytest.fixture(scope="module")
def trained(chromium, tmp_path_factory):
    """A server with a coordinator of one worker, and a study that was submitted and followed to its end by clicking."""
    home = tmp_path_factory.mktemp("home")
    url = f"sqlite:///{home}/hpo.db"
    storage, mine = open_storage(url), open_storage(url)
    pool, stop = LocalPool(n_workers=1, device="cpu", scratch=home / "scratch"), threading.Event()
    coordinator = threading.Thread(target=serve, args=(mine, pool, stop))
    coordinator.start()
    site = Site(settings=read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url}), storage=storage)
    with serving(site) as address:
        looker = Looker(address, storage, chromium)
        with looker.page("/submit", forgiven=["422"]) as page:
            page.get_by_role("textbox", name="Study file").fill(f"name: ring{STUDY}")
            page.wait_for_selector("#checked:has-text('It is valid')")
            page.get_by_role("button", name="Submit").click()
            page.wait_for_selector("#state:has-text('COMPLETED')", timeout=90_000)
            expect(page.locator("#pace dd").first).to_have_text("8 / 8")
        yield looker
    stop.set()
    coordinator.join(60)
    storage.close()
    mine.close()


def taken(page, button, path):
    """The model that comes when a button is pressed."""
    with page.expect_download(timeout=90_000) as coming:
        button.click()
    coming.value.save_as(path)
    return load_folder(path)


def test_the_model_of_the_best_trial_is_downloaded_by_clicking_and_loads(trained, tmp_path):
    best = httpx.get(f"{trained.url}/api/v1/studies/ring/best").json()

    with trained.page("/studies/ring") as page:
        model = taken(
            page, page.get_by_role("button", name="Model of the best trial"), tmp_path / "model.zip"
        )
        said = page.locator("#model-said").inner_text()

    assert (model.about["study"], model.about["trial"]) == ("ring", best["number"])
    assert model.about["value"] == best["value"]
    assert said == "The model is on its way."


def test_a_trial_page_has_any_network_trained_again_downloads_it_asks_it_and_draws_it(trained, tmp_path):
    best = httpx.get(f"{trained.url}/api/v1/studies/ring/best").json()["number"]
    other = (best + 1) % 8
    text = "\n".join(",".join(map(str, row)) for row in [COLUMNS, *ROWS])

    with trained.page(f"/studies/ring/trials/{other}") as page:
        # Of relu there are no saturated units.
        page.wait_for_selector(
            "[data-figure=saturated_units] figcaption:has-text('Nothing of it was measured.')"
        )
        page.locator("#figure-surface").scroll_into_view_if_needed()
        page.wait_for_selector("#figure-surface figcaption:has-text('was not kept')")
        model = taken(page, page.get_by_role("button", name="Download", exact=True), tmp_path / "model.zip")
        page.wait_for_selector("#figure-surface .main-svg")
        drawn = page.evaluate("document.querySelector('#figure-surface .plot').data.map((one) => one.type)")
        points = page.locator("#figure-surface .point").count()
        page.get_by_text("Predict", exact=True).first.click()
        page.get_by_label("Rows as CSV").fill(text)
        page.get_by_role("button", name="Predict").click()
        page.wait_for_selector("#predictions tbody tr >> nth=1")
        said = [cell.inner_text() for cell in page.locator("#predictions tbody tr td:nth-child(2)").all()]
        shares = [cell.inner_text() for cell in page.locator("#predictions tbody tr td:nth-child(4)").all()]

    cells = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    assert model.about["trial"] == other
    assert said == model.predict(cells)
    assert [float(share) for share in shares] == pytest.approx(model.probabilities(cells)[:, 1], abs=6e-4)
    assert drawn == ["heatmap", "scatter"]
    assert points == 400
