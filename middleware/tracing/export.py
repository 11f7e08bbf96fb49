"""Where spans go: to a collector by OTLP over HTTP, from a thread beside the work.

The SDK reads its own variables (`OTEL_…`): endpoint, headers, timeouts, sampler, size of the queue. When a collector
hangs or is away, spans are lost, never time: a full queue drops them. The last ones get two seconds at the end.
"""

from multiprocessing.util import Finalize

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from middleware.tracing.spans import Tracing
from schema import VERSION
from schema.settings import Settings, SettingsError

_GOODBYE = 2000  # Milliseconds for the last spans of a process; the SDK would take 30 s.


class _Batches(BatchSpanProcessor):
    def shutdown(self) -> None:
        self._batch_processor.shutdown(timeout_millis=_GOODBYE)


def open_tracing(settings: Settings) -> Tracing:
    """Tracing into a collector. Raises SettingsError for variables that the SDK refuses."""
    ours = Resource.create({"service.name": "reportq", "service.version": VERSION})
    try:
        spans = _Batches(OTLPSpanExporter())
    except ValueError as error:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_… and OTEL_BSP_…", f"this: {error}", "what OpenTelemetry's SDK takes"
        ) from None
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(spans)
    # Not `atexit`: a process that multiprocessing has forked, as Dramatiq's workers are, would not run it.
    Finalize(None, provider.shutdown, exitpriority=0)
    return Tracing(provider, "memory" if settings.embedded else "rabbitmq")
