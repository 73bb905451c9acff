"""The page of data sets: a table is added, looked at, searched on and removed by clicking."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
WARDS = ["north"] * 30 + ["south"] * 20 + [EVIL] * 10
TABLE = f"{EVIL},ward,outcome\n" + "".join(
    f"{'' if i % 6 == 0 else i},{ward},{'worse' if i % 3 else 'better'}\n" for i, ward in enumerate(WARDS)
)


def add(page, text, name="patients.csv"):
    page.get_by_label("Add a table").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name="Add", exact=True).click()


def test_an_added_table_is_drawn_column_by_column_as_the_server_counts_it(looker):
    with looker.page("/datasets", size=PHONE, forgiven=["422"]) as page:
        add(page, TABLE, name=f"{EVIL.replace('/', '')}.csv")
        page.wait_for_selector("#columns tbody tr >> nth=2")
        numbers, wards, _ = page.locator("#columns tbody tr").all()
        heights = numbers.locator(".histogram span").evaluate_all("all => all.map((one) => one.style.height)")
        said = numbers.get_by_role("img").get_attribute("aria-label")
        missing = numbers.locator("td").last.inner_text()
        levels = [one.inner_text().split("\n") for one in wards.locator("li").all()]
        page.get_by_label("Target").select_option("outcome")
        page.wait_for_selector("#about:has-text('classification')")
        rows = page.inner_text("#about")
        made = page.locator("main img, main script").count()
        width = page.evaluate("document.documentElement.scrollWidth")
        page.get_by_role("link", name="Submit a study of it").click()
        page.get_by_label("Search space").select_option("learning-rate")
        page.wait_for_selector("#checked:has-text('It is valid')")

    [kept] = looker.storage.list_datasets()
    found = httpx.get(f"{looker.url}/api/v1/datasets/{kept.id}").json()["distributions"][0]
    counts = found["counts"]
    assert [float(height.removesuffix("%")) for height in heights] == pytest.approx(
        [100 * n / max(counts) for n in counts], abs=0.01
    )
    assert (found["name"], missing) == (EVIL, "10 (16.7 %)")
    assert said.startswith("50 values from 1 to 59, the most, ")
    assert levels == [["north", "50 %"], ["south", "33.3 %"], [EVIL, "16.7 %"]]
    assert "60: 36 train, 12 validate, 12 test" in rows
    assert (made, width) == (0, PHONE["width"])


def test_a_table_that_no_study_could_read_is_told_and_another_can_be_added_and_removed(looker):
    with looker.page("/datasets", forgiven=["422", "dialog"]) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        add(page, f"{TABLE}1,2\n", name="ragged.csv")
        page.wait_for_selector("#added.wrong")
        told = page.inner_text("#added")
        add(page, TABLE)
        page.wait_for_selector("#one-title:has-text('patients.csv')")
        page.get_by_label("Target").select_option(EVIL)
        page.wait_for_selector("#about:has-text('regression')")
        page.get_by_role("button", name="Remove patients.csv").click()
        expect(page.get_by_role("button", name="patients.csv")).to_have_count(0)
        shown = page.locator("#one").is_visible()

    assert told.startswith(
        "The file 'ragged.csv' has 3 columns, but row 61 has 2 of them: '1,2'; quote cells"
    )
    assert (shown, looker.storage.list_datasets()) == (False, [])
