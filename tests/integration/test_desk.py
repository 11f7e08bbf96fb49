"""DESIGN §7 on real servers: what dies can be read in RabbitMQ's own UI, and moved back there by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from middleware.rabbitmq.broker import LETTERS_KEPT
from ops.servers.process import wait_until
from ops.stack import ROOT, Stack
from schema.rows.messages import MAX_PRIORITY
from tests.receiver import Received, Receiver

PRODUCT = "minatBakatUmum"
SAMPLE = ROOT / "actors" / "pdf" / "templates" / PRODUCT / "sample.json"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"REPORTQ_WEBHOOK_ALLOW": "127.0.0.1"}
    with Stack(tmp_path_factory.mktemp("desk"), drive=False, settings=settings) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> None:
    """No letters of the test before."""
    stack.call("POST", "/api/dead-letters/discard", json={"filter": {}})
    wait_until(lambda: copies(stack) == [], 20, "an empty .XQ")
    stack.receiver.clear()


def copies(stack: Stack, queue: str = "pdf") -> list[dict[str, Any]]:
    """What a person sees in the management page's message view of `.XQ`."""
    return stack.rabbitmq.get_messages(f"{queue}.XQ")


def publish(stack: Stack, queue: str, body: bytes) -> None:
    """By hand, as anybody with the management page may."""
    with pika.BlockingConnection(pika.URLParameters(stack.rabbitmq.admin_url)) as connection:
        connection.channel().basic_publish("", queue, body)


def die(stack: Stack, code: str) -> str:
    """A job whose report does not exist; ended and its copy in `.XQ`."""
    job_id = stack.submit(code=code, callback=stack.receiver.url("/webhook/pdf-complete"))
    assert stack.wait_ended(job_id)["status"] == "failed"
    wait_until(lambda: any(job_id in copy["payload"] for copy in copies(stack)), 20, "its copy in .XQ")
    told(stack, job_id)
    return job_id


def told(stack: Stack, job_id: str) -> None:
    """Wait for the callback: a replay that comes earlier takes its place."""
    wait_until(lambda: stack.job(job_id)["webhook"]["state"] == "delivered", 20, "the callback")


