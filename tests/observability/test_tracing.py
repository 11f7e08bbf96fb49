"""Spans reach a collector from every process, and a collector that hangs costs nobody anything."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ops.demo import Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.process import free_port, wait_until
from ops.stack import Stack
from tests.embedded import own
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.timeout(180)

LATE = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}  # milliseconds: only the end of a process sends what it has


def variables(collector: Receiver) -> dict[str, str]:
    return {"REPORTQ_TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}


def spans(collector: Receiver) -> list[dict[str, Any]]:
    """What the collector was sent: name, trace, and the process it came from."""
    found = []
    for request in collector.requests:
        assert request.target == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            about = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found.append({"name": span.name, "trace": span.trace_id.hex(), "parent": span.parent_span_id.hex(),
                                  "id": span.span_id.hex(), "service": about["service.name"],
                                  "process": about["service.instance.id"]})  # fmt: skip
    return found


def submit(url: str, **more: Any) -> str:
    body = {"code": "K1", "productId": PRODUCT, "data": json.loads(SAMPLE.read_text()), **more}
    answer = requests.post(f"{url}/api/reports/generate-async", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def completed(url: str, job_id: str) -> None:
    def ended() -> bool:
        return bool(requests.get(f"{url}/api/jobs/{job_id}", timeout=30).json()["status"] == "completed")

    wait_until(ended, 60, f"{job_id} is completed")


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def test_the_embedded_default_sends_its_last_spans_when_it_is_stopped(
    tmp_path: Path, collector: Receiver, hooks: Receiver
) -> None:
    port = free_port()
    allowed = {"REPORTQ_WEBHOOK_ALLOW": f"127.0.0.1:{hooks.port}", "OTEL_SERVICE_NAME": "reports of school 4"}
    environ = own(tmp_path, port, **variables(collector), **LATE, **allowed)
    with Api(tmp_path / "api", port, environ) as api:
        completed(api.url, submit(api.url, callback=f"{hooks.url}/done"))
        wait_until(lambda: bool(hooks.requests), 30, "the callback")
        assert requests.post(f"{api.url}/api/reports/generate-async", json={"code": 5}, timeout=30).status_code == 422
        api.stop()
    found = spans(collector)
    (accept, refused) = [span for span in found if span["name"] == "POST /api/reports/generate-async"]
    story = [span for span in found if span["trace"] == accept["trace"]]
    assert sorted(span["name"] for span in story) == sorted([
        "POST /api/reports/generate-async", "send pdf", "loading", "rendering", "uploading", "process pdf", "POST",
        "process webhooks",
    ])  # fmt: skip
    assert {span["parent"] for span in story if span["name"][:4] in ("send", "proc")} == {accept["id"]}
    assert (accept["parent"], accept["service"]) == ("", "reports of school 4")
    assert refused["trace"] != accept["trace"]
    (post,) = [span for span in story if span["name"] == "POST"]
    assert hooks.requests[0].headers["traceparent"].startswith(f"00-{accept['trace']}-{post['id']}-")


def test_every_process_of_production_sends_its_spans(tmp_path: Path, collector: Receiver) -> None:
    with Stack(tmp_path, render_workers=1, settings={**variables(collector), **LATE}) as stack:
        job_id = stack.submit(data=json.loads(SAMPLE.read_text()), callback=stack.receiver.url("/webhook/traced"))
        stack.wait_ended(job_id)
        (post,) = stack.receiver.wait_posts(1, "/webhook/traced")
        stack.programs.stop(timeout=90)
    trace = str(post.header("traceparent")).split("-")[1]
    story = [span for span in spans(collector) if span["trace"] == trace]
    assert sorted(span["name"] for span in story) == sorted([
        "POST /api/reports/generate-async", "send pdf", "loading", "rendering", "process pdf", "uploading", "store",
        "POST", "process webhooks",
    ])  # fmt: skip
    assert len({span["process"] for span in story}) == 4
    assert {span["service"] for span in story} == {"reportq"}


def test_a_collector_that_hangs_costs_spans_and_no_job(tmp_path: Path, hooks: Receiver) -> None:
    """With room for two spans and a silent collector a job goes on, and a stop waits for nothing but the work."""
    silent, over = [], threading.Event()

    def hang(request: Received) -> Any:
        def wait(line: socket.socket) -> None:
            silent.append(line)
            over.wait(120)

        return wait

    with Receiver(answer=hang) as collector:
        port = free_port()
        small = {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_BSP_MAX_QUEUE_SIZE": "2", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
                 "OTEL_EXPORTER_OTLP_TIMEOUT": "100"}  # fmt: skip
        allowed = {"REPORTQ_WEBHOOK_ALLOW": f"127.0.0.1:{hooks.port}"}
        with Api(tmp_path / "api", port, own(tmp_path, port, **variables(collector), **small, **allowed)) as api:
            for _ in range(3):
                completed(api.url, submit(api.url, callback=f"{hooks.url}/done"))
            wait_until(lambda: len(hooks.requests) == 3, 30, "the callbacks")
            assert silent
            assert api.pid is not None
            os.kill(api.pid, signal.SIGTERM)
            wait_until(lambda: not api.running, 25, "it has ended")  # the SDK by itself would wait 30 s
        over.set()


def test_variables_of_the_sdk_that_cannot_be_used_are_refused() -> None:
    program = (
        "from schema.settings import Settings; from actors.process.runtime import build; "
        "build(Settings(tracing=True)).tracing"
    )
    environ = {**os.environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9000"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert "SettingsError: OTEL_" in done.stderr
