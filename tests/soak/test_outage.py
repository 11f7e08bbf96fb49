"""Half an hour without Google Drive and 300 jobs: nobody dies of it, nothing is drawn twice (DESIGN §2.14).

The half hour passes in the rows: what waits is moved back in time, step by step, while Drive stays away.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ops.servers.process import wait_until
from ops.stack import Stack

JOBS = 300
STEPS, STEP = 12, 150  # twelve times 150 s
SETTINGS = {
    "REPORTQ_SWITCH_POLL": "0.5",
    "REPORTQ_RETRY_BACKOFF": "5",
    "REPORTQ_GDRIVE_TIMEOUT": "3",
    "REPORTQ_MAX_QUEUE_SIZE": "100",
}
# Whatever waits; rows that are worked on keep their leases, since their workers are alive.
WAITING = {
    "pdf_job_results": (("run_at", "requested_at"), "status='queued'"),
    "deliveries": (("run_at", "owed_at"), "status='queued'"),
    "pauses": (("until", "since"), "1=1"),
    "dependencies": (("first_failed_at", "last_failed_at"), "1=1"),
}
pytestmark = pytest.mark.timeout(600)


def pass_time(stack: Stack, seconds: int) -> None:
    for table, (columns, which) in WAITING.items():
        moved = ", ".join(f"{column}=TIMESTAMPADD(SECOND, -{seconds}, {column})" for column in columns)
        stack.sql_write(f"UPDATE {table} SET {moved} WHERE {which}")


def probed_since(stack: Stack, seen: str) -> bool:
    """The prober has asked in vain once more: it set the moment of its next question."""
    rows = stack.sql("SELECT until FROM pauses WHERE scope='dependency:drive'")
    return not rows or str(rows[0]["until"]) > seen


def test_half_an_hour_without_drive_burns_no_retries(tmp_path: Path) -> None:
    journal = tmp_path / "renders"
    settings = {**SETTINGS, "TRIAL_RENDERS": str(journal)}
    with Stack(tmp_path / "stack", settings=settings, modules={"actors.worker": "ops.stack_worker"}) as stack:
        first = [stack.submit(productId="noop", data={"n": n}) for n in range(20)]
        for job_id in first:
            stack.wait_ended(job_id, 120)
        stack.drive.kill()
        during = [stack.submit(productId="noop", data={"n": n}) for n in range(JOBS)]
        wait_until(
            lambda: bool(stack.sql("SELECT scope FROM pauses WHERE scope='dependency:drive'")), 60, "Drive is paused"
        )
        for _ in range(STEPS):
            pass_time(stack, STEP)
            seen = str(stack.sql("SELECT UTC_TIMESTAMP(6) AS now")[0]["now"])
            wait_until(lambda seen=seen: probed_since(stack, seen), 60, "Drive is asked in vain")  # type: ignore[misc]
        assert stack.sql("SELECT scope FROM pauses WHERE scope='dependency:drive'")
        stack.drive.start()
        for job_id in [*first, *during]:
            stack.wait_ended(job_id, 300)

        ended = stack.sql(
            "SELECT status, SUM(retry_count) AS retries, COUNT(*) AS n FROM pdf_job_results GROUP BY status"
        )
        assert [(row["status"], int(row["n"]), int(row["retries"])) for row in ended] == [("completed", JOBS + 20, 0)]
        assert stack.sql("SELECT * FROM dead_letters") == []
        outcomes = {row["outcome"] for row in stack.sql("SELECT DISTINCT outcome FROM attempts")}
        assert outcomes == {"completed", "returned"}
        drawn = Counter(journal.read_text().split())
        assert set(drawn) == {*first, *during}
        assert set(drawn.values()) == {1}
        assert len(stack.drive.files()) == JOBS + 20