def command(stack: Stack, *arguments: str) -> tuple[int, Any]:
    """`ops/reportq … --json` as a process of its own."""
    done = run(stack, *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def printed(stack: Stack, *arguments: str) -> str:
    """All that `ops/reportq …` prints."""
    done = run(stack, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **stack.environment, "COLUMNS": "4000"}
    command = [sys.executable, "-m", "ops.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_an_unknown_report_fails_is_told_and_can_be_read_in_the_message_view(stack: Stack) -> None:
    job_id = die(stack, "NOWHERE")

    body = stack.receiver.wait_posts(1, "/webhook/pdf-failed")[-1].json()
    story = json.loads(copies(stack)[0]["payload"])["options"]["dead_letter"]

    assert (body["job_id"], body["status"], body["retry_count"]) == (job_id, "failed", 0)
    assert "There is no report" in body["error"]
    assert (story["job_id"], story["error_code"], story["attempts"]) == (job_id, "report_not_found", 1)
    assert "There is no report with code 'NOWHERE'" in story["error"]
    assert story["first_failed_at"] <= story["last_failed_at"]
    assert "Move this message" in story["what_to_do"]
    assert "report_not_found" in story["traceback"] or "Permanent" in story["traceback"]


def test_a_letter_moved_back_by_hand_runs_again_once(stack: Stack) -> None:
    job_id = die(stack, "LATER")
    copy = copies(stack)[0]["payload"].encode()
    stack.rabbitmq.move("pdf.XQ", "pdf")  # its report is still missing: it fails again, with a budget of its own
    wait_until(lambda: stack.job(job_id)["round"] == 2 and stack.job(job_id)["status"] == "failed", 30, "round 2")
    wait_until(lambda: len(copies(stack)) == 1, 20, "the second letter")
    told(stack, job_id)
    stack.save_report("LATER", PRODUCT, json.loads(SAMPLE.read_text()))

    stack.rabbitmq.move("pdf.XQ", "pdf")
    job = stack.wait_ended(job_id)
    wait_until(lambda: stack.job(job_id)["status"] == "completed", 30, "round 3 completes")
    for _ in range(3):
        publish(stack, "pdf", copy)  # a stale duplicate of the first copy
    wait_until(lambda: stack.rabbitmq.waiting("pdf") == 0, 20, "the copies are met")
    later = stack.submit(code="LATER")
    stack.wait_ended(later)

    job = stack.job(job_id)
    assert (job["status"], job["round"], job["retry_count"]) == ("completed", 3, 0)
    assert [(a["round"], a["outcome"]) for a in job["attempts"]] == [(1, "failed"), (2, "failed"), (3, "completed")]
    assert copies(stack) == []
    told(stack, job_id)
    posts = [post.json()["status"] for post in stack.receiver.posts() if post.json()["job_id"] == job_id]
    assert posts == ["failed", "failed", "completed"]
    acts = stack.sql("SELECT who FROM audit WHERE subject=%s", job_id)
    assert [act["who"] for act in acts] == ["rabbitmq-ui", "rabbitmq-ui"]


def test_replay_by_command_clears_the_copies_and_leaves_the_others(stack: Stack) -> None:
    chosen, other = die(stack, "SOON"), die(stack, "NEVER")
    stack.save_report("SOON", PRODUCT, json.loads(SAMPLE.read_text()))

    code, listed = command(stack, "dead-letters", "list")
    assert (code, listed["total"]) == (0, 2)
    code, summary = command(stack, "dead-letters", "replay", "--code", "SOON", "--why", "the report is there now")
    began = time.monotonic()

    assert (code, summary["outcomes"]) == (0, {"replayed": 1})
    assert stack.wait_ended(chosen)["status"] == "completed"
    wait_until(lambda: [other in copy["payload"] for copy in copies(stack)] == [True], 10, "one copy left")
    assert time.monotonic() - began < 10
    assert stack.job(other)["status"] == "failed"


def test_what_only_the_broker_holds_gets_a_row(stack: Stack) -> None:
    stranger = json.dumps(
        {
            "queue_name": "pdf", "actor_name": "make_coffee", "args": [], "kwargs": {}, "options": {},
            "message_id": "m1", "message_timestamp": 1,
        }
    ).encode()  # fmt: skip
    publish(stack, "pdf", b"\xff\x00 garbage")
    publish(stack, "pdf", stranger)

    def raw() -> list[dict[str, Any]]:
        letters: list[dict[str, Any]] = stack.call("GET", "/api/dead-letters?view=letters&kind=raw").json()["letters"]
        return letters

    wait_until(lambda: len(raw()) == 2, 30, "two rows")
    by_code = {letter["error_code"]: letter["dead_letter_id"] for letter in raw()}
    assert set(by_code) == {"undecodable_message", "unknown_actor"}
    wait_until(lambda: len(copies(stack)) == 2, 20, "their readable copies")
    assert "make_coffee" in copies(stack)[1]["payload"] + copies(stack)[0]["payload"]

    # Sent again raw it is still a strange message, so it comes back as a new letter.
    code, summary = command(stack, "dead-letters", "replay", by_code["unknown_actor"])
    assert (code, summary["outcomes"]) == (0, {"replayed": 1})
    wait_until(lambda: by_code["unknown_actor"] not in {x["dead_letter_id"] for x in raw()}, 10, "it is resolved")
    wait_until(lambda: len(raw()) == 2, 30, "it is back")

    code, summary = command(stack, "dead-letters", "discard", "--all", "--why", "strangers")
    assert (code, summary["outcomes"]) == (0, {"discarded": 2})
    wait_until(lambda: copies(stack) == [], 10, "an empty .XQ")


def test_a_pause_holds_within_three_seconds_and_through_restarts(stack: Stack) -> None:
    stack.save_report("PAUSED", PRODUCT, json.loads(SAMPLE.read_text()))
    assert command(stack, "queues", "drain", "pdf", "--why", "maintenance")[0] == 0
    paused_at = time.monotonic()
    wait_until(lambda: time.monotonic() - paused_at > 3, 4, "three seconds")
    held = [stack.submit(code="PAUSED") for _ in range(5)]
    for program in ("relay", "render-0", "render-1", "api"):
        stack.restart(program)
    stack.programs.wait_ready(180)
    # The pause also stops a message that was published by hand.
    hint = {"queue_name": "pdf", "actor_name": "render_pdf", "args": [held[0]], "kwargs": {}, "options": {},
            "message_id": "m2", "message_timestamp": 1}  # fmt: skip
    publish(stack, "pdf", json.dumps(hint).encode())
    wait_until(lambda: stack.rabbitmq.waiting("pdf") == 0, 20, "the hint is taken")
    assert {stack.job(job)["status"] for job in held} == {"queued"}
    queue = next(q for q in stack.call("GET", "/api/queues").json()["queues"] if q["name"] == "pdf")
    assert (queue["state"], queue["depth"], queue["paused"]["reason"]) == ("paused", 5, "maintenance")

    assert stack.call("POST", "/api/queues/pdf/resume").json()["state"] == "running"
    assert {stack.wait_ended(job)["status"] for job in held} == {"completed"}


def test_the_shipped_node_has_the_queues_as_they_are_declared(stack: Stack) -> None:
    """ops/rabbitmq/: another argument would be refused with 406; a policy could contradict what the code declares."""
    queues = stack.rabbitmq.queues()
    for queue in queues.values():
        assert queue["arguments"].pop("x-queue-type", "classic") == "classic"  # RabbitMQ 4 adds its vhost's default
    for name in ("pdf", "webhooks"):
        assert queues[name]["arguments"] == {
            "x-max-priority": MAX_PRIORITY, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{name}.XQ",
        }  # fmt: skip
        assert queues[f"{name}.XQ"]["arguments"] == {"x-message-ttl": LETTERS_KEPT}
        assert all(queues[one]["durable"] for one in (name, f"{name}.DQ", f"{name}.XQ"))
        assert not any(queues[one].get("policy") for one in (name, f"{name}.DQ", f"{name}.XQ"))
    permissions = {entry["user"]: entry for entry in stack.rabbitmq.api("GET", "permissions")}
    assert permissions["reportq"]["configure"] == r"^(pdf|webhooks)(\.DQ|\.XQ)?$"
    plugins = stack.rabbitmq.ctl("eval", "rabbit_plugins:active().")
    for plugin in ("rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_shovel", "rabbitmq_shovel_management"):
        assert plugin in plugins


ID = "778104629317"
TOKEN = "5ec2e7" * 10 + "beef"
TARGET = f"/webhook-waiting/{ID}?signature={TOKEN}"


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
    """DESIGN §3: the URL alone lets anybody resume the execution."""
    with Receiver(echo) as receiver:
        job_id = stack.submit(code="NOWHERE", callback=f"{receiver.url}{TARGET}")
        stack.wait_ended(job_id)
        wait_until(lambda: stack.job(job_id)["webhook"]["state"] == "dead", 20, "the callback is refused")
    assert [request.target for request in receiver.requests] == [TARGET]  # byte for byte all the same
    wait_until(lambda: any(job_id in copy["payload"] for copy in copies(stack, "webhooks")), 20, "its copy in .XQ")

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
        **{" ".join(words): printed(stack, *words) for words in commands},
        **{f"log of {name}": stack.log(name) for name in ("api", "relay", "render-0", "render-1", "webhook")},
    }
    assert job_id in shown["webhooks.XQ"]
    assert {name for name, text in shown.items() if TOKEN in text or f"waiting/{ID}" in text} == set()
