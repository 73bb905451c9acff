"""The API on a real socket, over each of the two databases."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpo.account import Role
from hpo.api.site import Site
from hpo.cohort import CohortPlan
from hpo.data.prepare import describe
from hpo.service import keys, specfile, submit
from hpo.settings import read_settings
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.study import Study
from hpo.testing.serving import serving
from hpo.testing.studies import complete, driver
from hpo.trial import TrialPlan


@dataclass(frozen=True)
class Server:
    """A server that runs, its database, and a client of `/api/v1`."""

    url: str
    storage: Storage
    site: Site
    client: httpx.Client


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request):
    """The URL of an empty database."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def server(database_url, tmp_path):
    """A server without keys, on loopback."""
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": database_url})
    storage = open_storage(database_url)
    site = Site(settings=settings, storage=storage)
    # verify=False: nothing here is TLS, and reading the machine's certificates takes as long as ten requests.
    with serving(site) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=30, verify=False) as client:
        yield Server(url=url, storage=storage, site=site, client=client)
    storage.close()


@dataclass(frozen=True)
class Keyed:
    """A server that asks for keys: what it was made of, and a key of each role."""

    url: str
    storage: Storage
    site: Site
    secrets: dict[str, str]

    def ask(self, method: str, path: str, role: str | None = None, **more: Any) -> httpx.Response:
        """One request, path from the root, with the key of a role."""
        headers = {**more.pop("headers", {})}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.secrets[role]}"
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30, verify=False, **more)


@pytest.fixture
def keyed_site(database_url, tmp_path):
    """What a server that asks for keys is made of: keyed_site(rate_limit=5), say, changes its settings."""
    opened = []

    def make(*, patience_s: float = 30.0, hosts: tuple[str, ...] = (), **changes: Any) -> Site:
        settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": database_url})
        opened.append(open_storage(database_url))
        settings = replace(settings, **changes)
        return Site(settings=settings, storage=opened[-1], auth=True, hosts=hosts, patience_s=patience_s)

    yield make
    for storage in opened:
        storage.close()


@pytest.fixture
def keyed(keyed_site):
    """A server that asks for keys."""
    site = keyed_site()
    made = {
        role.value: keys.create(site.storage, keys.KeyOrder(owner=role.value, role=role)) for role in Role
    }
    with serving(site) as url:
        secrets = {role: key["secret"] for role, key in made.items()}
        yield Keyed(url=url, storage=site.storage, site=site, secrets=secrets)


@pytest.fixture
def waited() -> Callable[[Callable[[], bool], float], None]:
    """Asks until something is so, for at most so many seconds."""

    def wait(is_so: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"not so within {seconds} s"
            time.sleep(0.02)

    return wait


FILE = {
    "data": {"source": "iris"},
    "trials": 8,
    "epochs": 5,
    "parameters": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "hidden_units": {"low": 16, "high": 256},
        "optimizer": ["sgd", "adam"],
    },
}


@pytest.fixture(scope="session")
def _iris():
    """What is known of the data of the studies below."""
    return describe(specfile.from_json(FILE).data, Path())


@pytest.fixture
def given(server, _iris) -> Callable[..., Study]:
    """Makes studies on the server: given("wine", values=[0.5, 0.9]) has two COMPLETE trials and is driven."""

    def make(name: str = "wine", *, values: Sequence[float] = (), **keys: Any) -> Study:
        spec = specfile.from_json(FILE | {"name": name} | keys)
        draft = submit.Draft(spec=spec, folder=Path(), stem=name)
        study, spec = submit.create(server.storage, draft, _iris)
        if not values:
            return study
        claim = server.storage.claim_study(name, driver())
        n = len(values)
        plans = [
            TrialPlan(
                number=i,
                params={"learning_rate": 0.01 + i / 1000, "hidden_units": 16 + i, "optimizer": "adam"},
            )
            for i in range(n)
        ]
        [cohort] = server.storage.plan_trials(
            claim, spec.parameters, plans, [CohortPlan(numbers=tuple(range(n)))]
        )
        cohort = server.storage.start_cohort(claim, cohort.id)
        results = [complete(number, value) for number, value in enumerate(values)]
        server.storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
        return server.storage.get_study(name)

    return make
