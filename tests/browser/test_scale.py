"""50,000 jobs and 5,000 dead letters in the tables: what every call of the console costs the server, printed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest

from ops.stack import Stack

pytestmark = pytest.mark.timeout(600)

JOBS, LETTERS, CALLS = 50_000, 5_000, 9
_JOB = "CONCAT('pdf_01K', LPAD(seq, 23, '0'))"
_AT = "TIMESTAMPADD(SECOND, -FLOOR(seq / 10), UTC_TIMESTAMP(6))"


@pytest.fixture
def crowd(stack: Stack) -> Iterator[str]:
    """Rows as the system leaves them; the queue is paused, so that nobody works on the 2,000 that wait."""
    stack.call("POST", "/api/queues/pdf/pause", json={}).raise_for_status()
    stack.sql_write(
        "INSERT INTO pdf_job_results (job_id, code, product_id, status, created_at, requested_at, run_at, ended_at, priority, "
        f"turn, error_code, error_message, progress) SELECT {_JOB}, CONCAT('C', seq), CONCAT('p', seq MOD 7), "
        "CASE WHEN seq <= 2000 THEN 'queued' WHEN seq MOD 10 = 0 THEN 'failed' ELSE 'completed' END, "
        f"{_AT}, {_AT}, {_AT}, IF(seq <= 2000, NULL, {_AT}), ELT(1 + seq MOD 3, 9, 5, 0), ELT(1 + seq MOD 3, 0, 4, 9), "
        f"IF(seq > 2000 AND seq MOD 10 = 0, 'render_failed', NULL), NULL, 100 FROM seq_1_to_{JOBS}"
    )
    stack.sql_write(
        "INSERT INTO dead_letters (dead_letter_id, queue, kind, job_id, code, product_id, error_code, error_message, "
        "fingerprint, attempts, first_failed_at, last_failed_at, version, run_at, published_at) SELECT "
        f"CONCAT('dl_', LPAD(seq, 26, '0')), 'pdf', 'job', CONCAT('pdf_01K', LPAD(seq * 10, 23, '0')), CONCAT('C', seq * 10), "
        "'p1', 'render_failed', 'It broke.', "
        f"CONCAT('f', seq MOD 40), 4, {_AT}, {_AT}, '0.1.0', {_AT}, {_AT} FROM seq_201_to_{LETTERS}"
    )
    yield "pdf_01K" + str(30_000).rjust(23, "0")
    stack.sql_write("DELETE FROM dead_letters WHERE dead_letter_id LIKE 'dl\\_00000%%'")
    stack.sql_write("DELETE FROM pdf_job_results WHERE job_id LIKE 'pdf\\_01K00000%%'")
    stack.call("POST", "/api/queues/pdf/resume", json={}).raise_for_status()


def test_what_each_page_costs_the_server(stack: Stack, crowd: str, capsys: pytest.CaptureFixture[str]) -> None:
    calls = {
        "overview": "/api/overview",
        "jobs": "/api/jobs?limit=50",
        "jobs, failed": "/api/jobs?status=failed&limit=50",
        "jobs, one code": "/api/jobs?code=C30000&limit=50",
        "jobs, one product": "/api/jobs?product_id=p3&limit=50",
        "job": f"/api/jobs/{crowd}",
        "job's callbacks": f"/api/jobs/{crowd}/deliveries",
        "job's dead letters": f"/api/dead-letters?view=letters&job_id={crowd}",
        "dead letters, groups": "/api/dead-letters",
        "dead letters, one group": "/api/dead-letters?view=letters&fingerprint=f7",
        "queues": "/api/queues",
        "page": "/",
        "module": "/console/main.js",
    }
    lines = []
    for name, path in calls.items():
        taken = []
        for _ in range(CALLS):
            answer = stack.call("GET", path)
            assert answer.status_code == 200, answer.text
            taken.append(answer.elapsed.total_seconds() * 1000)
        lines.append(f"  {name:26} median {statistics.median(taken):6.1f} ms   most {max(taken):6.1f} ms")
    with capsys.disabled():
        print(
            f"\n{JOBS} jobs, {LETTERS - 200} dead letters, {CALLS} calls each, one after the other:", *lines, sep="\n"
        )
