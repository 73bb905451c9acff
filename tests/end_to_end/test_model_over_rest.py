"""A model from end to end: a study over REST, a coordinator that serves, any trial's model, predictions."""

import json
import threading
import time
from contextlib import closing

import httpx
import pytest

from hpo.api.site import Site
from hpo.coordinator.service import serve
from hpo.models.folder import load_zip
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from hpo.workers.local_pool import LocalPool

FILE = {
    "name": "flowers",
    "data": {"source": "iris"},
    "trials": 6,
    "epochs": 6,
    "parameters": {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}},
}


@pytest.fixture
def client(tmp_path):
    """A server with a coordinator of one worker."""
    url = f"sqlite:///{tmp_path / 'hpo.db'}"
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": url})
    pool = LocalPool(n_workers=1, device="cpu", scratch=tmp_path / "scratch")
    stop = threading.Event()
    with closing(open_storage(url)) as storage, closing(open_storage(url)) as mine:
        thread = threading.Thread(target=serve, args=(mine, pool, stop))
        thread.start()
        site = Site(settings=settings, storage=storage)
        with serving(site) as address, httpx.Client(base_url=f"{address}/api/v1", timeout=30) as found:
            yield found
        stop.set()
        thread.join(30)


def until(ask, seconds=60):
    """The first answer that is one. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := ask()) is not None:
            return found
        threading.Event().wait(0.1)
    raise TimeoutError


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_model_of_any_trial_comes_over_rest_and_predicts_as_it_was_evaluated(client):
    client.post("/studies", json=FILE).raise_for_status()
    study = until(
        lambda: ((s := client.get("/studies/flowers").json())["state"] == "COMPLETED" and s) or None
    )
    other = next(n for n in range(6) if n != study["best_number"])

    first = client.get(f"/studies/flowers/model?trial={other}")
    again = until(
        lambda: ((a := client.get(f"/studies/flowers/model?trial={other}")).status_code != 202 and a) or None
    )

    assert (first.status_code, again.status_code) == (202, 200)
    model = load_zip(again.content)
    trial = client.get(f"/studies/flowers/trials/{other}").json()
    assert (model.about["trial"], model.about["value"], model.about["test"]) == (other, trial["value"], None)
    best = load_zip(client.get("/studies/flowers/model").content)
    assert (best.about["trial"], best.about["test"]) == (study["best_number"], without_number(study["test"]))
    row = {column.name: 1.0 for column in best.columns}
    for number, saved in ((other, model), (study["best_number"], best)):
        answer = client.post(f"/studies/flowers/predict?trial={number}", content=json.dumps([row]),
                             headers={"content-type": "application/json"})  # fmt: skip
        assert answer.json()["predictions"] == saved.predict([row])


def without_number(test):
    return {name: score for name, score in test.items() if name != "number"}
