"""The report in a real browser: a file that asks nobody, draws its figures, fits a phone and goes on paper."""

from contextlib import contextmanager

import pytest

from hpo.service.report import report
from hpo.storage.open import open_storage
from tests.browser.conftest import LAPTOP, PHONE
from tests.browser.studies import a_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def opened(chromium, sqlite, tmp_path):
    """Opens the report of a study as a file: the page, and all that it asked for or complained of."""
    storage = open_storage(sqlite)
    a_study(storage, "wine", description=EVIL, label=EVIL)
    file = tmp_path / "wine.html"
    file.write_text(report(storage, "wine").html, encoding="utf-8")
    storage.close()

    @contextmanager
    def open_(**options):
        context, heard = chromium.new_context(**options), []
        page = context.new_page()
        page.on("request", lambda one: heard.append(one.url))
        page.on("console", lambda one: heard.append(one.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda one: heard.append(one.message))
        page.goto(file.as_uri())
        yield page, heard
        context.close()
        heard.remove(file.as_uri())

    return open_


@pytest.mark.parametrize(("size", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")], ids=["laptop", "phone"])
def test_it_draws_every_figure_asks_for_nothing_and_is_no_wider_than_its_window(opened, size, scheme):
    with opened(viewport=size, color_scheme=scheme) as (page, heard):
        page.wait_for_function(
            "[...document.querySelectorAll('.plot')].every((one) => one.querySelector('.main-svg'))"
        )
        drawn = page.locator(".plot").count()
        width = page.evaluate("document.documentElement.scrollWidth")
        lead = page.locator(".lead").text_content()

    assert drawn > 4
    assert width <= size["width"]
    assert lead == EVIL
    assert heard == []


def test_on_paper_its_figures_are_light_and_no_wider_than_a_page(opened):
    look = """() => { window.printed = []; window.addEventListener("beforeprint", () => {
      for (const one of document.querySelectorAll(".main-svg")) window.printed.push(
        [one.clientWidth, getComputedStyle(one).backgroundColor]); }); }"""

    with opened(viewport=LAPTOP, color_scheme="dark") as (page, heard):
        page.evaluate(look)
        page.pdf(format="A4")
        printed = page.evaluate("window.printed")
        after = page.evaluate("getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor")

    assert printed
    assert max(width for width, _ in printed) <= 700  # A4 has 718 pixels between the margins of a browser
    assert {colour for _, colour in printed} <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert after == "rgb(20, 23, 28)"
    assert heard == []
