"""One request can be followed through every process by its id and its trace, and no log tells a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from actors.process.logs import set_up
from ops.servers.process import wait_until
from schema.callbacks.redaction import hide
from schema.http import traces
from schema.settings import Settings
from tests.observability.conftest import SAMPLE, Live

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
PROGRAMS = ("api", "relay", "render-0", "render-1", "webhook")


def events(live: Live, **wanted: Any) -> list[dict[str, Any]]:
    """Every program's events that carry these fields, oldest first."""
    found = []
    for program in PROGRAMS:
        for line in live.stack.log(program).splitlines():
            if line.startswith("{") and line.endswith("}"):  # dramatiq's master writes lines of its own
                event = json.loads(line)
                if all(event.get(name) == value for name, value in wanted.items()):
                    found.append(event)
    return sorted(found, key=lambda event: str(event["timestamp"]))


def test_a_request_is_followed_to_its_callback_by_id_and_trace(live: Live) -> None:
    answer = live.stack.call(
        "POST",
        "/api/reports/generate-async",
        json={
            "code": "T1",
            "productId": "minatBakatUmum",
            "data": SAMPLE,
            "callback": live.stack.receiver.url("/webhook/traced"),
        },
        headers={"X-Request-ID": "req-of-the-caller", "traceparent": PARENT},
    )
    job_id = answer.json()["job_id"]
    assert answer.headers["X-Request-ID"] == "req-of-the-caller"
    (post,) = live.stack.receiver.wait_posts(1, "/webhook/traced")
    version, trace, parent, flags = str(post.header("traceparent")).split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert parent != "b7ad6b7169203331"
    assert post.header("x-request-id") == "req-of-the-caller"

    steps = ["job.submitted", "job.claimed", "job.stage_done", "job.completed", "delivery.recorded", "delivery.attempt"]

    def written() -> bool:
        return {event["event"] for event in events(live, job_id=job_id)} >= set(steps)

    wait_until(written, 20, "all steps are logged")
    story = events(live, job_id=job_id)
    assert [event["event"] for event in story if event["event"] in steps[:2]] == steps[:2]
    assert [event["stage"] for event in story if event["event"] == "job.stage_done"] == [
        "loading",
        "rendering",
        "uploading",
    ]
    for event in story:
        assert event["request_id"] == "req-of-the-caller", event
        assert event["trace_id"] == TRACE, event
        if event["event"] not in ("job.submitted",):
            assert event["round"] == 1, event
            assert event["attempt"] == 1, event
        if event["event"] in ("job.stage_done", "job.completed", "delivery.attempt"):
            assert event["seconds"] >= 0, event


def test_a_failed_attempt_is_logged_with_its_code_and_duration(live: Live) -> None:
    job_id = live.stack.submit(code="nobody-at-all")
    live.stack.wait_ended(job_id)
    wait_until(lambda: bool(events(live, job_id=job_id, event="job.attempt_ended")), 20, "the event")
    (event,) = events(live, job_id=job_id, event="job.attempt_ended")
    assert (event["code"], event["outcome"], event["attempt"]) == ("report_not_found", "failed", 1)
    assert event["seconds"] >= 0


def test_no_log_of_any_program_tells_a_secret_or_a_report(live: Live) -> None:
    resume = live.stack.receiver.url("/webhook-waiting/778104629317?signature=5ec2e75ec2e7")
    job_id = live.stack.submit(data={**SAMPLE, "name": "Nyi Roro Kidul"}, callback=resume)
    live.stack.wait_ended(job_id)
    live.stack.receiver.wait_posts(1, "/webhook-waiting/778104629317")
    wait_until(lambda: bool(events(live, job_id=job_id, event="delivery.attempt")), 20, "the event")
    text = "".join(live.stack.log(program) for program in PROGRAMS)
    assert "778104629317" not in text
    assert "5ec2e75ec2e7" not in text
    assert "Nyi Roro Kidul" not in text
    for name in ("REPORTQ_DATABASE_URL", "REPORTQ_BROKER_URL"):
        password = live.stack.environment[name].split("://", 1)[1].split("@")[0].partition(":")[2]
        assert not password or password not in text, name


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("POST http://n8n:5678/webhook-waiting/99?signature=abc failed", "n8n:5678", "abc"),
        ("POST HTTP://n8n:5678/webhook-waiting/99?signature=abc failed", "n8n:5678", "abc"),
        ("Cannot POST /webhook-waiting/99?signature=abc now", "Cannot POST", "abc"),
        ("resumed with Signature=abcdef", "resumed with", "abcdef"),
        ("http://h/webhook-waiting/…?signature=… failed", "h/webhook-waiting/…?signature=… failed", "h//"),
        ("MYSQL://reportq:hunter2@db/reportq is away", "db/reportq is away", "hunter2"),
        ("mysql://reportq:hunter2@db/reportq is away", "db/reportq is away", "hunter2"),
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed with", "MfKQ9r8"),
        ("nothing to hide", "nothing to hide", "…"),
    ],
)
def test_capabilities_are_taken_out_of_sentences(text: str, kept: str, gone: str) -> None:
    assert kept in hide(text)
    assert gone not in hide(text)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Logging as it was afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("form", ["json", "console"])
def test_errors_show_their_traceback_and_no_local_variables(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    set_up(Settings(log_format=form))
    report = {"name": "somebody's report"}
    try:
        _ = report["missing"]
    except KeyError:
        structlog.get_logger().exception("work.failed", password="hunter2")
    logging.getLogger("pika").critical("lost %s", "amqp://u:hunter3@h/")
    text = capfd.readouterr().err
    assert "KeyError" in text
    for secret in ("somebody's report", "hunter2", "hunter3"):
        assert secret not in text
    if form == "json":
        first, second = [json.loads(line) for line in text.splitlines()]
        assert first["event"] == "work.failed"
        assert second["logger"] == "pika"


def test_a_trace_goes_on_with_a_parent_of_our_own() -> None:
    assert traces.trace_id(PARENT) == TRACE
    assert traces.trace_id(None) is None
    child = traces.child(PARENT)
    assert child.startswith(f"00-{TRACE}-")
    assert child != PARENT
