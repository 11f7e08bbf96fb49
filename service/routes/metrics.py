"""GET /metrics: counters of the API, gauges of the rows.

Each process reads the database at most once every five seconds, however often it is scraped, and less often when a
reading takes long. A thread of its own reads: a scrape must end within Prometheus's patience, even if the database hangs.
"""

import threading
import time
from collections.abc import Iterator

import falcon
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from middleware.meters.counters import folder_of
from middleware.meters.exposition import FileCollector
from schema import VERSION
from schema.metrics import gauges, labels
from schema.metrics import table as metrics
from schema.sql.database import DatabaseDown
from service.parts import ApiParts
from service.watch import Watch

log = structlog.get_logger()

_EVERY = 5.0  # Seconds between readings of the rows.
_RARER = 20  # Times what a reading took, when that is longer. Reading costs a twentieth of the time at most.
_PATIENCE = 4.0  # Seconds that a scrape waits for a reading of the rows.
_FRESH = 30.0  # Seconds that an old reading is shown while the next one is under way.


class Metrics:
    """GET /metrics: the API's own counters and the state of the whole cluster; with a key when keys are configured."""

    def __init__(self, parts: ApiParts, watch: Watch) -> None:
        embedded = parts.settings.embedded
        folder = folder_of(parts.settings.run_dir, metrics.API)
        self._registry = CollectorRegistry()
        serves = (metrics.API, metrics.WORKERS) if embedded else (metrics.API,)
        self._registry.register(FileCollector(folder, serves))
        self._registry.register(RowCollector(parts, watch))

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Prometheus's text format, or OpenMetrics when asked for."""
        encode, content_type = choose_encoder(req.get_header("Accept") or "")
        resp.content_type = content_type
        resp.data = encode(self._registry)


class RowCollector(Collector):
    """The gauges of schema/metrics/gauges.py, and whether the dependencies answer."""

    def __init__(self, parts: ApiParts, watch: Watch) -> None:
        self._rows = Rows(parts)
        self._broker = parts.settings.broker_url.partition(":")[0]
        self._watch = watch

    def collect(self) -> Iterator[Family]:
        """One family a gauge; while the database is away only `reportq_accepting 0` and the dependencies are told."""
        readings = [*self._rows.readings(), *self._dependencies(), *self._facts()]
        readings.append(gauges.Reading(metrics.BUILD_INFO, {"version": VERSION, "broker": self._broker}, 1))
        families: dict[str, Family] = {}
        for metric in metrics.TABLE.values():
            if metric.kept == metrics.DATABASE:
                families[metric.name] = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
        for reading in readings:
            family = families[reading.metric.name]
            family.samples.append(Sample(reading.metric.name, reading.labels, reading.value))
        return iter(families.values())

    def _dependencies(self) -> Iterator[gauges.Reading]:
        for name, answer in self._watch.answers().items():
            if name not in labels.DEPENDENCIES:
                continue
            yield gauges.Reading(metrics.DEPENDENCY_UP, {"dependency": name}, int(answer.up))
            if answer.up:
                yield gauges.Reading(metrics.DEPENDENCY_SECONDS, {"dependency": name}, answer.seconds)

    def _facts(self) -> Iterator[gauges.Reading]:
        worst = dict.fromkeys(labels.FACTS, 0)
        for fact in self._watch.look().facts:
            worst[fact.key] = max(worst[fact.key], labels.SEVERITIES[fact.severity])
        for key, value in worst.items():
            yield gauges.Reading(metrics.FACT, {"fact": key}, value)


class Rows:
    """The latest reading of the rows. A scrape that finds it too old starts a thread that makes a new one."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts
        self._changed = threading.Condition()
        self._readings: list[gauges.Reading] = []
        self._read_at = float("-inf")
        self._cost = 0.0
        self._reading = False
        self._away = False

    def readings(self) -> list[gauges.Reading]:
        """What the rows say; only `reportq_accepting 0` while the database is away or hangs."""
        with self._changed:
            now = time.monotonic()
            if now - self._read_at < max(_EVERY, _RARER * self._cost):
                return self._readings
            if not self._reading:
                self._reading = True
                threading.Thread(target=self._read, name="reads-rows", daemon=True).start()
            done = self._changed.wait_for(lambda: not self._reading, _PATIENCE)
            if self._away if done else time.monotonic() - self._read_at > _FRESH:
                return [gauges.Reading(metrics.ACCEPTING, {}, 0)]
            return self._readings

    def _read(self) -> None:
        began = time.monotonic()
        found: list[gauges.Reading] | None = None
        try:
            found = gauges.read(self._parts.db, self._parts.settings)
        except DatabaseDown:
            log.warning("metrics.database_unavailable")
        finally:
            with self._changed:
                self._reading, self._away = False, found is None
                self._read_at = float("-inf")
                if found is not None:
                    self._read_at = time.monotonic()
                    self._cost = self._read_at - began
                    self._readings = [*found, gauges.Reading(metrics.READ_SECONDS, {}, self._cost)]
                self._changed.notify_all()
            self._parts.db.close()  # this thread's connection
