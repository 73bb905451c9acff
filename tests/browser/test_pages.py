"""Pages in a real browser: they load without a fault, fit a phone, draw their figures, and are used by keyboard."""

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from hpo.figures.catalogue import FIGURES
from tests.browser.conftest import LAPTOP, PHONE, PageFault
from tests.browser.studies import a_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PAGES = {
    "/": "#studies tbody tr",
    "/studies/wine": "#trials tbody tr",
    "/studies/wine/trials/3": "#curves .main-svg",
    "/submit": "#checked p",
    "/datasets": "#datasets tbody tr",
    "/workers": "#said:has-text('Nobody runs')",
    "/compare?study=wine&study=beer": "#picture .main-svg",
}


@pytest.mark.parametrize(("size", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["laptop", "phone"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_a_fault_fits_its_window_and_can_be_read_aloud(looker, path, size, scheme):
    a_study(looker.storage)
    a_study(looker.storage, "beer")

    with looker.page(path, size=size, color_scheme=scheme) as page:
        page.wait_for_selector(PAGES[path])
        width = page.evaluate("document.documentElement.scrollWidth")
        found = Axe().run(page)  # contrast, labels, landmarks, order of headings

    assert width <= size["width"]
    assert found.violations_count == 0, found.generate_report()


def test_the_console_of_a_page_is_really_read(looker):
    with pytest.raises(PageFault, match="made by hand"), looker.page() as page:
        page.evaluate("console.error('made by hand')")


def test_a_script_put_into_a_page_does_not_run(looker):
    with pytest.raises(PageFault, match="Content Security Policy"), looker.page() as page:
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
        )


def test_every_figure_is_drawn_with_its_data_or_says_why_not(looker):
    a_study(looker.storage)
    wanted = {}
    for figure in FIGURES:
        record = httpx.get(f"{looker.url}/api/v1/studies/wine/figures/{figure}", timeout=60).json()
        wanted[figure] = None if record["empty"] else [trace["type"] for trace in record["data"]]

    with looker.page("/studies/wine") as page:
        for figure in FIGURES:
            page.locator(f"#figure-{figure}").scroll_into_view_if_needed()
            page.wait_for_selector(f"#figure-{figure}[data-drawn]:not([aria-busy])", state="attached")
        drawn = page.evaluate(
            "[...document.querySelectorAll('[data-figure]')].map((one) => [one.dataset.figure, "
            "one.querySelector('.main-svg') ? one.querySelector('.plot').data.map((trace) => trace.type) : null])"
        )
        points = page.locator("#figure-history .point").count()
        said = page.locator("#figure-pareto figcaption").inner_text()

    assert dict(drawn) == wanted
    assert sum(types is not None for types in wanted.values()) >= 6
    assert points == 21
    assert said.endswith(".")


def test_figures_out_of_sight_are_not_asked_for(looker):
    a_study(looker.storage)
    asked = []

    with looker.page("/workers") as page:
        page.on("request", lambda one: asked.append(one.url))
        page.goto(f"{looker.url}/studies/wine")
        page.wait_for_selector("#figure-history .main-svg")
        page.wait_for_selector("#trials tbody tr")

    figures = [url for url in asked if "/figures/" in url]
    assert 1 <= len(figures) < len(FIGURES)


@pytest.mark.parametrize("size", [LAPTOP, {"width": 390, "height": 120}], ids=["laptop", "slit"])
def test_the_diagnosis_waits_for_the_first_picture_in_view_and_for_none_out_of_view(looker, size):
    a_study(looker.storage)
    seen = []

    def note(what):
        return lambda one: seen.append((what, one.url.rpartition("/")[2].partition("?")[0]))

    with looker.page("/workers", size=size) as page:
        page.on("request", note("asked"))
        page.on("requestfinished", note("came"))
        page.goto(f"{looker.url}/studies/wine")
        page.wait_for_selector("#diagnosis li")

    if size is LAPTOP:
        assert seen.index(("came", "history")) < seen.index(("asked", "diagnosis"))
    else:
        assert ("asked", "history") not in seen


def test_the_list_is_sorted_filtered_and_kept_in_the_address(looker):
    for name in ("ale", "beer", "cider"):
        a_study(looker.storage, name, n=8, label=name)

    def names(page):
        return [row.inner_text() for row in page.locator("#studies tbody th a").all()]

    with looker.page("/") as page:
        page.wait_for_selector("#studies tbody tr >> nth=2")
        newest_first = names(page)
        page.get_by_role("button", name="Study", exact=True).click()
        descending = page.locator("#studies th[aria-sort=descending]").inner_text()
        page.keyboard.press("Enter")  # the button still has the focus
        by_name = names(page)
        page.locator("#filters [name=label]").fill("course=beer")
        expect(page.locator("#studies tbody tr")).to_have_count(1)
        address = page.url
        with looker.page(address.removeprefix(looker.url)) as again:
            again.wait_for_selector("#studies tbody tr")
            same = names(again)

    assert newest_first == ["cider", "beer", "ale"]
    assert descending.startswith("Study")
    assert by_name == ["ale", "beer", "cider"]
    assert same == ["beer"]
    assert address.endswith("?label=course%3Dbeer&sort=name")


def test_the_trials_are_paged_sorted_and_filtered_by_the_server(looker):
    a_study(looker.storage, n=60)

    def first(page):
        return [one.inner_text() for one in page.locator("#trials tbody th").all()]

    with looker.page("/studies/wine") as page:
        page.wait_for_selector("#trials tbody tr >> nth=24")
        best = first(page)
        page.get_by_role("button", name="Next").click()
        page.wait_for_selector("#trials-said:has-text('26 to 50')")
        page.locator("#filters [name=where]").fill("params.hidden_units < 12")
        page.wait_for_selector("#trials-said:has-text('1 to 4')")
        few = first(page)

    items = httpx.get(f"{looker.url}/api/v1/studies/wine/trials?sort=value&limit=25").json()["items"]
    assert best == [str(one["number"]) for one in items]
    assert sorted(few) == ["0", "1", "2", "3"]


def test_a_page_is_used_by_keyboard_alone(looker):
    a_study(looker.storage)

    with looker.page("/") as page:
        page.wait_for_selector("#studies tbody tr")
        page.keyboard.press("Tab")
        skip = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        main = page.evaluate("document.activeElement.id")
        page.locator("#studies tbody a").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('wine')")
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, select, textarea')]"
            ".filter((one) => !one.labels?.length && !one.textContent.trim() && !one.ariaLabel).length"
        )

    assert (skip, main, unnamed) == ("Skip to the content", "main", 0)


def test_the_paper_of_a_figure_follows_the_readers_screen(looker):
    a_study(looker.storage)
    paper = "document.querySelector('#figure-history .plot')._fullLayout.paper_bgcolor.toLowerCase()"

    with looker.page("/studies/wine", color_scheme="light") as page:
        page.wait_for_selector("#figure-history .main-svg")
        light = page.evaluate(paper)
        with page.expect_response(lambda one: one.url.endswith("history?theme=dark")):
            page.emulate_media(color_scheme="dark")
        page.wait_for_selector("#figure-history:not([aria-busy])", state="attached")
        dark = page.evaluate(paper)

    assert (light, dark) == ("#ffffff", "#14171c")


def test_a_reader_chooses_the_colours_and_finds_them_again(looker):
    a_study(looker.storage)
    colours = (
        "[getComputedStyle(document.body).color, getComputedStyle(document.querySelector('.card')).backgroundColor, "
        "document.querySelector('#figure-history .plot')?._fullLayout.paper_bgcolor.toLowerCase()]"
    )
    dark, light = (
        ["rgb(230, 234, 240)", "rgb(20, 23, 28)", "#14171c"],
        ["rgb(31, 35, 40)", "rgb(255, 255, 255)", "#ffffff"],
    )

    with looker.page("/studies/wine", color_scheme="light") as page:
        page.wait_for_selector("#figure-history .main-svg")
        with page.expect_response(lambda one: one.url.endswith("history?theme=dark")):
            page.get_by_label("Colours").select_option("dark")
        page.wait_for_selector("#figure-history:not([aria-busy])", state="attached")
        chosen = page.evaluate(colours)
        page.reload()
        page.wait_for_selector("#figure-history .main-svg")
        again = page.evaluate(colours)
        page.goto(f"{looker.url}/workers")
        elsewhere = page.get_by_label("Colours").input_value()
        page.get_by_label("Colours").select_option("auto")
        page.goto(f"{looker.url}/studies/wine")
        page.wait_for_selector("#figure-history .main-svg")
        auto = page.evaluate(colours)

    assert (chosen, again, elsewhere, auto) == (dark, dark, "dark", light)


def test_what_a_figure_shows_is_chosen(looker):
    a_study(looker.storage)
    axes = "(name) => { const all = document.querySelector(`#figure-${name} .plot`)._fullLayout; return [all.xaxis.title.text, all.yaxis.title.text, all.yaxis.type] }"

    def drawn(page, figure):
        page.wait_for_selector(f"#figure-{figure}[data-drawn]:not([aria-busy])", state="attached")
        return page.evaluate(axes, figure)

    with looker.page("/studies/wine") as page:
        page.wait_for_selector("#figure-history .main-svg")
        before = drawn(page, "history")
        page.locator("#figure-history").get_by_label("Scale").select_option("log")
        log = drawn(page, "history")
        heatmap = page.locator("#figure-heatmap")
        heatmap.scroll_into_view_if_needed()
        course = drawn(page, "heatmap")
        heatmap.get_by_label("Across").select_option("l2")
        turned = drawn(page, "heatmap")
        heatmap.get_by_label("Up").select_option("l2")
        again = drawn(page, "heatmap")

    assert (before[2], log[2]) == ("linear", "log")
    assert course[:2] == ["learning_rate", "l2"]
    assert turned[:2] == ["l2", "learning_rate"]
    assert again[:2] == ["learning_rate", "l2"]
