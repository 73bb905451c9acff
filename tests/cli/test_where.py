"""Where verbs work: --server goes before HPO_SERVER, and some verbs ask no server."""

import json
import socket

import pytest

from hpo.cli.main import FAMILIES, VERBS
from hpo.cli.where import HERE


@pytest.fixture
def nobody():
    """The address of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch):
    monkeypatch.setattr("hpo.client.transport.FIRST_WAIT_S", 0.0)


@pytest.mark.parametrize("words", [["ls"], ["keys", "ls"], ["data", "ls"], ["best", "digits"]])
def test_a_server_that_does_not_answer_is_one_sentence(hpo, monkeypatch, nobody, words):
    asked = hpo(*words, "--server", nobody)
    monkeypatch.setenv("HPO_SERVER", nobody)

    assert hpo(*words) == asked
    assert asked[:2] == (1, "")
    assert asked[2].startswith(f"error: no server answers at {nobody}")
    assert asked[2].count("\n") == 1


def test_the_option_goes_before_the_environment_and_counts_once(hpo, monkeypatch, nobody):
    monkeypatch.setenv("HPO_SERVER", "http://127.0.0.1:1")

    assert nobody in hpo("ls", "--server", nobody)[2]
    assert "127.0.0.1:1 " in hpo("ls")[2]


def test_an_address_that_is_none_is_a_usage_error_with_its_place(hpo, monkeypatch):
    code, out, err = hpo("ls", "--server", "localhost")

    assert (code, out) == (2, "")
    assert err.startswith("error: --server: must be an address such as http://localhost:8000")
    monkeypatch.setenv("HPO_SERVER", "localhost")
    assert hpo("ls")[2].startswith("error: HPO_SERVER: must be an address")


def test_a_key_does_not_travel_in_clear(hpo, monkeypatch):
    monkeypatch.setenv("HPO_API_KEY", "hpo_secret")

    code, _, err = hpo("ls", "--server", "http://10.1.2.3")

    assert code == 2
    assert "HPO_INSECURE=1" in err
    assert "hpo_secret" not in err


def test_run_refuses_a_server_and_names_submit(hpo, monkeypatch, nobody):
    code, out, err = hpo("run", "--data", "iris", "--server", nobody)
    monkeypatch.setenv("HPO_SERVER", nobody)

    assert (code, out) == (2, "")
    assert "`hpo submit --watch`" in err
    assert "`hpo submit --watch`" in hpo("run", "--data", "iris")[2]


def test_verbs_of_this_machine_say_so(hpo, monkeypatch, nobody):
    refused = hpo("db", "upgrade", "--server", nobody)
    monkeypatch.setenv("HPO_SERVER", nobody)
    code, out, err = hpo("db", "status")

    assert refused[:2] == (2, "")
    assert "it works on the database of HPO_STORAGE" in refused[2]
    assert (code, err.count("note: HPO_SERVER is set")) == (0, 1)
    assert "the first study makes it" in out
    assert "note" not in hpo("db", "upgrade", "--quiet")[2]


def test_doctor_looks_at_the_server_as_well(hpo, nobody):
    code, out, _ = hpo("doctor", "--server", nobody, "-f", "json")

    [server] = [check for check in json.loads(out) if check["name"] == "server"]
    assert (code, server["ok"]) == (1, False)
    assert "hpo serve" in server["cure"]


def test_every_verb_takes_a_server_or_says_why_not(hpo):
    names = [*VERBS, *(f"{family} {verb}" for family, (_, verbs) in FAMILIES.items() for verb in verbs)]

    for name in names:
        shown = hpo(*name.split(), "--help")[1]
        assert ("--server" in shown) is (name not in HERE), name
