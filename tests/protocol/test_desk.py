"""DESIGN §7: dead letters are grouped, replayed, discarded; callbacks are sent again. On both databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actors.desk import bulk_replays
from actors.desk.bulk_replays import Manner, discard_matching, replay_matching
from schema.callbacks.answers import SCHEDULE
from schema.errors import Permanent, Refused, Transient
from schema.life import replays
from schema.metrics import gauges
from schema.ports import Message
from schema.rows import audit, letter_search, letters, outbox, posts
from schema.rows.letter_search import LetterFilter
from tests.protocol.kit import World, answer
from tests.protocol.recorder import EXPLAIN

HOOK = "https://hooks.example/webhook/pdf-complete"
WAITING = "https://hooks.example/webhook-waiting/17?signature=abc"
HERE = Manner(by="tester", patience=0)
ALL = LetterFilter()


def failing(error: Exception) -> Callable[..., bytes]:
    def work(*_: Any) -> bytes:
        raise error

    return work


def bury(world: World, count: int = 1, *, sentence: str = "Field 'a' is missing.", **job: Any) -> list[str]:
    """Jobs that died, their callbacks delivered."""
    before, world.pen.work = world.pen.work, failing(Permanent(sentence, code="invalid_data"))
    ids = [world.submit(**job) for _ in range(count)]
    world.run()
    world.pen.work = before
    return ids


def letter_of(world: World, job_id: str) -> str:
    return str(world.letters(job_id)[0]["dead_letter_id"])


# -- listing ----------------------------------------------------------------------------------------------------


def test_letters_are_grouped_by_what_they_died_of(world: World) -> None:
    for n in range(3):
        bury(world, sentence=f"Field 'answers/{n}' of report 12{n} is missing.")
    bury(world, sentence="The chart has no values.")

    groups = letter_search.groups(world.db, ALL)

    assert [group["letters"] for group in groups] == [3, 1]
    assert groups[0]["example"]["error_message"].startswith("Field 'answers/2'")
    assert groups[0]["first_at"] < groups[0]["last_at"]
    assert groups[0]["appeared"]["version"] == groups[0]["example"]["version"]


def test_a_group_knows_its_first_appearance_after_it_was_resolved(world: World) -> None:
    first = bury(world)[0]
    died = letters.find(world.db, letter_of(world, first))
    replays.discard_letter(world.db, letter_of(world, first), by="tester")
    bury(world)
    assert died is not None
    assert letter_search.groups(world.db, ALL)[0]["appeared"]["at"] == died["last_failed_at"]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (LetterFilter(code="K1"), 2),
        (LetterFilter(code="K2"), 1),
        (LetterFilter(product_id="other"), 0),
        (LetterFilter(error="invalid_data"), 3),
        (LetterFilter(queue="webhooks"), 0),
        (LetterFilter(status="discarded"), 0),
    ],
)
def test_filters_narrow(world: World, wanted: LetterFilter, matches: int) -> None:
    bury(world, 2, code="K1")
    bury(world, code="K2")
    assert letter_search.count(world.db, wanted) == matches
    assert len(letter_search.page(world.db, wanted)) == matches


def test_filters_by_job_and_by_time(world: World) -> None:
    _first, second = bury(world, 2)
    assert letter_search.count(world.db, LetterFilter(job_ids=[second])) == 1
    now = world.db.clock()
    assert letter_search.count(world.db, LetterFilter(since=now - timedelta(minutes=1))) == 2
    assert letter_search.count(world.db, LetterFilter(since=now + timedelta(minutes=1))) == 0
    assert letter_search.moment_of("2h", now) == now - timedelta(hours=2)
    with pytest.raises(Refused, match="no moment"):
        letter_search.moment_of("yesterday", now)


def test_the_grouped_listing_reads_an_index_alone(world: World) -> None:
    bury(world, 5)
    asked: list[str] = []
    fetch = world.db.fetch_all
    world.db.fetch_all = lambda sql, params=(), **of: asked.append(sql) or fetch(sql, params, **of)  # type: ignore[method-assign,func-returns-value]
    letter_search.groups(world.db, ALL)
    world.db.fetch_all = fetch  # type: ignore[method-assign]
    plan = world.db.fetch_all(f"{EXPLAIN[world.db.dialect]}{asked[0]}", ("open", 100))
    shown = str(plan)
    assert "Using index" in shown or "COVERING INDEX idx_dead_groups" in shown, shown


def test_replays_are_counted_on_an_index_alone(world: World) -> None:
    """The audit is kept for good, and every reading of the metrics counts in it."""
    values = ",".join(
        ["(UTC_TIMESTAMP(6),'t',%s,'s')" if world.db.dialect == "mysql" else "('2026-05-01','t',%s,'s')"] * 500
    )
    acts = ["replay" if n % 5 == 0 else "discard" for n in range(500)]
    world.db.execute(f"INSERT INTO audit (at, who, act, subject) VALUES {values}", acts)
    plan = str(world.db.fetch_all(EXPLAIN[world.db.dialect] + gauges.REPLAYS_QUERY))
    assert "idx_audit_act" in plan
    assert "Using index" in plan or "COVERING INDEX" in plan, plan


# -- replay -----------------------------------------------------------------------------------------------------


def test_replay_of_all_that_match_and_nothing_else(world: World) -> None:
    chosen, others = bury(world, 3, code="K1"), bury(world, 2, code="K2")

    summary = replay_matching(world.db, LetterFilter(code="K1"), HERE)
    world.run()

    assert summary.outcomes == {"replayed": 3}
    assert [world.job(job)["status"] for job in chosen] == ["completed"] * 3
    assert [world.job(job)["status"] for job in others] == ["failed"] * 2
    assert summary.remaining == 0
    assert audit.of(world.db, chosen[0])[0]["who"] == "tester"
    assert audit.of(world.db, audit.subject_of("K1"))[0]["act"] == "bulk_replay"


def test_a_dry_run_changes_nothing(world: World) -> None:
    bury(world, 7)
    summary = replay_matching(world.db, ALL, replace(HERE, dry_run=True))
    assert (summary.outcomes, summary.remaining) == ({"replayed": 7}, 7)
    assert letter_search.count(world.db, ALL) == 7


def test_an_interrupted_replay_is_repeated_without_doing_anything_twice(world: World) -> None:
    ids = bury(world, 12)
    seen: list[int] = []
    manner = replace(HERE, trial=0, progress=lambda s, _: seen.append(s.done), stopping=lambda: len(seen) >= 5)

    first = replay_matching(world.db, ALL, manner)
    again = replay_matching(world.db, ALL, replace(HERE, trial=0))
    world.run()

    assert (first.interrupted, first.done, first.remaining) == (True, 5, 7)
    assert (again.done, again.remaining) == (7, 0)
    assert [world.job(job)["round"] for job in ids] == [2] * 12
    assert world.pen.renders == 24


def test_a_bulk_replay_stops_when_the_first_ones_fail_again_in_the_same_way(world: World) -> None:
    broken = bury(world, 20, sentence="Field 'a' is missing.")
    mended = bury(world, 20, sentence="The chart has no values.")
    bad = set(broken)

    def work(request: Any, progress: Any) -> bytes:
        if request.document_id in bad:
            raise Permanent("Field 'b' is missing.", code="invalid_data")
        return b"%PDF-1"

    world.pen.work = work
    summary = replay_matching(world.db, ALL, replace(HERE, patience=30, wake=world.run))
    world.run()

    assert [(s["reason"], s["tried"]) for s in summary.stopped] == [("failing_again", 5)]
    assert [world.job(job)["status"] for job in mended] == ["completed"] * 20
    assert sorted(world.job(job)["round"] for job in broken) == [1] * 15 + [2] * 5
    assert (summary.remaining, summary.died_again, summary.still_open) == (15, 5, 20)


def test_a_retry_that_fails_in_the_same_way_is_sign_enough(world: World) -> None:
    world.pen.work = failing(Transient("The service is away."))
    ids = [world.submit() for _ in range(8)]
    for _ in range(6):
        world.run()
        world.pass_time(400)
    assert letter_search.count(world.db, ALL) == 8

    summary = replay_matching(world.db, ALL, replace(HERE, patience=30, wake=world.run))

    assert summary.stopped[0]["reason"] == "failing_again"
    assert sum(world.job(job)["round"] == 2 for job in ids) == 5


def test_what_is_too_few_for_a_trial_is_waited_for_and_counted_when_it_died_again(world: World) -> None:
    broken = bury(world, 3)
    world.pen.work = failing(Permanent("Field 'a' is missing.", code="invalid_data"))

    summary = replay_matching(world.db, ALL, replace(HERE, settle=30, wake=world.run))

    assert (summary.outcomes, summary.stopped) == ({"replayed": 3}, [])
    assert (summary.died_again, summary.unfinished, summary.still_open) == (3, 0, 3)
    assert [world.job(job)["round"] for job in broken] == [2] * 3


def test_callbacks_that_die_again_are_counted_too(world: World) -> None:
    for _ in range(2):
        undelivered(world)
    world.mouth.answers = [answer(410), answer(200)]
    manner = replace(HERE, settle=30, wake=world.run)
    summary = replay_matching(world.db, LetterFilter(kind="delivery"), manner)
    assert (summary.died_again, summary.unfinished, summary.still_open) == (1, 0, 1)


def test_what_has_not_ended_is_said_to_be_unknown(world: World) -> None:
    bury(world, 2)
    letters.bury_raw(world.db, "pdf", "dl_1", b"?", "undecodable_message", "It cannot be decoded.")
    began = time.monotonic()
    summary = replay_matching(world.db, ALL, replace(HERE, settle=0.3))
    assert (summary.died_again, summary.unfinished, summary.still_open) == (0, 3, 0)
    assert time.monotonic() - began < 10


def test_without_workers_the_trial_is_undecided_and_the_rest_waits(world: World) -> None:
    bury(world, 8)
    summary = replay_matching(world.db, ALL, HERE)
    assert summary.stopped[0]["reason"] == "undecided"
    assert summary.remaining == 3


def test_what_an_interrupted_run_replayed_well_speaks_for_the_rest(world: World) -> None:
    """Its own letters may stand in the queue before the second run's trial."""
    ids = bury(world, 12)
    replays.replay_letter(world.db, letter_of(world, ids[0]), by="tester")
    world.run()
    summary = replay_matching(world.db, ALL, HERE)
    assert (summary.outcomes, summary.stopped) == ({"replayed": 11}, [])


