"""Whether a server asks for keys, and what it may be called."""

import pytest

from hpo.errors import SpecError
from hpo.service.exposure import decide_auth, hosts_of
from hpo.settings import read_settings

LOOPBACK = ["127.0.0.1", "127.8.9.10", "localhost", "LocalHost", "::1", "[::1]"]
FOREIGN = [
    "0.0.0.0",
    "::",
    "10.0.0.5",
    "192.168.1.7",
    "box",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "",
]


def settings(**words):
    return read_settings({f"HPO_{name.upper()}": word for name, word in words.items()})


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_server_for_this_machine_is_open_unless_it_is_told_otherwise(host):
    assert decide_auth(settings(), host) is False
    assert decide_auth(settings(auth="off"), host) is False
    assert decide_auth(settings(auth="REQUIRED"), host) is True


@pytest.mark.parametrize("host", FOREIGN)
def test_a_server_for_others_asks_for_keys_or_does_not_start(host):
    assert decide_auth(settings(), host) is True
    assert decide_auth(settings(auth="required"), host) is True
    with pytest.raises(
        SpecError, match="HPO_AUTH: off is for a server that only this machine reaches"
    ) as error:
        decide_auth(settings(auth="off"), host)
    assert "hpo keys create" in str(error.value)


def test_an_open_server_has_the_names_of_this_machine_and_those_it_is_given():
    assert hosts_of(settings(), "127.0.0.1", auth=False) == ("localhost", "127.0.0.1", "[::1]")
    named = hosts_of(settings(allowed_hosts="Box, box.lan"), "::1", auth=False)
    assert named == ("localhost", "127.0.0.1", "[::1]", "box", "box.lan")


def test_a_server_with_keys_may_be_called_anything_until_it_is_given_names():
    assert hosts_of(settings(), "0.0.0.0", auth=True) == ()
    assert "hpo.lan" in hosts_of(settings(allowed_hosts="hpo.lan"), "0.0.0.0", auth=True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"auth": "none"}, "HPO_AUTH: must be auto, off or required"),
        (
            {"trusted_proxies": "10.0.0.0/8,proxy"},
            "HPO_TRUSTED_PROXIES: must be addresses or networks .* got 'proxy'",
        ),
        ({"rate_limit": "0"}, "HPO_RATE_LIMIT: must be a whole number above 0"),
    ],
)
def test_a_setting_that_means_nothing_is_an_error(words, sentence):
    with pytest.raises(SpecError, match=sentence):
        settings(**words)
