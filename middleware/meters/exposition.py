"""The metrics of this host's processes as Prometheus reads them: the sum of all slots' files."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from middleware.meters.counters import files_of, number_text
from schema.metrics import table as metrics
from schema.metrics.table import FILES, HISTOGRAM, Metric

log = structlog.get_logger()


class FileCollector(Collector):
    """Every declared metric of the given parts. A series whose labels are closed lists is shown from the start, as 0."""

    def __init__(self, folder: Path, serves: Sequence[str]) -> None:
        self._folder = folder
        self._metrics = [m for m in metrics.TABLE.values() if m.kept == FILES and m.serves in serves]

    def collect(self) -> Iterator[Family]:
        """One family a metric: the sum of all files, also those of dead processes."""
        kept: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
        for family in MultiProcessCollector.merge(files_of(self._folder)):  # type: ignore[no-untyped-call]
            kept[family.name] = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in family.samples}
        for metric in self._metrics:
            samples = _zeros(metric) | kept.get(metric.name, {})
            # Exposition adds `_total` to a counter family's own name.
            family = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
            family.samples = [Sample(name, dict(labels), value) for (name, labels), value in samples.items()]
            yield family


def _zeros(metric: Metric) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The series that exist before anything was counted."""
    lists = [words for words in metric.labels.values() if words is not None]
    if len(lists) != len(metric.labels):
        return {}
    zeros = {}
    for words in itertools.product(*lists):
        labels = dict(zip(metric.labels, words, strict=True))
        if metric.kind == HISTOGRAM:
            for edge in (*metric.buckets, float("inf")):
                key = tuple(sorted({**labels, "le": number_text(edge)}.items()))
                zeros[f"{metric.name}_bucket", key] = 0.0
            for part in ("_sum", "_count"):
                zeros[metric.name + part, tuple(sorted(labels.items()))] = 0.0
        else:
            zeros[metric.name, tuple(sorted(labels.items()))] = 0.0
    return zeros


def serve(folder: Path, host: str, port: int) -> Any:
    """Serve the metrics of this host's workers on their own port; returns the server, or None when the port is taken.

    Then another relay of this host serves the same files, which is enough.
    """
    registry = CollectorRegistry()
    registry.register(FileCollector(folder, (metrics.WORKERS,)))
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        log.warning("metrics.port_taken", host=host, port=port, error=str(error))
        return None
    return server
