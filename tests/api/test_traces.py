"""Spans of requests and transactions, as a collector of OpenTelemetry gets them."""

import http.server
import logging
import signal
import sys
import threading
from dataclasses import replace

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from hpo.server.api import traces_wanted
from hpo.storage.late import open_late
from hpo.testing.server_program import server_program
from hpo.testing.serving import serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector(monkeypatch):
    """Spans that arrive at the endpoint which the environment names."""
    spans = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"]
                spans.extend((service, span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_address[1]}")
    yield spans
    receiver.shutdown()
    receiver.server_close()


def traced(server, collector, *paths, **headers):
    """What a collector gets of requests: the spans by name."""
    traces = traces_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "set, as the fixture has"})
    with serving(server.site, traces=traces) as url:
        for path in paths:
            httpx.get(f"{url}{path}", headers=headers)
    traces.close()
    return {span.name: span for _, span in collector}


def attributes(span):
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_a_request_is_a_span_named_by_its_route(server, collector):
    spans = traced(server, collector, "/api/v1/studies/none/trials?state=FAIL")

    span = spans["GET /api/v1/studies/{name}/trials"]
    assert attributes(span) == {
        "http.request.method": "GET",
        "url.path": "/api/v1/studies/none/trials",
        "http.route": "/api/v1/studies/{name}/trials",
        "http.response.status_code": 404,
    }
    assert {service for service, _ in collector} == {"hpo"}


def test_its_transactions_are_spans_within_it(server, collector):
    spans = traced(server, collector, "/api/v1/studies/none")

    request, transaction = spans["GET /api/v1/studies/{name}"], spans["storage.get_study"]
    assert (transaction.trace_id, transaction.parent_span_id) == (request.trace_id, request.span_id)
    assert attributes(transaction) == {"error.type": "study_not_found"}
    assert request.start_time_unix_nano <= transaction.start_time_unix_nano
    assert transaction.end_time_unix_nano <= request.end_time_unix_nano


def test_a_request_joins_the_trace_of_whoever_sent_it(server, collector):
    spans = traced(server, collector, "/healthz", traceparent=f"00-{TRACE}-{PARENT}-01")

    span = spans["GET /healthz"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)


def test_what_the_server_could_not_answer_is_an_error_and_what_it_refused_is_none(server, collector):
    away = replace(
        server, site=replace(server.site, storage=open_late("postgresql+psycopg://127.0.0.1:1/none"))
    )

    refused = traced(server, collector, "/api/v1/studies/none")
    failed = traced(away, collector, "/api/v1/studies/none")

    names = ("GET /api/v1/studies/{name}", "storage.get_study")
    assert [refused[name].status.code for name in names] == [Status.STATUS_CODE_UNSET] * 2
    assert [failed[name].status.code for name in names] == [Status.STATUS_CODE_ERROR] * 2


def test_the_environment_names_the_service(server, collector, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "searches")

    traced(server, collector, "/healthz")

    assert {service for service, _ in collector} == {"searches"}


def test_a_server_that_ends_sends_what_it_still_holds(collector, tmp_path):
    with server_program(tmp_path, "--only", "api") as server:
        server.request("GET", "/healthz")
        server.end(signal.SIGTERM)

    assert "GET /healthz" in {span.name for _, span in collector}


def test_no_key_is_in_any_span(server, collector):
    traced(server, collector, "/api/v1/studies", authorization="Bearer hpo_topsecret")

    assert collector
    assert not any("topsecret" in str(span) for _, span in collector)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "True"},
    ],
)
def test_without_an_endpoint_there_are_no_traces(environment):
    assert traces_wanted(environment) is None


def test_packages_that_are_missing_are_told_with_the_cure_and_stop_nobody(monkeypatch, caplog):
    monkeypatch.delitem(sys.modules, "hpo.api.traces", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.setattr(logging.getLogger("hpo"), "propagate", True)

    assert traces_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}) is None

    assert "pip install 'hpo[telemetry]'" in caplog.text
