"""The verbs of API keys: a secret is on the screen once and nowhere else."""

import json
import re
from datetime import datetime


def test_a_key_is_made_listed_and_revoked(hpo):
    code, secret, told = hpo("keys", "create", "ada", "--role", "admin")
    assert code == 0
    assert re.fullmatch(r"hpo_[A-Za-z0-9_-]{43}\n", secret)
    [key] = json.loads(hpo("keys", "ls", "-f", "json")[1])
    assert (key["owner"], key["role"], key["state"]) == ("ada", "admin", "valid")
    assert f"key {key['id']} of ada (admin)" in told

    code, out, told = hpo("keys", "revoke", key["id"])

    assert (code, out, told) == (0, "", f"key {key['id']} of ada is revoked\n")
    assert [k["state"] for k in json.loads(hpo("keys", "ls", "-f", "json")[1])] == ["revoked"]
    again = json.loads(hpo("keys", "revoke", key["id"], "-f", "json")[1])
    assert again["state"] == "revoked"


def test_the_record_of_a_new_key_is_that_of_the_list_and_its_secret(hpo):
    made = json.loads(hpo("keys", "create", "ada", "--expires", "30d", "--studies", "5", "-f", "json")[1])
    [listed] = json.loads(hpo("keys", "ls", "-f", "json")[1])

    assert made.pop("secret").startswith("hpo_")
    assert made == listed
    assert listed["quota"] == {"studies": 5, "trials": None, "slots": None}
    assert listed["role"] == "submitter"
    lived = datetime.fromisoformat(listed["expires_at"]) - datetime.fromisoformat(listed["created_at"])
    assert abs(lived.total_seconds() - 30 * 86_400) < 0.01


def test_a_quota_keeps_what_is_not_named_until_it_is_lifted(hpo):
    def quota(*words):
        return json.loads(hpo("keys", "create", "ada", *words, "-f", "json")[1])["quota"]

    assert quota("--studies", "5", "--slots", "0") == {"studies": 5, "trials": None, "slots": 0}
    assert quota("--trials", "100") == {"studies": 5, "trials": 100, "slots": 0}
    assert quota() == {"studies": 5, "trials": 100, "slots": 0}
    assert quota("--no-quota", "--trials", "7") == {"studies": None, "trials": 7, "slots": None}
    assert quota("--no-quota") == {"studies": None, "trials": None, "slots": None}


def test_no_secret_is_in_the_list_the_home_or_the_database(hpo, home, monkeypatch):
    monkeypatch.setenv("HPO_LOG", "debug")
    first = hpo("keys", "create", "ada")[1].strip()
    second = json.loads(hpo("keys", "create", "bob", "-f", "json")[1])["secret"]

    shown = "".join(hpo("keys", "ls", "-f", form)[1] for form in ("table", "json", "csv"))

    files = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    for secret in (first, second):
        assert secret not in shown
        assert secret.removeprefix("hpo_").encode() not in files
    assert first != second


def test_a_failure_of_our_own_keeps_no_secret_in_its_log(hpo, home, monkeypatch):
    secret = f"hpo_{'x' * 43}"
    monkeypatch.setattr("sys.argv", ["hpo", "keys", "revoke", secret])
    monkeypatch.setattr("hpo.cli.session.read_settings", lambda: {}[secret])

    code, out, err = hpo("keys", "ls")

    assert (code, out) == (1, "")
    log = (home / "log").read_text()
    assert "keys revoke hpo_…" in log
    assert secret not in log + err
