"""GET /metrics, and the counting of requests.

The database is read at most once every five seconds by each process however often it is scraped, and less often when
reading takes long; dependencies are asked by a thread that runs only while somebody scrapes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import falcon
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from middleware.exposition import FileCollector
from middleware.metrics import Meters, folder_of
from schema import VERSION, gauges, metrics
from schema.database import DatabaseDown
from schema.gauges import Reading
from schema.metrics import DATABASE
from service.parts import Parts

log = structlog.get_logger()

_EVERY = 5.0  # seconds between reads of the rows
_ASK_EVERY = 15.0  # seconds between questions to one dependency
_LISTENED = 60.0  # seconds after the last scrape until the dependencies are left alone
_REPORTS = "/api/reports/"


class Metrics:
    """GET /metrics: the API's own counters and the state of the whole cluster; with a key when keys are configured."""

    def __init__(self, parts: Parts) -> None:
        embedded = parts.settings.embedded
        folder = folder_of(parts.settings.run_dir, metrics.API)
        self._registry = CollectorRegistry()
        serves = (metrics.API, metrics.WORKERS) if embedded else (metrics.API,)
        self._registry.register(FileCollector(folder, serves))
        self._registry.register(RowCollector(parts))

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Prometheus's text format, or OpenMetrics when asked for."""
        encode, content_type = choose_encoder(req.get_header("Accept") or "")
        resp.content_type = content_type
        resp.data = encode(self._registry)


class RowCollector(Collector):
    """The gauges of schema/gauges.py, and whether the dependencies answer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._mutex = threading.Lock()
        self._readings: list[Reading] = []
        self._read_at = float("-inf")
        self._cost = 0.0
        self._broker = parts.settings.broker_url.partition(":")[0]
        self._asked = Asked(
            {
                "database": parts.db.ping,
                "documents": parts.documents.ping,
                "artifacts": parts.artifacts.ping,
                "broker": parts.broker_ping,
            }
        )

    def collect(self) -> Iterator[Family]:
        """One family a gauge; while the database is away only `reportq_accepting 0` and the dependencies are told."""
        readings = [*self._rows(), *self._asked.readings()]
        readings.append(Reading(metrics.BUILD_INFO, {"version": VERSION, "broker": self._broker}, 1))
        families: dict[str, Family] = {}
        for metric in metrics.TABLE.values():
            if metric.kept == DATABASE:
                families[metric.name] = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
        for reading in readings:
            family = families[reading.metric.name]
            family.samples.append(Sample(reading.metric.name, reading.labels, reading.value))
        return iter(families.values())

    def describe(self) -> Iterable[Family]:
        """Nothing to compare at registration: the table has no name twice."""
        return []

    def _rows(self) -> list[Reading]:
        with self._mutex:
            now = time.monotonic()
            if now - self._read_at < max(_EVERY, 20 * self._cost):
                return self._readings
            try:
                readings = gauges.read(self._parts.db, self._parts.settings)
            except DatabaseDown:
                log.warning("metrics.database_unavailable")
                self._read_at = float("-inf")
                return [Reading(metrics.ACCEPTING, {}, 0)]
            self._read_at = time.monotonic()
            self._cost = self._read_at - now
            self._readings = [*readings, Reading(metrics.READ_SECONDS, {}, self._cost)]
            return self._readings


class Asked:
    """Whether each dependency answered the last time it was asked, and how quickly."""

    def __init__(self, pings: Mapping[str, Callable[[], object]]) -> None:
        self._pings = pings
        self._mutex = threading.Lock()
        self._answers: dict[str, tuple[bool, float]] = {}
        self._wanted_at = 0.0
        self._running = False

    def readings(self) -> list[Reading]:
        """What is known now; never waits for a dependency."""
        self._wanted_at = time.monotonic()
        with self._mutex:
            start = not self._running
            self._running = True
        if start:
            threading.Thread(target=self._run, name="dependencies", daemon=True).start()
        found = []
        for name, (up, seconds) in self._answers.items():
            found.append(Reading(metrics.DEPENDENCY_UP, {"dependency": name}, int(up)))
            if up:
                found.append(Reading(metrics.DEPENDENCY_SECONDS, {"dependency": name}, seconds))
        return found

    def _run(self) -> None:
        while True:
            self._ask_all()
            time.sleep(_ASK_EVERY)
            with self._mutex:
                if time.monotonic() - self._wanted_at > _LISTENED:
                    self._running = False
                    return

    def _ask_all(self) -> None:
        for name, ping in self._pings.items():
            began = time.monotonic()
            try:
                ping()
                up = True
            except Exception as error:  # whatever a client library raises: the dependency did not answer
                log.debug("metrics.dependency_down", dependency=name, error=type(error).__name__)
                up = False
            self._answers[name] = (up, time.monotonic() - began)


class Counted:
    """Falcon middleware: every request's duration, and what became of each request for a report."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.began = time.monotonic()
        req.context.asked = ()
        req.context.repeated = False
        req.context.cancelled = False

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        status = int(str(resp.status).split(" ", 1)[0])
        route = req.uri_template or "none"
        seconds = time.monotonic() - req.context.began
        method = req.method if req.method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"
        self._meters.observe(
            metrics.HTTP_SECONDS, seconds, route=route, method=method, status=f"{status // 100}xx"
        )  # fmt: skip
        if req.context.cancelled:
            self._meters.count(metrics.CANCELLED_WAITING)
        if req.method != "POST" or not route.startswith(_REPORTS):
            return
        # A synchronous request whose job failed is answered 409, and was accepted all the same.
        taken = bool(req.context.asked) or req.context.repeated
        self._meters.count(metrics.SUBMISSIONS, result="accepted" if taken else submission_result(status))
        for priority in req.context.asked:
            self._meters.count(metrics.JOBS_SUBMITTED, priority=priority)


def submission_result(status: int) -> str:
    """What an HTTP status says of a request for a report."""
    if status < 400:
        return "accepted"
    if status == 429:
        return "limited"
    return "refused" if status < 500 else "unavailable"
