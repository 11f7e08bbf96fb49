"""What hits a render worker hardest: memory, endless C code, poison, a stop in the middle, no database at the end.

One real stack with short leases; the trial renderer does what the product's name says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.servers.process import wait_until
from ops.stack import Stack

LEASE = 4.0
SETTINGS = {
    "REPORTQ_LEASE": f"{LEASE:g}",
    "REPORTQ_HEARTBEAT": "0.8",
    "REPORTQ_SWEEP": "0.3",
    "REPORTQ_RELAY_HOLD": "2",
    "REPORTQ_LOST_HINT_AFTER": "3",
    "REPORTQ_RETRY_BACKOFF": "0.2",
    "REPORTQ_BROKER_TIMEOUT": "3",
    "REPORTQ_WORKER_MEMORY": "400",
    "REPORTQ_GDRIVE_TIMEOUT": "60",
}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("hard")
    settings = {**SETTINGS, "TRIAL_RENDERS": str(folder / "renders")}
    with Stack(folder, settings=settings, modules={"actors.worker": "ops.stack_worker"}) as stack:
        yield stack


def submit(stack: Stack, product: str, **more: Any) -> str:
    return stack.submit(productId=product, data={"name": "hard case"}, **more)


def outcomes(job: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in job["attempts"]]


def renders(stack: Stack, job_id: str) -> int:
    return (stack.folder / "renders").read_text().splitlines().count(job_id)


def workers(stack: Stack) -> set[int]:
    rows = stack.sql(
        "SELECT pid FROM workers WHERE kind='pdf' AND seen_at > TIMESTAMPADD(SECOND, -3, UTC_TIMESTAMP(6))"
    )
    return {int(row["pid"]) for row in rows}


def rest_is_served(stack: Stack) -> None:
    """The queue moves on: jobs behind the hard one complete."""
    others = [submit(stack, "noop") for _ in range(6)]
    assert {stack.wait_ended(job_id, 120)["status"] for job_id in others} == {"completed"}


def test_a_report_that_takes_all_memory_costs_its_own_attempts_only(stack: Stack) -> None:
    wait_until(lambda: len(workers(stack)) == 2, 60, "both workers")
    before = workers(stack)
    job = stack.wait_ended(submit(stack, "hog"), 120)

    assert (job["status"], job["error"]["code"]) == ("failed", "out_of_memory")
    assert outcomes(job) == ["failed"] * 4
    wait_until(lambda: workers(stack) == before, 30, "nobody died of it")
    rest_is_served(stack)


def test_a_spent_budget_is_whole_again_when_the_letter_is_moved_back(stack: Stack) -> None:
    """By hand, with the management API's shovel: four attempts more, not one."""
    job_id = submit(stack, "hog")
    assert outcomes(stack.wait_ended(job_id, 120)) == ["failed"] * 4

    def moved() -> bool:
        stack.rabbitmq.move("pdf.XQ", "pdf")  # its copy may not be there yet
        return bool(stack.job(job_id)["round"] == 2)

    wait_until(moved, 30, "the letter is moved back")
    wait_until(lambda: stack.job(job_id)["status"] == "failed" and stack.job(job_id)["round"] == 2, 120, "round 2 ends")
    job = stack.job(job_id)
    assert [attempt["round"] for attempt in job["attempts"]] == [1] * 4 + [2] * 4
    rest_is_served(stack)


def test_an_endless_call_in_c_dies_within_its_lease_and_is_buried_after_three(stack: Stack) -> None:
    job_id = submit(stack, "spin")
    job = stack.wait_ended(job_id, 240)

    assert (job["status"], job["error"]["code"]) == ("failed", "worker_died")
    assert outcomes(job) == ["crashed"] * 3
    [letter] = stack.sql("SELECT error_code, attempts, status FROM dead_letters WHERE job_id=%s", job_id)
    assert letter == {"error_code": "worker_died", "attempts": 3, "status": "open"}
    rest_is_served(stack)


def test_a_payload_that_kills_every_worker_is_buried_and_the_queue_moves_on(stack: Stack) -> None:
    job_id = submit(stack, "poison", priority="high")
    others = [submit(stack, "short") for _ in range(6)]

    job = stack.wait_ended(job_id, 240)
    assert (job["status"], job["error"]["code"], outcomes(job)) == ("failed", "worker_died", ["crashed"] * 3)
    assert renders(stack, job_id) == 3
    assert {stack.wait_ended(one, 120)["status"] for one in others} == {"completed"}


def test_a_graceful_stop_gives_the_job_back_at_its_next_step(stack: Stack) -> None:
    job_id = submit(stack, "long")

    def worker() -> str | None:
        row = stack.sql("SELECT status, worker_id FROM pdf_job_results WHERE job_id=%s", job_id)[0]
        return str(row["worker_id"]) if row["status"] == "processing" else None

    wait_until(lambda: worker() is not None, 30, "somebody draws")
    pid = int(str(worker()).split("-")[-2])
    names = ["render-0", "render-1"]
    [busy] = [name for name in names if pid in _below(stack, name)]
    with stack.stopped(busy):
        job = stack.wait_ended(job_id, 120)

    assert (job["status"], outcomes(job), job["retry_count"]) == ("completed", ["returned", "completed"], 0)


def test_the_database_away_for_a_moment_when_the_outcome_is_written(stack: Stack) -> None:
    job_id = _stored_while_the_database_is_away(stack)
    stack.mariadb.start()

    job = stack.wait_ended(job_id, 120)
    assert (job["status"], outcomes(job), renders(stack, job_id)) == ("completed", ["completed"], 1)
    assert _files(stack, job_id) == 1


def test_the_database_away_for_longer_than_a_lease_when_the_outcome_is_written(stack: Stack) -> None:
    """The start is given back once the database answers, and the bytes were kept: it costs no try, nothing is drawn again."""
    logs = [Path(stack.folder / "run" / f"render-{n}.log") for n in range(2)]
    given_up = sum(log.read_text().count("job.outcome_waits") for log in logs)
    job_id = _stored_while_the_database_is_away(stack)
    wait_until(
        lambda: sum(log.read_text().count("job.outcome_waits") for log in logs) > given_up,
        60,
        "the worker gives up to write",
    )
    stack.mariadb.start()

    job = stack.wait_ended(job_id, 120)
    assert (job["status"], outcomes(job), renders(stack, job_id)) == ("completed", ["returned", "completed"], 1)
    assert _files(stack, job_id) == 1


def _stored_while_the_database_is_away(stack: Stack) -> str:
    """A job whose file is stored at a moment at which its end cannot be written."""
    stack.drive.fail("insert", "delay", times=1, seconds=300)
    job_id = submit(stack, "short")
    wait_until(lambda: any(rule["met"] for rule in stack.drive.state()["faults"]), 60, "an upload waits in Drive")
    stack.mariadb.kill()
    stack.drive.clear()
    wait_until(lambda: _files(stack, job_id) == 1, 30, "the file is stored")
    return job_id


def _files(stack: Stack, job_id: str) -> int:
    return sum(job_id in str(file) for file in stack.drive.files())


def _below(stack: Stack, program: str) -> set[int]:
    from ops.servers import leash

    began = time.monotonic()
    while not (pid := stack.pid(program)):
        assert time.monotonic() - began < 60, f"{program} does not run"
    return {pid, *leash.descendants(pid)}
