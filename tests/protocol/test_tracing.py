"""Spans of one job stand in one trace, whatever becomes of its attempts; no span outlives the attempt it tells of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from middleware.hooks.lifecycle import Attempt
from schema.errors import DependencyDown
from schema.ports import RenderRequest
from schema.rows import deliveries, jobs, leases
from tests.protocol.kit import World, answer
from tests.spans import CALLER, PARENT, TRACE, Spans, ids, of


class Traced:
    """A world whose spans are kept."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._made = Spans()
        world.runtime.tracing = self._made.tracing
        world.runtime.sender = self._made.tracing.sender(world.mouth)

    def submit(self, **more: Any) -> str:
        return self.world.submit(**{"traceparent": PARENT, "callback": "https://hooks.example/x/secret-9", **more})

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return self._made.named(name)

    def story(self) -> list[tuple[str, object, object]]:
        """Name, number of the start, outcome."""
        told = [(span.name, dict(span.attributes or {})) for span in self.spans()]
        return [(name, about.get("reportq.attempt"), about.get("reportq.outcome")) for name, about in told]


@pytest.fixture
def traced(world_of: Callable[..., World]) -> Traced:
    return Traced(world_of())


def test_every_span_of_a_job_stands_in_its_callers_trace(traced: Traced) -> None:
    job_id = traced.submit()
    traced.world.run()
    assert traced.story() == [
        ("send pdf", None, None),
        ("loading", None, None),
        ("rendering", None, None),
        ("process pdf", 1, "handed_over"),
        ("uploading", None, None),
        ("store", 1, "completed"),
        ("POST", None, None),
        ("process webhooks", 1, "delivered"),
    ]
    assert {ids(span)[0] for span in traced.spans()} == {TRACE}
    for name in ("send pdf", "process pdf", "store", "process webhooks"):
        (span,) = traced.spans(name)
        assert ids(span)[1] == CALLER
        assert [link.context.span_id for link in span.links] == (
            [int(CALLER, 16)] if span.kind is SpanKind.CONSUMER else []
        )
    for name, whole in (("rendering", "process pdf"), ("uploading", "store"), ("POST", "process webhooks")):
        (span,), (parent,) = traced.spans(name), traced.spans(whole)
        assert span.parent is not None
        assert parent.context is not None
        assert span.parent.span_id == parent.context.span_id
        assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time
    (message,) = traced.spans("process pdf")
    assert of(message) == {
        "messaging.system": "rabbitmq", "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.destination.name": "pdf", "messaging.message.id": job_id, "reportq.job_id": job_id,
        "reportq.product_id": "p", "reportq.round": 1, "reportq.attempt": 1, "reportq.outcome": "handed_over",
    }  # fmt: skip


def test_the_receiver_continues_the_trace_from_the_post(traced: Traced) -> None:
    traced.submit()
    traced.world.run()
    (span,) = traced.spans("POST")
    (post,) = traced.world.mouth.posts
    assert span.context is not None
    assert post.headers["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert of(span) == {
        "http.request.method": "POST", "server.address": "hooks.example", "server.port": 443,
        "http.response.status_code": 200,
    }  # fmt: skip


def test_no_span_holds_what_somebody_sent(traced: Traced) -> None:
    def broken(request: RenderRequest, progress: Callable[[int], None]) -> bytes:
        raise ValueError("Nyi Roro Kidul scored 12")

    traced.world.pen.work = broken
    traced.submit(code="person-7", meta=b'"note-8"', inline=b'{"name": "Nyi Roro Kidul"}', owner="key-6")
    traced.world.run()
    told = "".join(span.to_json() for span in traced.spans())
    for secret in ("person-7", "note-8", "Roro", "scored", "secret-9", "key-6"):
        assert secret not in told
    assert "process pdf" in told


def test_a_retry_is_a_second_span_and_the_first_is_an_error(traced: Traced) -> None:
    def once(request: RenderRequest, progress: Callable[[int], None]) -> bytes:
        if traced.world.pen.renders == 1:
            raise ValueError("odd")
        return b"%PDF-1"

    traced.world.pen.work = once
    traced.submit()
    traced.world.run()
    traced.world.pass_time(600)
    traced.world.run()
    first, second = traced.spans("process pdf")
    assert (of(first)["reportq.outcome"], of(first)["error.type"], first.status.is_ok) == ("retry", "ValueError", False)
    assert (of(second)["reportq.attempt"], of(second)["reportq.outcome"]) == (2, "handed_over")
    assert second.status.is_unset
    assert len(traced.spans("send pdf")) == 2
    assert {ids(span)[0] for span in traced.spans()} == {TRACE}


