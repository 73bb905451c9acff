"""A server that asks for keys: they travel with every request, and what they do not allow is exit 5."""

import pytest

from hpo.api.site import Site
from hpo.client.remote import Remote
from hpo.errors import KeyNotFound, NotAllowed, NotSignedIn
from hpo.service import keys
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving


@pytest.fixture
def keyed(tmp_path, sqlite):
    """Makes clients of one server that asks for keys: keyed(role), or without one."""
    storage, opened = open_storage(sqlite), []
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    with serving(Site(settings=settings, storage=storage, auth=True)) as address:

        def client(role=None):
            order = keys.KeyOrder(owner="ada", role=role or "viewer")
            secret = None if role is None else keys.create(storage, order)["secret"]
            opened.append(Remote(address, api_key=secret))
            return opened[-1]

        yield client
        for one in opened:
            one.close()
    storage.close()


def test_without_a_key_nothing_is_told(keyed):
    with pytest.raises(NotSignedIn) as caught:
        list(keyed().studies())

    assert caught.value.exit_code == 5


def test_a_key_allows_what_its_role_does(keyed, house_file):
    viewer, submitter = keyed("viewer"), keyed("submitter")

    made = submitter.submit(house_file)

    assert made["owner"] == "ada"
    assert [study["name"] for study in viewer.studies()] == [made["name"]]
    with pytest.raises(NotAllowed) as caught:
        viewer.act(made["name"], "cancel")
    assert caught.value.exit_code == 5
    with pytest.raises(NotAllowed):
        submitter.api_keys()


def test_an_administrator_makes_lists_and_revokes_keys(keyed):
    admin = keyed("admin")

    made = admin.create_key({"owner": "bob", "role": "viewer", "expires": "30d"})
    listed = [key["id"] for key in admin.api_keys()]
    revoked = admin.revoke_key(made["id"])

    assert made["secret"].startswith("hpo_")
    assert made["id"] in listed
    assert revoked["state"] == "revoked"
    with pytest.raises(KeyNotFound):
        admin.revoke_key("key_nothing")
