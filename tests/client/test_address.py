"""Which addresses are servers', and where an API key may travel."""

import pytest

from hpo.client.address import address_of, check_key
from hpo.errors import SpecError


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("localhost:8000", "must be an address such as"),
        ("ftp://somewhere", "must be an address such as"),
        ("http://", "must be an address such as"),
        ("http://somewhere:99999", "is no address"),
        ("http://me:secret@somewhere", "must hold no password"),
        ("http://somewhere?a=b", "must end before"),
    ],
)
def test_what_is_no_address_is_named_with_its_setting(text, sentence):
    with pytest.raises(SpecError, match=sentence) as caught:
        address_of(text)

    assert caught.value.field == "HPO_SERVER"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://localhost:1", "http://127.8.0.1", "http://[::1]:1", "https://a.b"]
)
def test_a_key_travels_where_nobody_can_read_it(address):
    check_key(address, "hpo_secret", insecure=False)


@pytest.mark.parametrize(
    "address", ["http://10.0.0.7:8000", "http://hpo.example.org", "http://localhost.example"]
)
def test_a_key_does_not_travel_in_clear_unless_that_is_allowed(address):
    with pytest.raises(SpecError, match="plain http") as caught:
        check_key(address, "hpo_secret", insecure=False)

    assert "hpo_secret" not in str(caught.value)
    check_key(address, "hpo_secret", insecure=True)
    check_key(address, None, insecure=False)


@pytest.mark.parametrize("key", ["two words", "Schlüssel", "a\nb", "a\x00"])
def test_what_can_be_no_key_is_refused_without_repeating_it(key):
    with pytest.raises(SpecError, match="HPO_API_KEY: holds characters") as caught:
        check_key("https://a.b", key, insecure=False)

    assert key not in str(caught.value)