def test_a_newer_completed_job_of_the_same_report_is_shown_and_can_be_left_out(world: World) -> None:
    bury(world, code="K1")
    bury(world, code="K2")
    newer = world.submit("K1")
    world.run()

    dry = replay_matching(world.db, ALL, replace(HERE, dry_run=True))
    summary = replay_matching(world.db, ALL, replace(HERE, skip_newer=True))

    assert [entry["newer_job_id"] for entry in dry.newer] == [newer]
    assert summary.outcomes == {"newer_completed": 1, "replayed": 1}


def test_discard_closes_and_is_audited(world: World) -> None:
    ids = bury(world, 3)
    letter = letter_of(world, ids[0])
    summary = discard_matching(world.db, ALL, replace(HERE, why="wrong import"))
    assert summary.outcomes == {"discarded": 3}
    assert audit.of(world.db, letter)[0]["why"] == "wrong import"
    assert replays.replay_letter(world.db, letter, by="tester") == "resolved"
    assert [world.job(job)["status"] for job in ids] == ["failed"] * 3


def test_a_letter_resolved_while_its_copy_was_on_the_way_is_swept(world: World) -> None:
    letter = letter_of(world, bury(world)[0])
    world.db.execute("UPDATE dead_letters SET published_at=NULL")
    taken = outbox.DEAD_LETTERS.take(world.db, limit=10, hold=10)
    replays.discard_letter(world.db, letter, by="tester")
    assert outbox.DEAD_LETTERS.mark(world.db, taken, taken.rows) == 0
    assert letters.to_sweep(world.db) == {}  # its copy may still be about to arrive
    world.pass_time(60)
    assert letters.to_sweep(world.db) == {"pdf": {letter}}


