"""Keys over REST, and keys at the door: shown, expired, revoked, guessed."""

import re
from datetime import datetime

import httpx
import pytest

from hpo.account import NewKey, Role
from hpo.api.callers import GUESSES, REMEMBERED_S
from hpo.service import keys
from hpo.testing.serving import serving

VERSION, KEYS = "/api/v1/version", "/api/v1/keys"


def test_a_key_is_made_listed_used_and_revoked_over_rest(keyed):
    order = {"owner": "ada", "role": "viewer", "expires": "30d", "studies": 5}
    made = keyed.ask("POST", KEYS, "admin", json=order)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    assert re.fullmatch(r"hpo_[A-Za-z0-9_-]{43}", key["secret"])
    shown = {"Authorization": f"Bearer {key.pop('secret')}"}
    assert keyed.ask("GET", VERSION, headers=shown).status_code == 200

    [listed] = [k for k in keyed.ask("GET", KEYS, "admin").json()["items"] if k["owner"] == "ada"]
    revoked = keyed.ask("POST", f"{KEYS}/{key['id']}:revoke", "admin").json()

    assert {**listed, "last_used_at": None} == key
    assert listed["last_used_at"].endswith("Z")
    assert (revoked["state"], key["state"]) == ("revoked", "valid")
    assert (key["quota"], key["role"]) == ({"studies": 5, "trials": None, "slots": None}, "viewer")
    lived = datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"])
    assert lived.days == 30


@pytest.mark.parametrize(
    ("order", "path"),
    [
        ({}, "owner"),
        ({"owner": ""}, "owner"),
        ({"owner": "a b"}, "owner"),
        ({"owner": "hpo_" + "x" * 43}, "owner"),
        ({"owner": 7}, "owner"),
        ({"owner": "ada", "role": "root"}, "role"),
        ({"owner": "ada", "expires": "soon"}, "expires"),
        ({"owner": "ada", "expires": 1e300}, "expires"),
        ({"owner": "ada", "expires": -1}, "expires"),
        ({"owner": "ada", "studies": -1}, "studies"),
        ({"owner": "ada", "trials": 10**30}, "trials"),
        ({"owner": "ada", "slots": True}, "slots"),
        ({"owner": "ada", "secret": "mine"}, "secret"),
    ],
)
def test_a_wrong_order_names_its_place_and_makes_nothing(keyed, order, path):
    answer = keyed.ask("POST", KEYS, "admin", json=order)

    assert (answer.status_code, answer.json()["path"]) == (422, path)
    assert len(keyed.storage.list_keys()) == 3
    assert keyed.storage.quotas() == {}


def test_an_open_server_makes_no_keys(server):
    answer = server.client.post("/keys", json={"owner": "ada", "role": "admin"})

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert server.storage.list_keys() == []


def test_an_unknown_key_is_not_revoked_and_a_secret_is_not_repeated(keyed):
    unknown = keyed.ask("POST", f"{KEYS}/key_nothing:revoke", "admin")
    secret = keyed.secrets["viewer"]
    mistaken = keyed.ask("POST", f"{KEYS}/{secret}:revoke", "admin")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "key_not_found")
    assert mistaken.status_code == 400
    assert secret not in mistaken.text
    assert keyed.ask("GET", VERSION, "viewer").status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer hpo_"},
        {"Authorization": f"Bearer hpo_{'x' * 43}"},
        {"Authorization": f"Bearer hps_{'x' * 43}"},
        {"Authorization": "Basic YWRhOnB3"},
        {"Authorization": "Bearer ' OR 1=1 --"},
        {"Cookie": f"hpo_session=hps_{'x' * 43}"},
        {"Cookie": "hpo_session="},
        {"Cookie": "hpo_session"},
    ],
)
def test_without_a_key_that_is_known_nothing_is_answered(keyed, shown):
    answer = keyed.ask("GET", VERSION, headers=shown)

    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/openapi.json", "/", "/dashboard", "/metrics", "/login/../api"]
)
def test_nothing_but_signing_in_is_open(keyed, path):
    assert keyed.ask("GET", path).status_code == 401


