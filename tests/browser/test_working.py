"""Work done by clicking: signing in, submitting a study, following it live, pausing it, going on to its end."""

import httpx
import pytest
from playwright.sync_api import expect

from hpo.account import Role
from hpo.api.site import Site
from hpo.service import keys
from hpo.settings import read_settings
from hpo.states import StudyState, Wanted
from hpo.storage.open import open_storage
from hpo.testing.coordinating import serving_coordinator, submit
from hpo.testing.served_studies import Gate
from hpo.testing.serving import serving
from tests.browser.conftest import Looker
from tests.browser.studies import a_study, file_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def keyed(chromium, sqlite, tmp_path):
    """A server that asks for keys, who looks at it, and a key of each role."""
    storage = open_storage(sqlite)
    made = {
        role.value: keys.create(storage, keys.KeyOrder(owner=role.value, role=role))["secret"]
        for role in Role
    }
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    with serving(Site(settings=settings, storage=storage, auth=True, hosts=())) as url:
        yield Looker(url, storage, chromium), made
    storage.close()


def test_a_study_is_submitted_followed_paused_and_ended_by_clicking(looker):
    gate = Gate(2, tasks=2)
    with (
        serving_coordinator(looker.storage, gate.pool) as served,
        looker.page("/submit", forgiven=["422"]) as page,
    ):
        page.locator("input[name=name]").fill("clicked")
        page.locator("select[name=source]").select_option("iris")
        page.locator("select[name=parameters]").select_option("learning-rate")
        page.locator("input[name=trials]").fill("200")
        written = page.locator("#file").input_value()
        page.locator("#file").fill(f"{written}objective: {{metric: log_loss}}\n")
        page.wait_for_selector("#checked:has-text('It is valid')")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url("**/studies/clicked")
        page.wait_for_selector("#state:has-text('RUNNING')")
        gate.open.set()
        expect(page.locator("#pace dd").first).not_to_have_text("0 / 200")
        page.wait_for_selector("#figure-history .main-svg")
        page.wait_for_selector("#state:has-text('COMPLETED')", timeout=60_000)
        done = page.locator("#pace dd").first.inner_text()
        served.ended("clicked")

    assert done == "200 / 200"
    assert looker.storage.get_study("clicked").state is StudyState.COMPLETED


def test_a_study_is_paused_and_goes_on_by_clicking(looker):
    gate = Gate(1, tasks=1)
    with serving_coordinator(looker.storage, gate.pool) as served:
        httpx.post(
            f"{looker.url}/api/v1/studies",
            content=file_of(trials=400),
            headers={"Content-Type": "application/yaml"},
            timeout=60,
        ).raise_for_status()
        with looker.page("/studies/wine") as page:
            page.wait_for_selector("#state:has-text('RUNNING')")
            page.get_by_role("button", name="Pause").click()
            page.wait_for_selector("#state:has-text('pause asked for')")
            gate.open.set()
            page.wait_for_selector("#state:has-text('PAUSED')")
            page.get_by_role("button", name="Resume").click()
            page.wait_for_selector("#state:has-text('COMPLETED')", timeout=60_000)
        served.ended("wine")