# -- raw letters ------------------------------------------------------------------------------------------------


def test_a_message_that_only_the_broker_held_gets_one_row_and_is_sent_again_raw(world: World) -> None:
    body = b"\xff\x00 not a message"
    assert letters.bury_raw(world.db, "pdf", "dl_1", body, "undecodable_message", "It cannot be decoded.")
    assert not letters.bury_raw(world.db, "pdf", "dl_1", body, "undecodable_message", "It cannot be decoded.")
    copy = world.relay()[0]
    assert (copy.options["dead_letter_id"], copy.raw) == ("dl_1", None)

    assert replays.replay_letter(world.db, "dl_1", by="tester") == "replayed"
    sent = world.relay()

    assert [(hint.queue, hint.raw) for hint in sent] == [("pdf", body)]
    assert world.relay() == []
    assert letters.to_sweep(world.db) == {"pdf": {"dl_1"}}


def test_a_discarded_raw_letter_is_not_sent(world: World) -> None:
    letters.bury_raw(world.db, "webhooks", "dl_2", b"{}", "undecodable_message", "It cannot be decoded.")
    assert discard_matching(world.db, LetterFilter(kind="raw"), HERE).outcomes == {"discarded": 1}
    assert world.relay() == []


def test_a_raw_letter_keeps_no_more_than_a_row_takes_and_half_a_message_is_never_sent(world: World) -> None:
    """One of 40 MB is more than a server's packet, and sent again by halves it would be another message."""
    code = letters.TOO_LARGE
    assert letters.bury_raw(world.db, "pdf", "dl_3", b"x" * 40_000_000, code, "It is too large.")
    letter = letters.find(world.db, "dl_3")
    assert letter is not None
    assert letters.raw_body(letter) == b"x" * letters.RAW_KEPT
    world.relay()

    assert replay_matching(world.db, LetterFilter(), HERE).outcomes == {"not_whole": 1}
    assert replay_matching(world.db, LetterFilter(), replace(HERE, dry_run=True)).outcomes == {"not_whole": 1}
    assert world.relay() == []
    assert replays.replay_moved(world.db, "dl_3") == "not_whole"  # taken out of .XQ by hand
    assert [hint.options["dead_letter_id"] for hint in world.relay()] == ["dl_3"]


