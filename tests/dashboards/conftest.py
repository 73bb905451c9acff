"""What servers really export: all that a board or a rule names is looked up here."""

import shutil
from collections import defaultdict

import httpx
import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.late import open_late
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from tests.dashboards.pages import AWAY, Page, Series, some_work


@pytest.fixture(scope="session")
def whole(empty_database, tmp_path_factory):
    """The page of a server that has something of everything."""
    home = tmp_path_factory.mktemp("whole")
    url = f"sqlite:///{shutil.copy(empty_database, home / 'hpo.db')}"
    storage = open_storage(url)
    some_work(storage)
    site = Site(settings=read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url}), storage=storage)
    with serving(site) as address:
        httpx.get(f"{address}/api/v1/studies").raise_for_status()
        page = Page(httpx.get(f"{address}/metrics").text)
    storage.close()
    return page


@pytest.fixture(scope="session")
def away(tmp_path_factory):
    """The page of a server whose database does not answer."""
    home = tmp_path_factory.mktemp("away")
    site = Site(settings=read_settings({"HPO_HOME": str(home), "HPO_STORAGE": AWAY}), storage=open_late(AWAY))
    with serving(site) as address:
        assert httpx.get(f"{address}/api/v1/studies").status_code == 503
        return Page(httpx.get(f"{address}/metrics").text)


@pytest.fixture(scope="session")
def exported(whole, away):
    """Name -> what servers export under it."""
    found = {}
    for page in (whole, away):
        for name, series in page.series.items():
            known = found.setdefault(name, Series(series.kind, defaultdict(set)))
            for label, values in series.labels.items():
                known.labels[label] |= values
    return found


@pytest.fixture(scope="session")
def of_database(whole, away):
    """What is read from the database, and so the same from each process: it is gone when the database is away."""
    return set(whole.families) - set(away.families)
