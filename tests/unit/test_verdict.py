"""The verdict: which signs make which fact, and that a sound system gets none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schema.rows.pace import PaceState
from schema.rows.signs import Signs
from schema.rows.verdict import KINDS, Said, judge, plain
from schema.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UP = {"database": Said(True), "documents": Said(True), "artifacts": Said(True), "broker": Said(True)}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def worker(kind: str, **more: Any) -> Any:
    row = {"worker_id": f"w/{kind}", "kind": kind, "host": "h", "threads": 2, "dead": 0, "busy": 0}
    return row | {"seen_at": ago(1), "clock": ago(1), "claimed_at": ago(60), **more}


SOUND = Signs(
    at=NOW, skew=0.1, behind=0.0, looked_at=ago(1), trouble="", trouble_since=None, led_until=ago(-9), pauses={},
    workers=[worker("pdf"), worker("webhooks")], waiting={"pdf": 0, "webhooks": 0},
    due_since={"pdf": None, "webhooks": None}, ends=[], posts=[], letters=0,
    stored=[], paced=None,
)  # fmt: skip


def told(signs: Signs = SOUND, said: Any = UP, away: str | None = None) -> dict[str, tuple[str, Any]]:
    facts = judge(Settings(), signs, 1.0, said, away).facts
    return {fact.key: (fact.severity, fact.since) for fact in facts}


def test_a_sound_system_has_no_facts() -> None:
    verdict = judge(Settings(), SOUND, 0.5, UP)
    assert (verdict.state, verdict.facts, verdict.age) == ("good", [], 0.5)
    busy = replace(SOUND, due_since={"pdf": ago(300), "webhooks": ago(300)}, workers=[
        worker("pdf", busy=2), worker("webhooks", busy=1),
    ])  # fmt: skip
    assert told(busy) == {}, "work that waits behind busy workers is no fault"
    started = replace(SOUND, due_since={"pdf": ago(300), "webhooks": None}, workers=[
        worker("pdf", claimed_at=ago(3)), worker("webhooks"),
    ])  # fmt: skip
    assert told(started) == {}, "a worker between two jobs is not idle"


def pause(scope: str, by: str = "outage", code: str | None = None) -> dict[str, Any]:
    return {scope: {"scope": scope, "set_by": by, "reason": "It is so.", "since": ago(50), "until": None, "code": code}}


def end(status: str, code: str | None = None) -> Any:
    return {"status": status, "error_code": code, "ended_at": ago(30)}


def post(outcome: str, status: int | None = None, host: str = "n8n:443") -> Any:
    return {"host": host, "outcome": outcome, "status": status, "failure": None, "started_at": ago(40)}


LIMITED = {"turn": 4, "count": 120, "bytes": 120 * 80_000}


def test_a_limit_of_the_store_says_how_long_it_takes() -> None:
    limited = replace(SOUND, stored=[LIMITED], paced=PaceState(2.9, 100, 3))  # type: ignore[list-item]
    (fact,) = judge(Settings(), limited, 0.0, UP).facts
    assert fact.means == "Google Drive's limit: 2.9 writes/s; 120 PDFs wait, about 41 s."


@pytest.mark.parametrize(
    ("change", "key", "severity", "since"),
    [
        ({"looked_at": ago(60)}, "relay_silent", "bad", 60),
        ({"looked_at": None}, "relay_silent", "bad", None),
        ({"led_until": ago(40)}, "housekeeping_silent", "bad", 40),
        (
            {"trouble": "RabbitMQ blocks publishing: low on memory.", "trouble_since": ago(33)},
            "broker_blocked",
            "bad",
            33,
        ),
        ({"trouble": "RabbitMQ does not answer.", "trouble_since": ago(33)}, "broker_down", "bad", 33),
        ({"workers": [worker("webhooks")]}, "no_workers", "bad", None),
        ({"workers": [worker("pdf", seen_at=ago(90)), worker("webhooks")]}, "no_workers", "bad", 90),
        ({"workers": [worker("pdf", threads=0), worker("webhooks")]}, "no_workers", "bad", 1),
        ({"workers": [worker("pdf", threads=1, dead=1), worker("webhooks")]}, "dead_threads", "warn", None),
        ({"due_since": {"pdf": ago(25), "webhooks": None}}, "work_not_started", "bad", 25),
        ({"due_since": {"pdf": None, "webhooks": ago(99)}}, "work_not_started", "bad", 60),
        ({"pauses": pause("dependency:drive")}, "dependency_down", "bad", 50),
        ({"pauses": pause("dependency:drive", code="drive_quota_exceeded")}, "storage_full", "bad", 50),
        ({"pauses": pause("dependency:folder", code="folder_full")}, "storage_full", "bad", 50),
        ({"pauses": pause("queue:pdf", by="ann")}, "paused", "warn", 50),
        ({"pauses": pause("host:n8n:443")}, "receiver_down", "warn", 50),
        ({"ends": [end("failed", "x")] * 3 + [end("completed")] * 9}, "jobs_failing", "warn", 30),
        ({"ends": [end("failed", "x")] * 3 + [end("cancelled")] * 9}, "jobs_failing", "bad", 30),
        ({"posts": [post("failed", 500)] * 3 + [post("delivered", 200)]}, "receiver_failing", "warn", 40),
        ({"skew": -9.0}, "clock_skew", "warn", None),
        ({"workers": [worker("pdf", clock=ago(99)), worker("webhooks")]}, "clock_skew", "warn", None),
        ({"behind": 40.0}, "clock_set_back", "bad", None),
        ({"waiting": {"pdf": 100_000, "webhooks": 0}}, "backlog_full", "bad", None),
        ({"canaries": {"a": ago(301), "b": ago(299)}}, "canary_missing", "bad", 301),
        ({"letters": 2}, "dead_letters", "info", None),
        ({"stored": [LIMITED], "paced": PaceState(2.9, 100, 3)}, "store_limited", "info", None),
        # Jobs that wait for the store are not started, and that is right.
        (
            {"stored": [{**LIMITED, "count": 1700}], "due_since": {"pdf": ago(99), "webhooks": None}},
            "store_limited",
            "info",
            None,
        ),
    ],
)
def test_each_sign_is_told(change: dict[str, Any], key: str, severity: str, since: float | None) -> None:
    found = told(replace(SOUND, **change))
    assert list(found) == [key]
    moment = None if since is None else ago(since).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert found[key][0] == severity
    assert since is None or found[key][1] == moment


@pytest.mark.parametrize(
    "change",
    [
        {"ends": [end("failed", "x")] * 2},  # too few to say anything
        {"ends": [end("failed", "x")] * 3 + [end("completed")] * 200},
        {"posts": [post("delivered", 200)] + [post("failed", 500)] * 9},  # it takes them again
        {"posts": [post("failed", 409)] * 9},  # n8n says that it is not there yet
        {"posts": [post("failed", 500, host=f"h{n}") for n in range(9)]},
        {"posts": [post("failed", 500)] * 9, "pauses": pause("host:n8n:443", by="ann")},
        {"workers": [*SOUND.workers, worker("pdf", worker_id="dead", seen_at=ago(300))]},
    ],
)
def test_what_is_no_fault_of_its_own_adds_none(change: dict[str, Any]) -> None:
    assert set(told(replace(SOUND, **change))) <= {"paused"}


def test_unknown_is_not_up_and_an_answer_of_before_is_told_as_such() -> None:
    verdict = judge(Settings(), SOUND, 1.0, {**UP, "artifacts": None})
    assert (verdict.state, verdict.facts[0].key, verdict.facts[0].subject) == (
        "warn",
        "dependency_unknown",
        "artifacts",
    )
    down = {**UP, "broker": Said(False, "refused", 30.0), "artifacts": Said(False, "full", 3.0, "drive_quota_exceeded")}
    assert list(told(said=down)) == ["storage_full", "broker_down"]
    away = judge(Settings(), replace(SOUND, looked_at=ago(60)), 44.0, UP, "It hangs.")
    assert ([fact.key for fact in away.facts], away.age) == (["database_down", "relay_silent"], 44.0)
    assert [fact.key for fact in judge(Settings(), None, None, UP, "It hangs.").facts] == ["database_down"]


def test_a_relay_that_cannot_reach_a_broker_that_is_down_is_one_fact() -> None:
    signs = replace(SOUND, trouble="It does not answer.", trouble_since=ago(9))
    assert list(told(signs, {**UP, "broker": Said(False, "refused")})) == ["broker_down"]


def test_strangers_are_told_states_alone() -> None:
    shown = plain(judge(Settings(), replace(SOUND, pauses=pause("host:secret:1")), 1.0, UP))
    assert (shown.state, [(fact.key, fact.severity) for fact in shown.facts]) == ("warn", [("receiver_down", "warn")])
    assert "secret" not in repr(shown)


def test_every_runbook_is_there() -> None:
    runbooks = Path(__file__).parents[2] / "ops" / "runbooks"
    assert {book for _, _, book in KINDS.values()} <= {page.stem for page in runbooks.glob("*.md")}