def test_signing_in_goes_on_to_the_page_that_was_wanted_and_signing_out_ends_it(keyed):
    looker, secrets = keyed
    a_study(looker.storage)

    with looker.page("/studies/wine", forgiven=["401"]) as page:
        page.get_by_label("API key").fill("hpo_wrong")
        page.get_by_role("button", name="Sign in").click()
        wrong = page.get_by_role("alert").inner_text()
        page.get_by_label("API key").fill(secrets["viewer"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("#trials tbody tr")
        there, verbs = page.url, page.locator("#verbs button, #verbs a").count()
        cookies = page.evaluate("document.cookie")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("h1:has-text('Sign in')")
        page.goto(f"{looker.url}/workers")
        out = page.url

    assert "API key" in wrong
    assert there == f"{looker.url}/studies/wine"
    assert verbs == 0
    assert cookies == ""
    assert out == f"{looker.url}/login?next=/workers"


def test_a_study_file_that_is_wrong_is_told_while_it_is_typed_and_cannot_be_submitted(looker):
    with looker.page("/submit", forgiven=["422"]) as page:
        page.get_by_role("textbox", name="Study file").fill("data: {source: iris}\ntrails: 7\n")
        page.wait_for_selector("#checked .wrong")
        said = page.inner_text("#checked")
        disabled = page.get_by_role("button", name="Submit").is_disabled()

    assert said.startswith("trails: ")
    assert "did you mean 'trials'" in said
    assert disabled


def test_what_is_chosen_before_the_script_has_come_is_written_into_the_study_file(looker):
    held = []
    with looker.page("/workers") as page:
        page.route("**/submit.js", lambda route: held.append(route))
        page.goto(f"{looker.url}/submit", wait_until="commit")
        page.get_by_label("Data").select_option("iris")
        page.get_by_label("Search space").select_option("learning-rate")
        held.pop().continue_()
        page.wait_for_selector("#checked:has-text('It is valid')")


def test_a_link_of_another_site_finds_who_is_signed_in(keyed):
    """SameSite=Strict keeps the cookie from a request that another page began; its own page asks once more."""
    looker, secrets = keyed
    a_study(looker.storage)

    with looker.page("/login") as page:
        page.get_by_label("API key").fill(secrets["viewer"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("h1:has-text('Studies')")
        elsewhere = looker.url.replace("127.0.0.1", "localhost")
        page.goto(f"{elsewhere}/login")
        page.evaluate(
            f"document.body.append(Object.assign(document.createElement('a'), {{href: '{looker.url}/studies/wine', id: 'link', textContent: 'link'}}))"
        )
        page.click("#link")
        page.wait_for_selector("h1:has-text('wine')")


@pytest.mark.parametrize(
    ("verb", "state"),
    [("Stop", StudyState.COMPLETED), ("Cancel", StudyState.CANCELLED)],
    ids=["stop", "cancel"],
)
def test_a_study_is_ended_early_by_clicking_once_one_is_sure(looker, verb, state):
    gate = Gate(1, tasks=1)
    asked = []

    def answer(dialog):
        asked.append(dialog.message)
        dialog.dismiss() if len(asked) == 1 else dialog.accept()

    with serving_coordinator(looker.storage, gate.pool) as served:
        submit(looker.storage, f"{file_of(trials=400)}limits: {{parallel: 20}}\n")
        with looker.page("/studies/wine", forgiven=["dialog"]) as page:
            page.on("dialog", answer)
            page.wait_for_selector("#state:has-text('RUNNING')")
            page.get_by_role("button", name=verb, exact=True).click()
            unsure = looker.storage.get_study("wine").wanted
            page.get_by_role("button", name=verb, exact=True).click()
            page.wait_for_selector(f"#state:has-text('{verb.lower()} asked for')")
            gate.open.set()
            page.wait_for_selector(f"#state:has-text('{state}')", timeout=60_000)
            verbs = [one.inner_text() for one in page.locator("#verbs > *").all()]
        [study] = served.ended("wine")

    assert unsure is Wanted.NOTHING
    assert [message.startswith(f"{verb} wine?") for message in asked] == [True, True]
    assert (study.state, study.n_finished < 400) == (state, True)
    assert verbs == ["Submit another like it"]


def test_a_slot_was_last_seen_no_later_than_its_coordinator_and_one_that_starts_never(looker):
    slots = [{"id": id_, "device": "cpu", "memory_bytes": 1, "study": None} for id_ in range(3)]
    said = [{"seen_s": 0.5}, {"seen_s": 40.0}, {"seen_s": 0.0, "ready": False}]
    one = {"host": "box", "pid": 7, "version": "0.1.0", "pool": "ray", "started_at": None, "age_s": 9.0}
    answer = {"items": [one | {"slots": [slot | more for slot, more in zip(slots, said, strict=True)]}]}

    with looker.page() as page:
        page.route("**/api/v1/workers", lambda route: route.fulfill(json=answer))
        page.goto(f"{looker.url}/workers")
        page.wait_for_selector("#workers tbody tr")
        seen = [row.locator("td").last.inner_text() for row in page.locator("#workers tbody tr").all()]

    assert seen == ["9 s ago", "40 s ago", "not yet"]
