"""The judge of chaos runs finds each kind of harm in evidence that shows it, and nothing in evidence that does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.chaos import numbers
from ops.chaos.__main__ import report
from ops.chaos.desk import malformed
from ops.chaos.judge import Evidence, Verdict, add, judge
from schema.rows.messages import QUEUES

JOB = "pdf_1"
ENDED = datetime(2026, 1, 1, 12, 0, 10)
AFTER = ENDED.replace(tzinfo=UTC).timestamp()


def evidence() -> Evidence:
    """One job, completed in its first round, told once."""
    job = {
        "job_id": JOB, "status": "completed", "round": 1, "published_at": None, "artifact_id": "f1",
        "google_drive_link": "http://drive/file/d/f1/view",
    }  # fmt: skip
    delivery: dict[str, Any] = {
        "delivery_id": "d1", "job_id": JOB, "round": 1, "status": "delivered", "event": "completed", "url": "http://r/",
        "tries": 1, "error_code": None,
    }  # fmt: skip
    return Evidence(
        jobs={JOB: job},
        attempts={JOB: [{"round": 1, "outcome": "completed"}]},
        deliveries={JOB: [delivery]},
        posts={"d1": [{"outcome": "delivered", "ended_at": ENDED}]},
        letters={},
        results={JOB: {"status": "completed", "round": 1}},
        files={JOB: [{"id": "f1", "fileSize": "9"}]},
        received={"msg_pdf_1_1": [{"time": AFTER - 1, "body": {"status": "completed"}}]},
    )


def test_a_good_run_is_good() -> None:
    verdict = judge(evidence(), [JOB])
    assert verdict.good
    assert verdict.line(7, 3) == (
        "accepted=1 completed=1 failed=0 cancelled=0 lost=0 duplicate_files=0 double_ends=0 untold=0 "
        "posts_after_recorded_2xx=0 repeated_after_unknown=0 faults=7 seed=3"
    )


def no_row(seen: Evidence) -> None:
    seen.jobs.clear()
    seen.files.clear()
    seen.deliveries.clear()


def not_ended(seen: Evidence) -> None:
    seen.jobs[JOB]["status"] = "queued"


def no_file(seen: Evidence) -> None:
    seen.files[JOB].clear()


def an_empty_file(seen: Evidence) -> None:
    seen.files[JOB][0]["fileSize"] = "0"


def no_record(seen: Evidence) -> None:
    seen.results.clear()


def another_rounds_record(seen: Evidence) -> None:
    seen.results[JOB]["round"] = 2


def two_files(seen: Evidence) -> None:
    seen.files[JOB].append({"id": "f2", "fileSize": "9"})


def a_stray_file(seen: Evidence) -> None:
    seen.files["pdf_other"] = [{"id": "f3", "fileSize": "9"}]


def completed_twice(seen: Evidence) -> None:
    seen.attempts[JOB].append({"round": 1, "outcome": "completed"})


def told_two_ends(seen: Evidence) -> None:
    seen.received["msg_pdf_1_1"].append({"time": AFTER - 2, "body": {"status": "failed"}})
    seen.posts["d1"].append({"outcome": "unknown", "ended_at": ENDED})


def failed_after_a_completion(seen: Evidence) -> None:
    seen.letters[JOB] = [{"round": 1, "kind": "job"}]
    seen.jobs[JOB]["status"] = seen.deliveries[JOB][0]["event"] = seen.results[JOB]["status"] = "failed"
    seen.received["msg_pdf_1_1"][0]["body"]["status"] = "failed"


def still_owed(seen: Evidence) -> None:
    seen.deliveries[JOB][0]["status"] = "queued"


def nobody_received_it(seen: Evidence) -> None:
    seen.received.clear()


def only_a_start_up_page_answered(seen: Evidence) -> None:
    seen.received["msg_pdf_1_1"][0]["told"] = False


def a_message_nobody_takes(seen: Evidence) -> None:
    seen.unread["pdf"] = 1


def stopped_without_reason(seen: Evidence) -> None:
    seen.deliveries[JOB][0]["status"] = "dead"


def posted_again(seen: Evidence) -> None:
    seen.received["msg_pdf_1_1"].append({"time": AFTER + 0.01, "body": {"status": "completed"}})
    seen.posts["d1"].append({"outcome": "unknown", "ended_at": ENDED})


def posted_unwritten(seen: Evidence) -> None:
    seen.received["msg_pdf_1_1"].append({"time": AFTER - 2, "body": {"status": "completed"}})


def superseded_by_nobody(seen: Evidence) -> None:
    seen.deliveries[JOB][0]["status"] = "superseded"


def failed_without_letter(seen: Evidence) -> None:
    seen.jobs[JOB]["status"] = seen.results[JOB]["status"] = seen.deliveries[JOB][0]["event"] = "failed"
    seen.attempts[JOB][0]["outcome"] = "failed"
    seen.received["msg_pdf_1_1"][0]["body"]["status"] = "failed"


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (no_row, "lost"), (not_ended, "lost"), (no_file, "lost"), (an_empty_file, "lost"), (no_record, "lost"),
        (another_rounds_record, "lost"), (two_files, "duplicate_files"), (a_stray_file, "duplicate_files"),
        (completed_twice, "double_ends"), (told_two_ends, "double_ends"), (failed_after_a_completion, "double_ends"),
        (still_owed, "untold"), (nobody_received_it, "untold"), (stopped_without_reason, "untold"),
        (superseded_by_nobody, "untold"), (failed_without_letter, "lost"),
        (only_a_start_up_page_answered, "untold"), (a_message_nobody_takes, "lost"),
        (posted_again, "posts_after_recorded_2xx"), (posted_unwritten, "posts_after_recorded_2xx"),
    ],
)  # fmt: skip
def test_each_harm_is_found(harm: Callable[[Evidence], None], found: str) -> None:
    seen = evidence()
    harm(seen)
    verdict = judge(seen, [JOB])
    assert not verdict.good
    assert [name for name in Verdict.ZEROS if getattr(verdict, name)] == [found]


def test_what_was_sent_again_after_an_unknown_outcome_is_counted_and_no_harm() -> None:
    seen = evidence()
    seen.posts["d1"].insert(0, {"outcome": "unknown", "ended_at": ENDED})
    seen.received["msg_pdf_1_1"].insert(0, {"time": AFTER - 3, "body": {"status": "completed"}})
    verdict = judge(seen, [JOB])
    assert verdict.good
    assert verdict.repeated_after_unknown == 1


def embedded_rows(**job: Any) -> dict[str, list[dict[str, Any]]]:
    """One completed job of the embedded default: its link is a download, its file lies in the folder."""
    row = {"job_id": "pdf_e", "status": "completed", "round": 1, "published_at": None, "artifact_id": "e1",
           "google_drive_link": "http://127.0.0.1/api/jobs/pdf_e/download", **job}  # fmt: skip
    delivery = {"delivery_id": "e", "job_id": "pdf_e", "round": 1, "status": "recorded", "event": "completed",
                "url": None, "tries": 0, "error_code": None}  # fmt: skip
    return {
        "jobs": [row], "deliveries": [delivery], "posts": [], "letters": [],
        "attempts": [{"job_id": "pdf_e", "round": 1, "outcome": "completed"}],
        "results": [{"_id": "pdf_e", "status": "completed", "round": 1}],
        "files": [{"id": "e1", "fileSize": 84_000, "job_id": "pdf_e", "link": "pdf_e"}],
    }  # fmt: skip


def test_the_embedded_defaults_jobs_are_judged_like_the_others() -> None:
    seen = evidence()
    add(seen, embedded_rows())
    assert judge(seen, [JOB, "pdf_e"]).good
    without = {**embedded_rows(), "files": []}
    seen = evidence()
    add(seen, without)
    assert judge(seen, [JOB, "pdf_e"]).lost == ["pdf_e: completed without its file (0 others)"]
    seen = evidence()
    add(seen, embedded_rows(status="queued"))
    assert judge(seen, [JOB, "pdf_e"]).lost


def test_malformed_messages_are_wrong_each_in_its_own_way() -> None:
    for queue in QUEUES:
        bodies = malformed(queue)
        assert len(set(bodies)) == len(bodies) > 30


SCRAPE = """
# TYPE reportq_jobs gauge
reportq_jobs{status="queued",priority="high"} 0
# TYPE reportq_deliveries gauge
reportq_deliveries{status="queued"} 0
# TYPE reportq_dead_letters_open gauge
reportq_dead_letters_open{queue="pdf",code="invalid_data"} 2
reportq_dead_letters_open{queue="pdf",code="timeout"} 0
# TYPE reportq_workers gauge
reportq_workers{queue="pdf"} 3
reportq_workers{queue="webhooks"} 1
# TYPE reportq_attempts_total counter
reportq_attempts_total{outcome="completed"} 90
reportq_attempts_total{outcome="failed"} 8
# TYPE reportq_jobs_ended_total counter
reportq_jobs_ended_total{status="completed"} 90
reportq_jobs_ended_total{status="cancelled"} 3
# TYPE reportq_jobs_cancelled_waiting_total counter
reportq_jobs_cancelled_waiting_total 4
"""
ROWS: dict[str, dict[tuple[str, ...], float]] = {
    "reportq_jobs": {},
    "reportq_deliveries": {},
    "reportq_dead_letters_open": {("pdf", "invalid_data"): 2},
    "reportq_workers": {("pdf",): 3, ("webhooks",): 1},
}
COUNTS = {"attempts": 98, "failures": 0, "completed": 90, "failed": 0, "cancelled": 7, "buried": 0}


def test_gauges_that_tell_what_the_rows_do_are_right() -> None:
    assert numbers.gauges_apart(numbers.samples_of(SCRAPE), ROWS) == []


@pytest.mark.parametrize(
    ("gauge", "rows"),
    [
        ("reportq_jobs", {("queued", "high"): 1}),
        ("reportq_jobs", {("processing", "low"): 1}),
        ("reportq_deliveries", {("processing",): 1}),
        ("reportq_dead_letters_open", {("pdf", "invalid_data"): 1}),
        ("reportq_dead_letters_open", {("pdf", "invalid_data"): 2, ("webhooks", "webhook_gone"): 1}),
        ("reportq_workers", {("pdf",): 2, ("webhooks",): 1}),
    ],
)
def test_a_gauge_that_lies_is_found(gauge: str, rows: dict[tuple[str, ...], float]) -> None:
    wrong = numbers.gauges_apart(numbers.samples_of(SCRAPE), {**ROWS, gauge: rows})
    assert len(wrong) == 1
    assert gauge in wrong[0]


def test_a_gauge_that_is_not_told_at_all_is_found() -> None:
    without = "\n".join(line for line in SCRAPE.splitlines() if "reportq_jobs{" not in line)
    assert numbers.gauges_apart(numbers.samples_of(without), ROWS) == ["reportq_jobs is not told"]


def test_a_counter_may_miss_one_event_for_each_kill_and_no_more() -> None:
    samples = numbers.samples_of(SCRAPE)
    assert numbers.counters_apart(samples, COUNTS, 0) == []
    assert numbers.counters_apart(samples, {**COUNTS, "attempts": 100}, 2) == []
    for rows in ({**COUNTS, "attempts": 100}, {**COUNTS, "cancelled": 5}, {**COUNTS, "buried": 2}):
        assert len(numbers.counters_apart(samples, rows, 1)) == 1


def test_only_faults_that_can_come_between_a_commit_and_its_count_excuse_a_counter() -> None:
    happened = Counter(
        {"kill:render": 3, "kill:mariadb": 1, "cut:database-front": 2, "drive:hang": 9, "kill:rabbitmq": 5}
    )
    assert numbers.allowed(happened) == 6
    assert numbers.allowed(happened + Counter({"full:run": 1})) == 6 + numbers.HELD


def test_metrics_that_lie_fail_a_run_above_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judge(evidence(), [JOB])
    assert report(verdict, Counter(), 3) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "gauges_wrong=0"
    verdict.gauges_wrong = ["reportq_jobs{queued,high} tells 1, rows 0"]
    assert report(verdict, Counter(), 3) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == "gauges_wrong=1"
    assert "gauges_wrong: reportq_jobs{queued,high} tells 1, rows 0" in lines
    assert lines[-1] == verdict.line(0, 3)


BATCH = "bat_1"


def together() -> Evidence:
    """The same job, as the only one of a batch that was told in its only round."""
    seen = evidence()
    seen.jobs[JOB]["batch_id"] = BATCH
    seen.batches[BATCH] = {
        "batch_id": BATCH, "round": 1, "total": 1, "open": 0, "completed": 1, "failed": 0, "cancelled": 0,
        "ended_at": ENDED, "callback": "http://r/",
    }  # fmt: skip
    seen.deliveries[BATCH] = [{**seen.deliveries[JOB][0], "delivery_id": "d2", "job_id": BATCH, "event": "batch"}]
    seen.posts["d2"] = [{"outcome": "delivered", "ended_at": ENDED}]
    counts = {"total": 1, "completed": 1, "failed": 0, "cancelled": 0}
    seen.received["msg_bat_1_1"] = [{"time": AFTER - 1, "body": {"status": "completed", "counts": counts}}]
    return seen


def batch_without_a_row(seen: Evidence) -> None:
    seen.batches.clear()


def batch_still_open(seen: Evidence) -> None:
    seen.batches[BATCH] |= {"open": 1}


def batch_without_an_end(seen: Evidence) -> None:
    seen.batches[BATCH] |= {"ended_at": None}


def an_end_counted_twice(seen: Evidence) -> None:
    seen.batches[BATCH] |= {"completed": 2}


def a_member_never_written(seen: Evidence) -> None:
    seen.batches[BATCH] |= {"total": 2}


def batch_ended_twice(seen: Evidence) -> None:
    seen.deliveries[BATCH] *= 2


def batch_told_of_a_round_that_never_was(seen: Evidence) -> None:
    seen.deliveries[BATCH].append({**seen.deliveries[BATCH][0], "round": 2})


def batch_never_owed(seen: Evidence) -> None:
    seen.deliveries[BATCH].clear()


def batch_still_owed(seen: Evidence) -> None:
    seen.deliveries[BATCH][0] |= {"status": "queued"}


def batch_told_other_counts(seen: Evidence) -> None:
    seen.received["msg_bat_1_1"][0]["body"]["counts"] |= {"completed": 0, "failed": 1}


def batch_told_too_early(seen: Evidence) -> None:
    seen.received["msg_bat_1_1"][0]["body"]["counts"] |= {"completed": 0}


def batch_told_after_a_2xx(seen: Evidence) -> None:
    seen.received["msg_bat_1_1"].append({**seen.received["msg_bat_1_1"][0], "time": AFTER + 0.01})


@pytest.mark.parametrize(
    ("harm", "zero"),
    [
        (batch_without_a_row, "lost"), (batch_still_open, "lost"), (batch_without_an_end, "lost"),
        (an_end_counted_twice, "lost"), (a_member_never_written, "lost"), (batch_ended_twice, "double_ends"),
        (batch_told_of_a_round_that_never_was, "double_ends"), (batch_never_owed, "untold"),
        (batch_still_owed, "untold"), (batch_told_other_counts, "double_ends"), (batch_told_too_early, "double_ends"),
        (batch_told_after_a_2xx, "posts_after_recorded_2xx"),
    ],
)  # fmt: skip
def test_each_harm_to_a_batch_is_found(harm: Callable[[Evidence], None], zero: str) -> None:
    seen = together()
    assert judge(seen, [JOB], batches=[BATCH]).good
    harm(seen)
    assert getattr(judge(seen, [JOB], batches=[BATCH]), zero)
