"""The API on a real socket, over each of the two databases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpo.api.site import Site
from hpo.cohort import CohortPlan
from hpo.data.prepare import describe
from hpo.service import specfile, submit
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
