"""A server that answers as a test wants it to."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


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