def test_an_expired_key_is_no_key(keyed):
    secret = f"hpo_{'x' * 43}"
    digest = keys.digest_of(secret)
    keyed.storage.add_key(NewKey(id="key_old", owner="ada", role=Role.ADMIN, digest=digest, lifetime_s=-1.0))

    answer = keyed.ask("GET", VERSION, headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 401
    states = {key["id"]: key["state"] for key in keyed.ask("GET", KEYS, "admin").json()["items"]}
    assert states["key_old"] == "expired"


def test_while_the_database_is_away_nobody_new_is_let_in_or_turned_away(keyed, database_url, tmp_path):
    if not database_url.startswith("sqlite"):
        pytest.skip("a server of PostgreSQL is not taken away from other tests")
    assert keyed.ask("GET", VERSION, "viewer").status_code == 200
    (tmp_path / "hpo.db").rename(tmp_path / "elsewhere.db")

    known, unknown = keyed.ask("GET", VERSION, "viewer"), keyed.ask("GET", VERSION, "admin")
    (tmp_path / "elsewhere.db").rename(tmp_path / "hpo.db")

    assert known.status_code in (200, 503)  # it is remembered for two seconds
    assert (unknown.status_code, unknown.json()["code"]) == (503, "storage_unavailable")
    assert unknown.headers["retry-after"]
    assert keyed.ask("GET", VERSION, "admin").status_code == 200


def test_two_processes_see_a_revocation_within_seconds(keyed, keyed_site, waited):
    with serving(keyed_site()) as other:
        headers = {"Authorization": f"Bearer {keyed.secrets['viewer']}"}
        places = [f"{url}{VERSION}" for url in (keyed.url, other)]
        assert [httpx.get(place, headers=headers).status_code for place in places] == [200, 200]
        [key] = [key for key in keyed.storage.list_keys() if key.role is Role.VIEWER]

        keyed.ask("POST", f"{KEYS}/{key.id}:revoke", "admin")

        def is_out():
            return [httpx.get(place, headers=headers).status_code for place in places] == [401, 401]

        waited(is_out, REMEMBERED_S + 3.0)


def test_who_guesses_is_slowed_down_and_who_is_known_is_not(keyed):
    assert keyed.ask("GET", VERSION, "viewer").status_code == 200
    wrong = {"Authorization": f"Bearer hpo_{'x' * 43}"}

    answers = [keyed.ask("GET", VERSION, headers=wrong) for _ in range(GUESSES + 1)]

    assert [answer.status_code for answer in answers[:GUESSES]] == [401] * GUESSES
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "too_many_requests")
    assert int(answers[-1].headers["retry-after"]) >= 1
    # The right key of somebody else at that address is not looked up either.
    assert keyed.ask("POST", "/login", json={"key": "hpo_" + "x" * 43}).status_code == 429


def test_a_proxy_that_is_trusted_says_who_guesses(keyed_site):
    with serving(keyed_site(trusted_proxies=("127.0.0.0/8",))) as url:

        def guess(forwarded):
            headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": forwarded}
            return httpx.get(f"{url}{VERSION}", headers=headers).status_code

        for _ in range(GUESSES + 1):
            last = guess("203.0.113.7")

        assert last == 429
        assert guess("203.0.113.8") == 401
        # What the client itself put before the proxy's word counts for nothing.
        assert guess("203.0.113.8, 203.0.113.7") == 429


def test_a_proxy_that_nobody_trusts_says_nothing(keyed):
    def guess(forwarded):
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": forwarded}
        return keyed.ask("GET", VERSION, headers=headers).status_code

    statuses = [guess(f"203.0.113.{number}") for number in range(GUESSES + 1)]

    assert statuses[-1] == 429
