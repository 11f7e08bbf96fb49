"""DESIGN §3 on real servers: a resume URL that its receiver repeats is shown to nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ops.servers.process import wait_until
from ops.stack import ROOT, Stack
from tests.receiver import Received, Receiver

ID = "778104629317"
TOKEN = "5ec2e7" * 10 + "beef"
TARGET = f"/webhook-waiting/{ID}?signature={TOKEN}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(
        tmp_path_factory.mktemp("capabilities"),
        render_workers=1,
        drive=False,
        settings={"REPORTQ_WEBHOOK_ALLOW": "127.0.0.1"},
    ) as running:
        yield running


def echo(request: Received) -> bytes:
    """Refuses for good, and says in several ways what was asked."""
    told = {
        "error": f"Cannot POST {request.target}",
        "url": f"http://h:5678{request.target}",
        "headers": request.headers,
    }
    body = json.dumps(told | {"query": {"signature": request.target.rpartition("=")[2]}}).encode()
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_resume_url_that_its_receiver_repeats_is_shown_nowhere(stack: Stack) -> None:
    with Receiver(echo) as receiver:
        job_id = stack.submit(code="NOWHERE", callback=f"{receiver.url}{TARGET}")
        stack.wait_ended(job_id)
        wait_until(lambda: stack.job(job_id)["webhook"]["state"] == "dead", 20, "the callback is refused")
    assert [request.target for request in receiver.requests] == [TARGET]  # byte for byte all the same
    wait_until(lambda: bool(stack.rabbitmq.get_messages("webhooks.XQ")), 20, "its copy in .XQ")

    log = stack.call("GET", f"/api/jobs/{job_id}/deliveries").text
    assert "Cannot POST" in log
    commands = [("webhooks", "log", job_id), ("webhooks", "log", job_id, "--json"), ("dead-letters", "list", "--json")]
    shown = {
        "delivery log": log,
        "job": stack.call("GET", f"/api/jobs/{job_id}").text,
        "dead letters": stack.call("GET", "/api/dead-letters").text,
        "overview": stack.call("GET", "/api/overview").text,
        "metrics": stack.call("GET", "/metrics").text,
        "webhooks.XQ": json.dumps(stack.rabbitmq.get_messages("webhooks.XQ")),
        "pdf.XQ": json.dumps(stack.rabbitmq.get_messages("pdf.XQ")),
        "rows": json.dumps(stack.sql("SELECT body_head FROM delivery_attempts")),
        **{" ".join(words): command(stack, *words) for words in commands},
        **{f"log of {name}": stack.log(name) for name in ("api", "relay", "render-0", "webhook")},
    }
    assert job_id in shown["webhooks.XQ"]
    assert {name for name, text in shown.items() if TOKEN in text or f"waiting/{ID}" in text} == set()


def command(stack: Stack, *arguments: str) -> str:
    """What `ops/reportq …` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        cwd=ROOT, env={**os.environ, **stack.environment, "COLUMNS": "4000"}, capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    return done.stdout + done.stderr
