"""What a page of another site can do to somebody who is signed in here: nothing, and it learns nothing either."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hpo.account import Role
from hpo.api.site import Site
from hpo.service import keys
from hpo.settings import read_settings
from hpo.states import Wanted
from hpo.storage.open import open_storage
from hpo.testing.serving import serving
from tests.browser.conftest import Looker
from tests.browser.studies import a_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# Everything that a page may send without being asked first, the cookie of this server with it where a browser adds it.
ATTACK = """async (url) => {
  const said = {};
  for (const [name, method, path] of [['look', 'GET', '/api/v1/studies'], ['pause', 'POST', '/api/v1/studies/wine:pause'],
      ['remove', 'DELETE', '/api/v1/studies/wine'], ['key', 'POST', '/api/v1/keys'], ['out', 'POST', '/logout']]) {
    for (const mode of ['cors', 'no-cors']) {
      if (mode === 'no-cors' && method === 'DELETE') continue;
      const answer = await fetch(url + path, { method, mode, credentials: 'include' }).then((one) => one.text(), () => '');
      said[`${name} ${mode}`] = answer;
    }
  }
  return said;
}"""
FORMS = ("/logout", "/login", "/api/v1/studies/wine:pause", "/api/v1/studies", "/api/v1/datasets?name=x.csv")


class _Elsewhere(BaseHTTPRequestHandler):
    """A site of somebody else, without a policy that would keep its own pages from attacking."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>elsewhere</title><body>")

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    """The port of that site."""
    with HTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def keyed(chromium, sqlite, tmp_path):
    """A server that asks for keys, who looks at it, and an admin's key."""
    storage = open_storage(sqlite)
    secret = keys.create(storage, keys.KeyOrder(owner="ann", role=Role.ADMIN))["secret"]
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": sqlite})
    with serving(Site(settings=settings, storage=storage, auth=True, hosts=())) as url:
        yield Looker(url, storage, chromium), secret
    storage.close()


# On 127.0.0.1 it is of the same site, so that the cookie comes along: only its origin is another. On localhost it does not.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_site_changes_nothing_and_reads_nothing(keyed, elsewhere, host):
    looker, secret = keyed
    a_study(looker.storage)
    answered = []

    with looker.page("/login", forgiven=["40", "CORS", "ERR_FAILED", "ERR_BLOCKED"]) as page:
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("h1:has-text('Studies')")
        page.on(
            "response",
            lambda one: one.url.startswith(looker.url) and answered.append((one.request.method, one.status)),
        )
        page.goto(f"http://{host}:{elsewhere}/")
        read = page.evaluate(ATTACK, looker.url)
        for path in FORMS:
            for kind in ("text/plain", "application/x-www-form-urlencoded"):
                page.goto(f"http://{host}:{elsewhere}/")
                with page.expect_navigation():
                    page.evaluate(
                        "([action, enctype]) => { const form = Object.assign(document.createElement('form'),"
                        " {action, enctype, method: 'post'}); document.body.append(form); form.submit(); }",
                        [looker.url + path, kind],
                    )
        page.goto(looker.url)
        page.wait_for_selector("#studies tbody tr")
        owner = page.inner_text(".who")

    changing = [status for method, status in answered if method != "GET"]
    assert set(read.values()) == {""}
    assert (set(changing), len(changing) >= 2 * len(FORMS)) == ({403}, True)
    assert looker.storage.get_study("wine").wanted is Wanted.NOTHING
    assert [study.name for study in looker.storage.list_studies()] == ["wine"]
    assert looker.storage.list_datasets() == []
    assert owner.startswith("ann, admin")
