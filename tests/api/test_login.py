"""Signing in: a key becomes a cookie that pages cannot read and other sites cannot send."""

from http.cookies import SimpleCookie

import httpx
import pytest

from hpo.account import Role
from hpo.service import keys
from hpo.testing.serving import serving

VERSION = "/api/v1/version"


@pytest.fixture
def database_url(sqlite):
    """Of one database: nothing here depends on which."""
    return sqlite


def morsel(answer):
    """The cookie that an answer sets."""
    return SimpleCookie(answer.headers["set-cookie"])["hpo_session"]


def test_a_key_becomes_a_cookie_that_stands_for_it_until_signing_out(keyed):
    signed_in = keyed.ask("POST", "/login", json={"key": keyed.secrets["submitter"]})
    cookie = {"Cookie": f"hpo_session={morsel(signed_in).value}"}

    assert signed_in.status_code == 200
    assert signed_in.json() | {"key": ""} == {"owner": "submitter", "role": "submitter", "key": ""}
    assert keyed.ask("GET", VERSION, headers=cookie).status_code == 200
    assert keyed.ask("GET", "/api/v1/keys", headers=cookie).status_code == 403
    assert keyed.ask("POST", "/logout", headers=cookie).status_code == 204
    assert keyed.ask("GET", VERSION, headers=cookie).status_code == 401


def test_the_cookie_is_out_of_reach_and_is_not_the_key(keyed):
    answer = keyed.ask("POST", "/login", json={"key": keyed.secrets["viewer"]})

    cookie = morsel(answer)
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert cookie["secure"] == ""
    assert answer.headers["cache-control"] == "no-store"
    assert keyed.secrets["viewer"] not in answer.text + answer.headers["set-cookie"]
    bearer = {"Authorization": f"Bearer {keyed.secrets['viewer']}", "Cookie": "hpo_session=wrong"}
    assert keyed.ask("GET", VERSION, headers=bearer).status_code == 200


def test_the_cookie_is_for_https_alone_when_it_came_that_way(keyed_site):
    site = keyed_site(trusted_proxies=("127.0.0.1",))
    secret = keys.create(site.storage, keys.KeyOrder(owner="ada"))["secret"]
    with serving(site) as url:
        headers = {"X-Forwarded-Proto": "https"}
        answer = httpx.post(f"{url}/login", json={"key": secret}, headers=headers)

    assert morsel(answer)["secure"] is True


def test_a_client_that_only_says_it_came_by_https_changes_nothing(keyed, keyed_site):
    def is_secure(url):
        body, headers = {"key": keyed.secrets["viewer"]}, {"X-Forwarded-Proto": "https"}
        return bool(morsel(httpx.post(f"{url}/login", json=body, headers=headers))["secure"])

    with serving(keyed_site(trusted_proxies=("203.0.113.0/24",))) as elsewhere:
        assert (is_secure(keyed.url), is_secure(elsewhere)) == (False, False)


def test_a_form_signs_in_and_goes_on_to_the_pages(keyed):
    answer = keyed.ask("POST", "/login", data={"key": f" {keyed.secrets['viewer']}\n"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = {"Cookie": f"a=b; hpo_session={morsel(answer).value}"}
    assert keyed.ask("GET", VERSION, headers=cookie).status_code == 200


def test_a_session_ends_with_its_key(keyed, waited):
    answer = keyed.ask("POST", "/login", json={"key": keyed.secrets["viewer"]})
    cookie = {"Cookie": f"hpo_session={morsel(answer).value}"}
    [key] = [key for key in keyed.storage.list_keys() if key.role is Role.VIEWER]
    assert keyed.ask("GET", VERSION, headers=cookie).status_code == 200

    keyed.storage.revoke_key(key.id)

    waited(lambda: keyed.ask("GET", VERSION, headers=cookie).status_code == 401, 5.0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"json": {"key": "hpo_" + "x" * 43}}, 401),
        ({"json": {"key": "x"}}, 401),
        ({"json": {"key": ""}}, 401),
        ({"json": {"key": "größe"}}, 401),
        ({"json": {"key": 7}}, 422),
        ({"json": {}}, 422),
        ({"json": {"key": "x", "next": "http://evil.example"}}, 422),
        ({"data": {"key": "x"}}, 401),
        ({"data": {"name": "x"}}, 422),
        ({"data": {str(i): "x" for i in range(20)}}, 400),
        ({"content": b"\xff\xfe", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 422),
        ({"content": b"key=x", "headers": {"Content-Type": "text/plain"}}, 415),
    ],
)
def test_a_wrong_key_opens_nothing(keyed, body, status):
    answer = keyed.ask("POST", "/login", **body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers


def test_a_page_of_another_site_signs_nobody_in_or_out(keyed):
    origin = {"Origin": "http://evil.example"}

    login = keyed.ask("POST", "/login", data={"key": keyed.secrets["viewer"]}, headers=origin)
    logout = keyed.ask("POST", "/logout", headers=origin)

    assert (login.status_code, logout.status_code) == (403, 403)
    assert "set-cookie" not in {**login.headers, **logout.headers}


def test_signing_out_without_having_signed_in_is_no_error(keyed):
    assert keyed.ask("POST", "/logout").status_code == 204
    assert keyed.ask("POST", "/logout", headers={"Cookie": "hpo_session=nothing"}).status_code == 204
