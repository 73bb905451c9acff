"""OpenTelemetry: a span for every request, within it one for each transaction. Imported only when it is asked for.

The OTEL_… variables of the OpenTelemetry documents say where spans go and what they carry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo import __version__
from hpo.api.templates import NO_ROUTE, template_of
from hpo.errors import HpoError


class Traces:
    """The spans of one API process, sent in batches by a thread of their own."""

    def __init__(self) -> None:
        resource = Resource({SERVICE_NAME: "hpo", SERVICE_VERSION: __version__})
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last: they win.
        self._provider = TracerProvider(resource=resource.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self._provider.get_tracer("hpo", __version__)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """A span around a call of the storage."""
        with self.tracer.start_as_current_span(
            f"storage.{name}", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except HpoError as error:
                span.set_attribute("error.type", error.code)
                if error.status >= 500:
                    span.set_status(Status(StatusCode.ERROR, error.code))
                raise

    def go_around(self, app: FastAPI) -> None:
        """Make each request of an application a span."""
        app.add_middleware(_Tracing, traces=self)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class _Tracing:
    """The middleware that makes a request a span, in the trace of whoever sent it (`traceparent`)."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app, self._traces = app, traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._traces.tracer.start_as_current_span(
            scope["method"],
            context=extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
        ) as span:

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _answered(span, scope, message["status"])
                await send(message)

            await self._app(scope, receive, noting)


def _answered(span: Span, scope: Scope, status: int) -> None:
    route = template_of(scope)
    span.set_attribute("http.response.status_code", status)
    if route != NO_ROUTE:
        span.set_attribute("http.route", route)
        span.update_name(f"{scope['method']} {route}")
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