def test_a_hint_that_the_other_queues_worker_meets_goes_out_again(world: World) -> None:
    job_id = world.submit()
    assert [hint.key for hint in world.relay()] == [job_id]
    world.hint(Message("webhooks", "deliver_webhook", job_id, options={"belongs_to": "pdf"}))
    assert [hint.key for hint in world.relay()] == [job_id]


# -- callbacks --------------------------------------------------------------------------------------------------


def undelivered(world: World, status: int = 410) -> str:
    job_id = world.submit(callback=HOOK)
    world.mouth.answers = [answer(status)]
    world.run()
    assert world.delivery(job_id)["status"] == "dead"
    return job_id


def test_a_callbacks_letter_is_sent_again_without_rendering(world: World) -> None:
    job_id = undelivered(world)
    summary = replay_matching(world.db, LetterFilter(kind="delivery"), HERE)
    world.run()
    assert summary.outcomes == {"replayed": 1}
    assert (world.delivery(job_id)["status"], world.pen.renders) == ("delivered", 1)
    log = posts.of(world.db, world.delivery(job_id)["delivery_id"])
    assert [(a["kind"], a["outcome"]) for a in log] == [("scheduled", "refused"), ("manual", "delivered")]


def test_a_bulk_resend_stops_when_the_receiver_still_refuses(world: World) -> None:
    ids = [undelivered(world) for _ in range(8)]
    world.mouth.answers = [answer(410) for _ in range(8)]
    summary = replay_matching(world.db, LetterFilter(kind="delivery"), replace(HERE, patience=30, wake=world.run))
    assert summary.stopped[0]["reason"] == "failing_again"
    assert sum(world.delivery(job)["tries"] == 2 for job in ids) == bulk_replays.TRIAL


def test_an_old_callback_has_a_fresh_budget_and_is_not_too_old(world: World) -> None:
    job_id = undelivered(world)
    world.pass_time(3 * 86_400)
    world.mouth.answers = [answer(503)]
    assert replays.resend(world.db, world.delivery(job_id)["delivery_id"], by="tester") == "queued"
    world.run()
    row = world.delivery(job_id)
    assert (row["status"], row["tries"]) == ("queued", 2)
    assert letter_search.count(world.db, ALL) == 0


def test_timeouts_of_its_first_life_do_not_use_up_the_new_budget(world: World) -> None:
    job_id = world.submit(callback=HOOK)
    world.mouth.answers = [answer(None, failure="timeout") for _ in range(20)]
    for _ in range(len(SCHEDULE) + 1):
        world.run()
        world.pass_time(40_000)
        world.db.execute("UPDATE deliveries SET owed_at=%s", (str(world.db.clock())[:19],))
    assert world.delivery(job_id)["status"] == "dead"
    world.mouth.answers = [answer(500)]

    replays.resend(world.db, world.delivery(job_id)["delivery_id"], by="tester")
    world.run()

    assert world.delivery(job_id)["status"] == "queued"


def test_a_delivered_callback_is_sent_again_only_by_force(world: World) -> None:
    job_id = world.submit(callback=HOOK)
    world.run()
    delivery_id = world.delivery(job_id)["delivery_id"]
    assert replays.resend(world.db, delivery_id, by="tester") == "needs_force"
    assert replays.resend(world.db, delivery_id, by="tester", force=True) == "queued"
    world.run()
    assert [post.webhook_id for post in world.mouth.posts] == [f"msg_{job_id}_1"] * 2
    assert world.delivery(job_id)["status"] == "delivered"


def test_a_used_resume_url_is_never_sent_again(world: World) -> None:
    job_id = world.submit(callback=WAITING)
    world.run()
    delivery_id = world.delivery(job_id)["delivery_id"]
    assert replays.resend(world.db, delivery_id, by="tester", force=True) == "resume_url_used"


def test_a_waiting_callback_is_sent_at_once(world: World) -> None:
    job_id = world.submit(callback=HOOK)
    world.mouth.answers = [answer(503)]
    world.run()
    assert replays.resend(world.db, world.delivery(job_id)["delivery_id"], by="tester") == "queued"
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"


def test_what_cannot_be_resent_says_why(world: World) -> None:
    silent = world.submit()
    world.run()
    assert replays.resend(world.db, world.delivery(silent)["delivery_id"], by="t") == "no_callback"
    assert replays.resend(world.db, "dlv_none", by="t") == "unknown"
