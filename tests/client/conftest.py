"""A server that answers as a test wants it to; and places where studies live."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hpo.api.site import Site
from hpo.asked import Asked
from hpo.client.base import Backend
from hpo.client.remote import Remote
from hpo.cohort import CohortPlan
from hpo.service.local import Local
from hpo.service.processes import this_process
from hpo.settings import read_settings
from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from hpo.testing.studies import SPACE, plans
from hpo.trial import TrialResult


class Scripted:
    """Answers requests one after the other from a list, the last one for ever; keeps what it was asked."""

    def __init__(self):
        self.answers = []
        self.asked = []
        self.url = ""

    def will(self, status=200, body=b"{}", kind="application/json", **headers):
        """One more answer. headers: with underscores; body None: close the connection without an answer."""
        self.answers.append(
            (
                status,
                body,
                {"content-type": kind} | {name.replace("_", "-"): word for name, word in headers.items()},
            )
        )


@pytest.fixture
def scripted():
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            length = int(self.headers.get("content-length") or 0)
            script.asked.append(
                (
                    self.command,
                    self.path,
                    {n.lower(): w for n, w in self.headers.items()},
                    self.rfile.read(length),
                )
            )
            status, body, headers = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.close_connection = True
            if body is None:
                return
            self.send_response(status)
            usual = {"content-length": str(len(body)), "connection": "close"}
            for name, value in (usual | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PATCH = answer  # noqa: N815

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


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


@dataclass(frozen=True)
class House:
    """Where studies live: how a client asks about them, and the database behind that."""

    backend: Backend
    storage: Storage
    file = FILE

    def submit(self, name="wine", **keys):
        return self.backend.submit(Asked(tree=FILE | {"name": name} | keys, folder=Path.cwd()))

    def trained(self, name="wine", *, values=(0.5, 0.9, None), state=StudyState.COMPLETED, **keys):
        """A study whose first trials have these values (None: FAIL, lost), in a state, or RUNNING by this process."""
        self.submit(name, **keys)
        claim = self.storage.claim_study(name, this_process())
        n = len(values)
        [cohort] = self.storage.plan_trials(claim, SPACE, plans(0, n), [CohortPlan(numbers=tuple(range(n)))])
        cohort = self.storage.start_cohort(claim, cohort.id)
        results = [
            TrialResult(number=i, state=TrialState.FAIL, reason="lost")
            if value is None
            else TrialResult(number=i, state=TrialState.COMPLETE, value=value, epochs=5, best_epoch=3)
            for i, value in enumerate(values)
        ]
        self.storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
        if state is not StudyState.RUNNING:
            self.storage.release(claim, state)


@pytest.fixture(params=["local", "server", pytest.param("server on postgres", marks=pytest.mark.postgres)])
def house(request, tmp_path):
    """The local database, or a server over each of the two databases."""
    url = request.getfixturevalue("postgres" if "postgres" in request.param else "sqlite")
    storage = open_storage(url)
    if request.param == "local":
        backend = Local(url)
        yield House(backend, storage)
    else:
        settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": url})
        with serving(Site(settings=settings, storage=storage)) as address:
            backend = Remote(address)
            yield House(backend, storage)
            backend.close()
    backend.close()
    storage.close()


@pytest.fixture
def house_file():
    """A study to submit."""
    return Asked(tree=FILE, folder=Path.cwd())
