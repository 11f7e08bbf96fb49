"""The spans of one job: its sending, each attempt with its stages, the upload, each POST, a rescue.

The job's row is their carrier. Its column `traceparent` names the request that made the job, so all spans of a job
stand in one trace as children of that request. The spans of attempts also link to that request, because it produced the
job that they consume. Messages carry no trace, because a message is a hint and the row is the truth.

Spans hold ids, numbers, codes and the receiver's host, never what somebody sent.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from middleware.hooks.lifecycle import Attempt, Attempts
from middleware.meters.counters import Meters
from middleware.meters.worker import WorkerMeters
from schema import VERSION
from schema.callbacks.urls import host_key
from schema.callbacks.verdicts import Verdict
from schema.life.rounds import Became
from schema.ports import Answer, Message, Post, Publisher, Sender
from schema.rows import leases
from schema.rows.columns import HeldJob
from schema.rows.deliveries import ClaimedDelivery
from schema.rows.messages import RENDER, WEBHOOKS

_W3C = TraceContextTextMapPropagator()  # no baggage: it could carry anything to anybody
_ABOUT = ("job_id", "delivery_id", "batch_id", "product_id", "round")


def context_of(traceparent: str | None) -> Context:
    """The context that a row or a header names; without one an empty context, in which a trace begins."""
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def carried(span: Span) -> dict[str, str]:
    """The header by which others continue this span's trace."""
    headers: dict[str, str] = {}
    _W3C.inject(headers, inside(span))
    return headers


def inside(span: Span) -> Context:
    """The context for the parts of this span."""
    return trace.set_span_in_context(span, Context())


def fail(span: Span, kind: str) -> None:
    """Make the span an error; `kind` is a stable code, a status or a failure."""
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR)


class Tracing:
    """Makes the spans of a process. Each thread works on one attempt at a time, whose span is its own."""

    def __init__(self, provider: trace.TracerProvider, system: str) -> None:
        self._tracer = provider.get_tracer("reportq", VERSION)
        self._system = system  # as the conventions name the broker
        self._here = threading.local()

    def span(
        self, name: str, kind: SpanKind, parent: Context, about: Mapping[str, Any], start: int | None = None
    ) -> Span:
        """A span that has begun, now or at `start` (nanoseconds since 1970)."""
        made = trace.get_current_span(parent).get_span_context()
        links = [trace.Link(made)] if kind is SpanKind.CONSUMER and made.is_valid else None
        return self._tracer.start_span(name, parent, kind, about, links, start)

    def message(self, operation: str, queue: str, key: str) -> dict[str, str]:
        """What the messaging conventions say of one message."""
        return {
            "messaging.system": self._system,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": queue,
            "messaging.message.id": key,
        }

    @property
    def current(self) -> Span | None:
        """The span of this thread's attempt."""
        return getattr(self._here, "span", None)

    def begin(self, attempt: Attempt) -> None:
        """This thread's attempt begins; the span of one whose outcome was never told ends with it."""
        self.finish()
        parent, about = context_of(attempt.row["traceparent"]), _about(attempt.row)
        if attempt.leased is leases.UPLOADS:
            self._here.span = self.span("store", SpanKind.INTERNAL, parent, about)
            return
        queue = WEBHOOKS if attempt.leased is leases.DELIVERIES else RENDER
        about |= self.message("process", queue, attempt.key)
        self._here.span = self.span(f"process {queue}", SpanKind.CONSUMER, parent, about)

    def note(self, outcome: str, code: str | None = None) -> None:
        """What this thread's attempt has become."""
        if self.current is not None:
            self.current.set_attribute("reportq.outcome", outcome)
            if outcome in ("retry", "failed", "stop"):
                fail(self.current, code or outcome)

    def finish(self) -> None:
        """End the span of this thread's attempt, if it has not ended."""
        if self.current is not None:
            self.current.end()
            self._here.span = None

    # The parts of a process that tell what they do.

    def attempts(self) -> Attempts:
        return TracedAttempts(self)

    def meters(self, meters: Meters) -> WorkerMeters:
        return TracedMeters(meters, self)

    def sender(self, inner: Sender) -> Sender:
        return TracedSender(inner, self)

    def publisher(self, inner: Publisher) -> Publisher:
        return TracedPublisher(inner, self)


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    about = {f"reportq.{name}": row[name] for name in _ABOUT if row.get(name) is not None}
    return about | {"reportq.attempt": row["start_no"]}


