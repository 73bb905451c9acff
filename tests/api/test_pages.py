"""Pages over a socket: what they answer, what they may load, and that whatever people named is text."""

import gzip
import re
from http.cookies import SimpleCookie

import httpx
import pytest

from hpo.api.pages import assets, routes
from hpo.api.pages.rendering import POLICY
from hpo.figures.script import plotly_js
from hpo.service import dashboard_files

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "</script><script>alert(1)</script><b onload='alert(2)'>"
PAGES = (
    "/",
    "/studies/wine",
    "/studies/wine/trials/0",
    "/submit",
    "/datasets",
    "/workers",
    "/compare?study=wine",
)


@pytest.fixture
def database_url(sqlite):
    """Of one database: nothing here depends on which."""
    return sqlite


def look(server, path, **more):
    return httpx.get(f"{server.url}{path}", headers=BROWSER, verify=False, **more)


def is_html(answer, status):
    return (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


def addresses(html):
    """What a page loads by itself."""
    return re.findall(r'(?:src|href)="([^"]*)"', "".join(re.findall(r"<(?:script|link|img)[^>]*>", html)))


def test_every_address_of_a_page_is_tested():
    pages = {route.path for route in routes.router.routes} - {"/login"}

    assert {path.format(name="wine", number=0) for path in pages} == {
        path.partition("?")[0] for path in PAGES
    }


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_under_the_policy_and_loads_only_what_is_here(server, given, path):
    given("wine", values=[0.5, 0.9])

    answer = look(server, path)

    assert is_html(answer, 200)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "<script>" not in answer.text
    loaded = addresses(answer.text)
    assert all(one.startswith("/assets/") for one in loaded)
    assert {look(server, one).status_code for one in loaded} == {200}


def test_the_policy_lets_nothing_in_from_elsewhere_and_no_script_of_a_page():
    said = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))

    assert said["script-src"] == "'self'"
    assert (said["default-src"], said["form-action"], said["base-uri"]) == ("'self'", "'self'", "'none'")
    assert (said["frame-ancestors"], said["object-src"]) == ("'none'", "'none'")
    assert "http" not in POLICY


def test_an_asset_is_kept_for_good_under_a_name_that_only_its_bytes_have(server):
    where = assets.address("plotly.js")

    packed = look(server, where)
    plain = httpx.get(f"{server.url}{where}", headers={"Accept-Encoding": "identity"})

    assert packed.text == plain.text == plotly_js()
    assert (packed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, 6))
    version = where.split("/")[2]
    assert look(server, where.replace(version, "0" * len(version))).status_code == 404
    assert look(server, where.replace("plotly.js", "style.css")).status_code == 404


@pytest.mark.parametrize(
    "name", ["base.html", "../pages/base.html", "..%2fpages%2fbase.html", "nothing.js", ""]
)
def test_nothing_but_assets_is_under_their_address(server, name):
    folder = assets.address("style.css").rpartition("/")[0]

    assert look(server, f"{folder}/{name}").status_code == 404


def test_the_files_of_the_pages_make_no_html_of_text_and_name_no_other_site():
    ours = dashboard_files.texts("assets") | dashboard_files.texts("pages")

    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\|\s*safe\b"
    )
    elsewhere = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]")
    assert {name for name, text in ours.items() if unsafe.search(text)} == set()
    found = {
        name
        for name, text in ours.items()
        if elsewhere.search(text.replace("http://www.w3.org/2000/svg", ""))
    }
    assert found == set()


def test_what_people_wrote_is_text(server, given):
    given("wine", description=EVIL, labels={"course": EVIL}, values=[0.5])

    answer = look(server, "/studies/wine")

    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in answer.text
    assert "<script>" not in answer.text
    assert "onload='" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/nobody", 404),
        ("/studies/wine/trials/7", 404),
        ("/studies/wine/trials/x", 422),
        (f"/studies/{EVIL}", 404),
        ("/compare?study=nobody", 404),
        ("/nothing", 404),
        ("/dashboard", 404),
    ],
)
def test_who_browses_is_told_on_a_page_what_is_wrong(server, given, path, status):
    given("wine", values=[0.5])

    seen, program = look(server, path), httpx.get(f"{server.url}{path}")

    assert is_html(seen, program.status_code)
    assert program.status_code == status or path == "/dashboard"
    assert program.headers["content-type"] == "application/problem+json"
    assert seen.headers["content-security-policy"] == POLICY
    assert program.json()["code"] in seen.text
    assert "<script>alert" not in seen.text


def test_the_api_says_problems_to_browsers_as_to_programs(server):
    answer = look(server, "/api/v1/studies/nobody")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_who_is_not_signed_in_is_asked_to_and_goes_on_to_where_they_wanted(keyed):
    sent = look(keyed, "/studies/wine?sort=name")
    asked = look(keyed, sent.headers["location"])
    action = re.search(r'action="([^"]*)"', asked.text)[1]
    form = {"key": keyed.secrets["viewer"]}

    answer = httpx.post(f"{keyed.url}{action}", data=form, headers=BROWSER | {"Origin": keyed.url})

    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/studies/wine%3Fsort%3Dname")
    assert is_html(asked, 200)
    # With no-referrer a browser would send `Origin: null`, and be refused.
    assert asked.headers["referrer-policy"] == "same-origin"
    assert (answer.status_code, answer.headers["location"]) == (303, "/studies/wine?sort=name")
    cookie = SimpleCookie(answer.headers["set-cookie"])["hpo_session"].value
    home = httpx.get(keyed.url, headers=BROWSER | {"Cookie": f"hpo_session={cookie}"})
    assert is_html(home, 200)
    assert "viewer, viewer" in home.text


def test_a_wrong_key_is_told_on_the_page_that_asked_for_it(keyed):
    answer = httpx.post(
        f"{keyed.url}/login?next=/workers", data={"key": "x"}, headers=BROWSER | {"Origin": keyed.url}
    )

    assert is_html(answer, 401)
    assert 'role="alert"' in answer.text
    assert 'action="/login?next=/workers"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "there", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/\n"]
)
def test_signing_in_never_leads_to_another_site(keyed, there):
    answer = httpx.post(f"{keyed.url}/login", params={"next": there}, data={"key": keyed.secrets["viewer"]})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_signing_out_on_a_page_leads_to_signing_in(keyed):
    answer = httpx.post(f"{keyed.url}/logout", headers=BROWSER | {"Origin": keyed.url})

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_a_page_offers_what_the_account_may_do(keyed, given):
    given("wine")

    viewer = keyed.ask("GET", "/studies/wine", "viewer", headers=BROWSER).text
    submitter = keyed.ask("GET", "/studies/wine", "submitter", headers=BROWSER).text

    assert ("data-may-move" in viewer, "data-may-submit" in viewer) == (False, False)
    assert ("data-may-move" in submitter, "data-may-submit" in submitter) == (True, True)
    assert keyed.ask("GET", "/submit", "viewer", headers=BROWSER).status_code == 403


def test_a_server_without_keys_asks_nobody_to_sign_in(server):
    answer = look(server, "/login")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Sign out" not in look(server, "/").text
