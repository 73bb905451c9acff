"""What a server measures: its own requests, and at each scrape what the database says of everybody's work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo import __version__
from hpo.api.templates import template_of
from hpo.errors import HpoError
from hpo.states import TrialState
from hpo.storage.base import CoordinatorBeat, Storage
from hpo.storage.base_census import Census
from hpo.storage.rules import SEEN_S

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_EVENTS = b"text/event-stream"


class Measures:
    """The metrics of one API process; those about studies are read from the database, the same in each."""

    def __init__(self, storage: Storage) -> None:
        self.registry = CollectorRegistry()
        words: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "hpo_http_requests", "Requests answered.", ("method", "route", "status"), **words
        )
        self.request_seconds = Histogram(
            "hpo_http_request_seconds",
            "Time from a request to the first byte of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            **words,
        )
        self.followers = Gauge("hpo_event_followers", "Clients that follow events at this process.", **words)
        self.database_seconds = Histogram(
            "hpo_database_seconds",
            "Time of the transactions of this process.",
            ("call",),
            buckets=_SECONDS,
            **words,
        )
        self.database_errors = Counter(
            "hpo_database_errors", "Transactions that the database refused.", ("call", "code"), **words
        )
        ProcessCollector(registry=self.registry)  # memory, processor time and open files of this process
        self.registry.register(_Work(storage))

    def page(self) -> bytes:
        """Everything, in the words of Prometheus."""
        return generate_latest(self.registry)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Time a call of the storage; an error counts when it is the database's."""
        began = time.perf_counter()
        try:
            yield
        except HpoError as error:
            if error.status >= 500:
                self.database_errors.labels(name, error.code).inc()
            raise
        finally:
            self.database_seconds.labels(name).observe(time.perf_counter() - began)


class Measuring:
    """The middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app, self._measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, follows = time.perf_counter(), False

        async def noting(message: Message) -> None:
            nonlocal follows
            if message["type"] == "http.response.start":
                self._answered(scope, message["status"], time.perf_counter() - began)
                follows = any(value.startswith(_EVENTS) for _, value in message.get("headers", ()))
                if follows:
                    self._measures.followers.inc()
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            if follows:
                self._measures.followers.dec()

    def _answered(self, scope: Scope, status: int, seconds: float) -> None:
        route = template_of(scope)
        self._measures.requests.labels(scope["method"], route, str(status)).inc()
        self._measures.request_seconds.labels(scope["method"], route).observe(seconds)


class _Work(Collector):
    """What the database says at the moment of a scrape."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: a registry must not ask the database when it is made."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One scrape: two transactions. A database that is away is a figure too."""
        yield _labelled("hpo_build_info", "The version of hpo.", "version", {__version__: 1})
        try:
            census, coordinators = self._storage.census(), self._storage.coordinators()
        except HpoError:
            yield GaugeMetricFamily("hpo_database_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("hpo_database_up", "Whether the database answers.", value=1)
        yield from _of_studies(census)
        yield from _of_coordinators(coordinators)


def _of_studies(census: Census) -> Iterable[Metric]:
    trials = dict(census.trials)
    # As the API shows them: they wait for their study to go on.
    trials[TrialState.RUNNING] -= census.n_resting
    trials[TrialState.WAITING] += census.n_resting
    yield _labelled("hpo_studies", "Studies by state.", "state", census.studies)
    # No counter, also where trials have ended: they go with their study, and rate() would take that for a start
    # from nothing and add all that are left.
    yield _labelled("hpo_trials", "Trials by state, of all studies there are.", "state", trials)
    yield GaugeMetricFamily(
        "hpo_queue_age_seconds",
        "For how long the study that has waited longest for a coordinator has.",
        value=census.waits_s,
    )
    yield GaugeMetricFamily(
        "hpo_trials_per_second",
        "Trials that running studies finish.",
        value=_sum(census.live, "trials_per_s"),
    )
    running = trials[TrialState.RUNNING]
    yield GaugeMetricFamily("hpo_trials_training", "Trials that are training.", value=running)


def _of_coordinators(coordinators: Iterable[CoordinatorBeat]) -> Iterable[Metric]:
    beats = list(coordinators)
    slots = [slot for beat in beats for slot in beat.slots]
    busy = sum(slot.get("study") is not None for slot in slots)
    figures = {
        "hpo_coordinators": (f"Coordinators seen within the last {SEEN_S:.0f} s.", len(beats)),
        "hpo_slots": ("Slots of all worker pools.", len(slots)),
        "hpo_slots_busy": ("Slots that do something.", busy),
        "hpo_lanes_training": ("Lanes that train now.", _sum(slots, "lanes")),
        "hpo_model_steps_per_second": (
            "Steps of single networks, over all slots.",
            _sum(slots, "model_steps_per_s"),
        ),
    }
    for name, (about, value) in figures.items():
        yield GaugeMetricFamily(name, about, value=value)
    age = GaugeMetricFamily(
        "hpo_coordinator_age_seconds", "Time since a coordinator was last seen.", labels=("coordinator",)
    )
    for beat in beats:
        age.add_metric((f"{beat.driver.host}:{beat.driver.pid}",), beat.age_s)
    yield age


def _sum(records: Iterable[Mapping[str, Any]], key: str) -> float:
    """The sum of a figure that some records have."""
    return float(sum(record.get(key) or 0 for record in records))


def _labelled(name: str, about: str, label: str, values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=(label,))
    for key, value in values.items():
        family.add_metric((str(key),), value)
    return family