class TracedAttempts(Attempts):
    """Attempts with spans. A span outlives `end`, because the outcome is often told after it."""

    def __init__(self, tracing: Tracing) -> None:
        super().__init__()
        self._tracing = tracing

    def begin(self, attempt: Attempt) -> None:
        self._tracing.begin(attempt)
        super().begin(attempt)

    def end(self) -> None:
        if self.current() is None:  # called once more, when the message is done
            self._tracing.finish()
        super().end()


class TracedMeters(WorkerMeters):
    """Counters; stages and outcomes go into spans too."""

    def __init__(self, meters: Meters, tracing: Tracing) -> None:
        super().__init__(meters)
        self._tracing = tracing

    def stage(self, stage: str, seconds: float) -> None:
        super().stage(stage, seconds)
        if (span := self._tracing.current) is not None:
            now = time.time_ns()
            began = now - round(seconds * 1e9)  # made afterwards, it is never left open
            self._tracing.span(stage, SpanKind.INTERNAL, inside(span), {}, began).end(now)

    def handed_over(self) -> None:
        super().handed_over()
        self._tracing.note("handed_over")
        self._tracing.finish()

    def ended(self, row: HeldJob, became: Became, code: str | None) -> None:
        super().ended(row, became, code)
        self._tracing.note(became, code)
        self._tracing.finish()

    def rescued(self, row: HeldJob, became: Became, code: str | None, age: float) -> None:
        super().rescued(row, became, code, age)
        if became == "lost":
            return
        span = self._tracing.span("rescue", SpanKind.INTERNAL, context_of(row["traceparent"]), _about(row))
        span.set_attribute("reportq.outcome", became)
        if code is not None:
            fail(span, code)
        span.end()

    def posted(self, row: ClaimedDelivery, verdict: Verdict, answer: Answer) -> None:
        super().posted(row, verdict, answer)
        self._tracing.note(verdict.kind, verdict.code)

    def given_up(self, code: str) -> None:
        super().given_up(code)
        self._tracing.note("stop", code)


@dataclass(frozen=True)
class TracedSender:
    """A sender whose posts have spans, which receivers continue. Posts outside a delivery have none."""

    inner: Sender
    tracing: Tracing

    def send(self, post: Post) -> Answer:
        work = self.tracing.current
        if work is None:
            return self.inner.send(post)
        about: dict[str, Any] = {"http.request.method": "POST"}
        host, _, port = host_key(post.url).rpartition(":")
        if host:  # else nobody can read the URL
            about |= {"server.address": host, "server.port": int(port)}
        span = self.tracing.span("POST", SpanKind.CLIENT, inside(work), about)
        answer = self.inner.send(replace(post, headers={**post.headers, **carried(span)}))
        if answer.status is not None:
            span.set_attribute("http.response.status_code", answer.status)
        if answer.status is None or answer.status >= 400:
            fail(span, answer.failure or str(answer.status))
        span.end()
        return answer

    def close(self) -> None:
        self.inner.close()


@dataclass(frozen=True)
class TracedPublisher:
    """A publisher with a span for each confirmed message of a row whose trace is known."""

    inner: Publisher
    tracing: Tracing

    def publish(self, hints: Sequence[Message]) -> list[bool]:
        began = time.time_ns()
        confirmed = self.inner.publish(hints)
        for one in (hint for hint, ok in zip(hints, confirmed, strict=True) if ok and hint.traceparent):
            about, parent = self.tracing.message("send", one.queue, one.key), context_of(one.traceparent)
            self.tracing.span(f"send {one.queue}", SpanKind.PRODUCER, parent, about, began).end()
        return confirmed

    def ready(self, queue: str) -> int:
        return self.inner.ready(queue)

    def ping(self) -> None:
        self.inner.ping()

    def close(self) -> None:
        self.inner.close()
