"""Every process may die at any moment: the job completes, one file, one success callback (DESIGN §1, §2)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests

from ops.sample_report import CODE, PRODUCT
from ops.servers.process import wait_until
from ops.stack import ENDED, Stack

# Where the worker dies → what its attempt ends as; None: the attempt goes on in other hands, or is over.
STAGES = {
    "before render": "crashed",
    "after hand-over": None,
    "while uploading": "returned",
    "after upload": "returned",
    "after finish": None,
}
pytestmark = pytest.mark.timeout(180)


def submit(stack: Stack, **more: Any) -> tuple[str, str]:
    """A job of its own callback path."""
    path = f"/webhook/{time.monotonic_ns()}/pdf-complete"
    job_id = stack.submit(code=CODE, productId=PRODUCT, callback=stack.receiver.url(path), **more)
    return job_id, path


def files_of(stack: Stack, job_id: str) -> list[Any]:
    return [f for f in stack.drive.files() if job_id in str(f)]


def assert_told_once(stack: Stack, job_id: str, path: str) -> None:
    told = stack.receiver.wait_posts(1, path)
    wait_until(
        lambda: stack.sql("SELECT status FROM deliveries WHERE job_id=%s", job_id)[0]["status"] == "delivered",
        30,
        "the delivery ends",
    )
    assert [post.json()["status"] for post in stack.receiver.posts(path)] == ["completed"]
    assert told[0].json()["job_id"] == job_id


@pytest.mark.parametrize("stage", STAGES)
def test_kill_9_of_the_render_worker(stack: Stack, stage: str, crash_round: int) -> None:
    (stack.folder / "run" / "crash-at").write_text(stage)
    job_id, path = submit(stack)
    job = stack.wait_ended(job_id)

    assert job["status"] == "completed"
    assert not (stack.folder / "run" / "crash-at").exists()
    outcomes = [attempt["outcome"] for attempt in job["attempts"]]
    assert outcomes == [*filter(None, [STAGES[stage]]), "completed"]
    assert len(files_of(stack, job_id)) == 1
    assert_told_once(stack, job_id, path)


def test_rabbitmq_stopped_and_started(stack: Stack, crash_round: int) -> None:
    stack.rabbitmq.kill()
    job_id, path = submit(stack)
    assert stack.job(job_id)["status"] == "queued"
    stack.rabbitmq.start()
    assert stack.wait_ended(job_id, 90)["status"] == "completed"
    assert len(files_of(stack, job_id)) == 1
    assert_told_once(stack, job_id, path)


def test_relay_killed_between_publish_and_mark(stack: Stack, crash_round: int) -> None:
    """Its rows are published again by the next relay: a second hint, no second PDF."""
    stack.call("POST", "/api/queues/pdf/pause")  # so that the hint is met only once the relay is dead
    wait_until(lambda: bool(stack.sql("SELECT scope FROM pauses WHERE scope='queue:pdf'")), 10, "the pause")
    job_id, path = submit(stack)
    (stack.folder / "run" / "crash-at").write_text("after publish")
    relay = stack.pid("relay")
    stack.call("POST", "/api/queues/pdf/resume")
    wait_until(lambda: stack.pid("relay") not in (0, relay), 60, "the relay died and was started again")

    assert stack.wait_ended(job_id)["status"] == "completed"
    assert not (stack.folder / "run" / "crash-at").exists()
    assert len(stack.job(job_id)["attempts"]) == 1
    assert len(files_of(stack, job_id)) == 1
    assert_told_once(stack, job_id, path)


def test_mariadb_killed_and_restarted_under_load(stack: Stack, crash_round: int) -> None:
    """Every answer is 202 or a clean 503 in bounded time, and every 202 ends."""
    answers: list[tuple[int, float, str | None]] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set() and len(answers) < 120:
            began = time.monotonic()
            answer = stack.call("POST", "/api/reports/generate-async", json={"code": CODE, "productId": PRODUCT})
            body = answer.json()
            if answer.status_code == 503:
                assert body["code"] == "database_unavailable"
                assert answer.headers["Retry-After"]
                time.sleep(0.1)
            answers.append((answer.status_code, time.monotonic() - began, body.get("job_id")))
            time.sleep(0.05)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) > 20, 30, "the load runs")
    stack.mariadb.kill()
    time.sleep(1)
    stack.mariadb.start()
    seen = len(answers)
    wait_until(lambda: len(answers) > seen + 10 or len(answers) >= 120, 60, "the load goes on")
    stop.set()
    for thread in threads:
        thread.join()

    assert {status for status, _, _ in answers} <= {202, 503}
    assert max(seconds for _, seconds, _ in answers) < 20
    accepted = [job_id for status, _, job_id in answers if status == 202]
    assert accepted

    def all_ended() -> bool:
        marks = ",".join(["%s"] * len(accepted))
        rows = stack.sql(f"SELECT status FROM pdf_job_results WHERE job_id IN ({marks})", *accepted)
        assert len(rows) == len(accepted)
        return all(row["status"] in ENDED for row in rows)

    wait_until(all_ended, 120, "every accepted job ends")
    marks = ",".join(["%s"] * len(accepted))
    ended = stack.sql(
        f"SELECT status, COUNT(*) AS n FROM pdf_job_results WHERE job_id IN ({marks}) GROUP BY status", *accepted
    )
    assert ended == [{"status": "completed", "n": len(accepted)}]


def test_the_api_killed_loses_no_accepted_job(stack: Stack, crash_round: int) -> None:
    accepted = [submit(stack)[0] for _ in range(5)]
    stack.kill("api")
    wait_until(lambda: _alive(stack), 60, "the API is back")
    for job_id in accepted:
        assert stack.wait_ended(job_id)["status"] == "completed"


def _alive(stack: Stack) -> bool:
    try:
        return stack.call("GET", "/livez", timeout=2).ok
    except requests.RequestException:
        return False
