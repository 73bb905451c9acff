"""The API on a real socket, over each of the two databases."""

from dataclasses import dataclass

import httpx
import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.testing.serving import serving


@dataclass(frozen=True)
class Server:
    """A server that runs, its database, and a client of `/api/v1`."""

    url: str
    storage: Storage
    site: Site
    client: httpx.Client


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    return f"sqlite:///{tmp_path / 'hpo.db'}"


@pytest.fixture
def server(database_url, tmp_path):
    """A server without keys, on loopback."""
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": database_url})
    storage = open_storage(database_url)
    site = Site(settings=settings, storage=storage)
    with serving(site) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
        yield Server(url=url, storage=storage, site=site, client=client)
    storage.close()