def test_a_start_that_died_is_told_by_its_rescue_and_the_next_is_whole(traced: Traced) -> None:
    job_id = traced.submit()
    traced.world.relay()
    jobs.claim(traced.world.db, job_id, worker_id="dead", lease=20, timeout=300)
    traced.world.pass_time(25)
    traced.world.rescue()
    (rescue,) = traced.spans("rescue")
    assert (of(rescue)["reportq.attempt"], of(rescue)["error.type"]) == (1, "worker_died")
    traced.world.pass_time(600)
    traced.world.run()
    (attempt,) = traced.spans("process pdf")
    assert (of(attempt)["reportq.attempt"], of(attempt)["reportq.outcome"]) == (2, "handed_over")
    assert ids(attempt) == (TRACE, CALLER)


def test_an_attempt_whose_end_nobody_told_ends_with_the_threads_next(traced: Traced) -> None:
    lost, job_id = traced.submit(), traced.submit(traceparent=None)
    held = jobs.claim(traced.world.db, lost, worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    traced.world.runtime.attempts.begin(Attempt(leases.JOBS, held.row, 0.0))
    assert traced.spans() == []
    traced.world.hint(job_id)
    first, second = traced.spans("process pdf")
    assert (of(first)["reportq.job_id"], of(first).get("reportq.outcome")) == (lost, None)
    assert of(second)["reportq.job_id"] == job_id
    assert ids(second)[0] not in ("", TRACE)
    assert second.links == ()
    (rendering,) = traced.spans("rendering")
    assert ids(rendering)[0] == ids(second)[0]


def test_a_post_that_fails_is_an_error_and_the_next_a_span_of_its_own(traced: Traced) -> None:
    traced.world.mouth.answers = [answer(500), answer(None, failure="timeout"), answer(204)]
    job_id = traced.submit()
    traced.world.run()
    for _ in range(2):
        traced.world.pass_time(3600)
        traced.world.run()
    assert [of(span).get("error.type") for span in traced.spans("POST")] == ["500", "timeout", None]
    assert [of(span)["reportq.outcome"] for span in traced.spans("process webhooks")] == ["again", "again", "delivered"]
    parents = [post.headers["traceparent"] for post in traced.world.mouth.posts]
    assert len(set(parents)) == 3
    delivery = deliveries.of_job(traced.world.db, job_id)[0]["delivery_id"]
    assert {of(span)["messaging.message.id"] for span in traced.spans("process webhooks")} == {delivery}


def test_a_url_that_cannot_be_read_is_posted_to_no_less(traced: Traced) -> None:
    job_id = traced.submit()
    traced.world.run()
    delivery = deliveries.of_job(traced.world.db, job_id)[0]["delivery_id"]
    traced.world.db.execute(
        "UPDATE deliveries SET url='http://[::1', status='queued', published_at=NULL WHERE delivery_id=%s", (delivery,)
    )
    traced.world.db.execute("DELETE FROM delivery_attempts")
    traced.world.run()
    assert [post.url for post in traced.world.mouth.posts][1:] == ["http://[::1"]
    assert "server.address" not in of(traced.spans("POST")[1])


def test_a_delivery_that_posts_nothing_and_a_preview_end_their_spans(traced: Traced) -> None:
    traced.world.reports.fail = [DependencyDown("mongodb", "away")]
    traced.submit()
    traced.world.run()
    (delivery,) = traced.spans("process webhooks")
    assert "reportq.outcome" not in of(delivery)
    preview = jobs.NewJob("pre_01K00000000000000000000000", "K1", "p", priority=9, traceparent=PARENT)
    jobs.submit(traced.world.db, preview)
    traced.world.run()
    assert of(traced.spans("process pdf")[-1])["reportq.job_id"] == preview.job_id


def test_messages_that_were_not_confirmed_have_no_span(traced: Traced) -> None:
    traced.submit()
    traced.world.published.confirms = False
    with pytest.raises(DependencyDown):
        traced.world.runtime.relay.step()
    assert traced.spans() == []


def test_what_the_caller_does_not_sample_is_not_sampled(traced: Traced) -> None:
    traced.submit(traceparent=f"00-{TRACE}-{CALLER}-00")
    traced.world.run()
    assert traced.spans() == []
    (post,) = traced.world.mouth.posts
    assert post.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert post.headers["traceparent"].endswith("-00")
