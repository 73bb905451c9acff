"""A real Prometheus with the files that ship, scraping real servers with a key: every expression gets an answer."""

import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress

import httpx
import pytest

from hpo.account import Role
from hpo.api.site import Site
from hpo.service import keys
from hpo.settings import read_settings
from hpo.storage.late import open_late
from hpo.storage.open import open_storage
from hpo.testing.server_program import until
from hpo.testing.serving import serving
from tests.dashboards.files import ALERTS, EXPRESSIONS, PROMETHEUS
from tests.dashboards.pages import AWAY, beat, some_work

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="prometheus is not installed; Debian has it in the package prometheus",
)
# Nothing that a query says can be wrong here, and there is nothing that it finds.
SILENT = {*ALERTS, "job_state:hpo_trials_finished:deriv5m"}
# What three processes say together, of which one is blind.
EXACT = (
    'count(up{job="hpo"} == 1) == 3',
    "max(hpo_trials_training) == 3",
    "count(hpo_trials_training) == 2",
    'job_status:hpo_http_requests:rate5m{status="503"} > 0',
)


@pytest.fixture
def served(tmp_path, sqlite):
    """A database, and where two API processes answer from it for keys and a third that does not reach it."""
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    storage = open_storage(sqlite)
    some_work(storage)
    secret = keys.create(storage, keys.KeyOrder(owner="prometheus", role=Role.VIEWER))["secret"]
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    (tmp_path / "prometheus" / "hpo-key").write_text(f"{secret}\n")
    whole = Site(settings=settings, storage=storage, auth=True)
    away = Site(settings=settings, storage=open_late(AWAY))
    with serving(whole) as one, serving(whole) as two, serving(away) as three:
        yield storage, [address.removeprefix("http://") for address in (one, two, three)]
    storage.close()


@contextmanager
def prometheus(folder, targets):
    """The address of a Prometheus with the shipped files: other targets, and a second between scrapes."""
    file = folder / "prometheus.yaml"
    text = file.read_text()
    assert text.count('"127.0.0.1:8000"') == 1
    assert text.count("15s") == 2
    quoted = ", ".join(f'"{target}"' for target in targets)
    file.write_text(text.replace('"127.0.0.1:8000"', quoted).replace("15s", "1s"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    words = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={place}",
    ]
    with (folder / "log").open("w") as log:
        program = subprocess.Popen(["prometheus", *words], cwd=folder, stdout=log, stderr=log)
        try:
            yield f"http://{place}"
        finally:
            program.terminate()
            program.wait()


def answers(address, query):
    """The value of each series that a query finds."""
    try:
        answer = httpx.get(f"{address}/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return None
    if answer.status_code == 503:  # it has just begun
        return None
    assert answer.status_code == 200, f"{query}: {answer.text}"
    return [float(found["value"][1]) for found in answer.json()["data"]["result"]]


@needs_prometheus
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_prometheus_scrapes_with_the_shipped_files_and_answers_every_panel(tmp_path, served):
    storage, addresses = served
    with prometheus(tmp_path / "prometheus", addresses) as asked:
        # Of a counter that is new the first value is no growth; a scrape that is late leaves a gap for a second.
        left = {place: query for place, query in EXPRESSIONS.items() if place not in SILENT}
        left |= {query: query for query in EXACT}

        def answered():
            """Whether each has had an answer by now."""
            beat(storage)
            for address in addresses:
                httpx.get(f"http://{address}/api/v1/studies")  # one of them cannot answer
            for place in [place for place, query in left.items() if answers(asked, query)]:
                del left[place]
            return not left

        with suppress(TimeoutError):
            until(answered, patience_s=90)
        alerts = httpx.get(f"{asked}/api/v1/rules").json()["data"]["groups"]

    assert left == {}
    assert {rule["health"] for group in alerts for rule in group["rules"]} == {"ok"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("page", ["whole", "away"])
def test_names_and_types_are_as_prometheus_wants_them(page, request):
    text = request.getfixturevalue(page).text

    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
