"""What people wrote is text on every page: HTML and script in labels, metrics, categories, files, columns, addresses."""

import httpx
import pytest

from tests.browser.studies import a_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# Plotly makes links and bold text of some HTML, and a template of %{…}; pages would make an image that runs a script.
EVIL = "<b>b</b><a href='//x'>a</a>%{x}<img src=x onerror=alert(1)>"
TABLE = f"{EVIL},y\n" + f"{EVIL},1\nplain,0\n" * 8
HOVER = """async () => {
  for (const plot of document.querySelectorAll('.js-plotly-plot')) {
    const first = (one) => ['scatter', 'bar'].includes(one.type) && (one.xaxis ?? 'x') + (one.yaxis ?? 'y') === 'xy';
    const points = plot.data.map((one, curveNumber) => ({ curveNumber, pointNumber: 0 }));
    Plotly.Fx.hover(plot, points.filter((one, at) => first(plot.data[at])));
    await new Promise(requestAnimationFrame);
  }
}"""
# Elements that our own pages never make of words, and bold text in a figure, which has none.
MADE = """[...document.querySelectorAll('main b, main img, main script, svg a, svg [style*=bold]')].map(
  (one) => one.outerHTML)"""
WORDS = """Object.fromEntries([...document.querySelectorAll('[data-figure]')].map(
  (one) => [one.dataset.figure, [...one.querySelectorAll('h3, svg text')].map((text) => text.textContent)]))"""


def submit_evil_things(url):
    """A data set and an external study with curves, in which all that people may name freely is evil."""
    api = httpx.Client(base_url=f"{url}/api/v1", timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
    octets = {"Content-Type": "application/octet-stream"}
    name = EVIL.replace("/", "|")
    kept = api.post("/datasets", params={"name": name}, content=TABLE.encode(), headers=octets)
    kept.raise_for_status()
    study = {
        "name": "evil",
        "description": EVIL,
        "labels": {EVIL: EVIL},
        "trainer": "external",
        "objective": {"metric": EVIL, "direction": "maximize"},
        "trials": 12,
        "parameters": {"kind": [EVIL, f"{EVIL}2"], "size": {"low": 0.0, "high": 1.0}},
    }
    api.post("/studies", json=study).raise_for_status()
    asked = api.post("/studies/evil/trials:ask", json={"client_id": EVIL, "count": 12}).json()
    for trial in asked["trials"]:
        path, value = f"/studies/evil/trials/{trial['number']}", trial["params"]["size"]
        for epoch in (1, 2):
            report = {"client_id": EVIL, "epoch": epoch, "value": value * epoch}
            api.post(f"{path}:report", json=report).raise_for_status()
        told = {"client_id": EVIL, "state": "COMPLETE", "value": value}
        api.post(f"{path}:tell", json=told).raise_for_status()
    return name, kept.json()["id"]


def test_html_in_whatever_people_name_is_text_on_every_page_and_in_every_figure(looker):
    a_study(looker.storage, label=EVIL)
    name, key = submit_evil_things(looker.url)
    pages = {
        "/": (["#studies tbody tr >> nth=1"], EVIL),
        "/studies/evil": (["#trials tbody tr"], EVIL),
        "/studies/evil/trials/0": (["#params dd", "#curves .main-svg"], EVIL),
        "/compare?study=evil&study=wine": (["#settings tbody tr", "#picture figcaption"], EVIL),
        f"/datasets?show={key}": (["#columns tbody tr", "#datasets tbody tr"], EVIL),
        "/submit?fork=evil": (["#checked p"], name),
        "/workers": (["#said:has-text('Nobody')"], ""),
        "/compare?study=<img src=x onerror=alert(1)>": (["h1"], "<img src=x onerror=alert(1)>"),
        "/datasets?show=<img src=x onerror=alert(1)>": (["#said.wrong"], "<img src=x onerror=alert(1)>"),
    }

    made, shown, figures, captions = {}, {}, {}, []
    for path, (ready, _) in pages.items():
        with looker.page(path, forgiven=["404"]) as page:
            for selector in ready:
                page.wait_for_selector(selector)
            for figure in page.locator("#figures [data-figure]").all():
                figure.scroll_into_view_if_needed()
                drawn = f"#{figure.get_attribute('id')}[data-drawn]:not([aria-busy])"
                page.wait_for_selector(drawn, state="attached")
            page.evaluate(HOVER)
            made[path] = page.evaluate(MADE)
            shown[path] = page.inner_text("body")
            figures |= page.evaluate(WORDS)
            captions += page.locator("figcaption").all_inner_texts()

    assert {path: found for path, found in made.items() if found} == {}
    assert {path for path, (_, words) in pages.items() if words not in shown[path]} == set()
    assert {path for path, text in shown.items() if "&lt;" in text} == set()
    assert any(f"different metrics: {EVIL}," in words for words in captions)
    # On axes, in legends and where the mouse is; the last one is the curve of the trial.
    evil = {figure for figure, words in figures.items() if any(EVIL in word for word in words)}
    assert evil >= {"history", "curves", "parallel", "slice", "heatmap", EVIL}
