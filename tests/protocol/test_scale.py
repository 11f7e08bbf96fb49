"""What runs by itself costs the same however much is stored (DESIGN §2.1): each statement is served by an index.

Every loop and every step of a job runs once beside thousands of rows of each kind that grow. A statement that no part of
this test reaches fails it, until it is reached or stands in ASKED_BY_PEOPLE.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from actors.desk import bulk_replays  # fmt: skip
from actors.desk.bulk_replays import Manner
from actors.housekeeping.news import News
from actors.housekeeping.retention import Retention
from ops.servers.mariadb import MariaDB
from schema.callbacks.urls import lane_key
from schema.documents import open_documents
from schema.errors import DependencyDown, Permanent, Transient
from schema.life import previews, replays, rounds
from schema.metrics import gauges
from schema.rows import (
    batches,
    deliveries,
    jobs,
    keys,
    leadership,
    leases,
    letter_search,
    links,
    news,
    owed,
    pace,
    pauses,
    rendered,
    replay_outcomes,
    signs,
    switches,
    workers,
)
from schema.rows import letters as dead_letters
from schema.rows.jobs import NewJob
from schema.rows.letter_search import LetterFilter
from schema.sql.migrate import migrate
from service.estimates import QueueView
from service.routes.overview import Overview
from service.routes.queues import queue_states
from service.waiters import WaiterBoard
from tests.protocol.kit import World, answer, every_duty, make_world
from tests.protocol.recorder import Asked, Recorder, calls_of

MANY = 6000  # rows of each kind that grows
FEW = 2500  # rows and index entries that one statement may touch: a page of 500 with what is joined to it
DEAD_HOST, HOST = "n8n.example:443", "hooks.example:443"
CALLBACK = "https://hooks.example/webhook/x"

# Small whatever comes in: one row for each worker, pause, dependency, product, key or switch.
SMALL = {
    "workers",
    "pauses",
    "dependencies",
    "durations",
    "api_keys",
    "switches",
    "rendered",
    "paces",
    "schema_migration",
}
# They count waiting rows, so they must read them, but on an index alone. Gauges and estimates take at most a twentieth
# of the time. The others run only while somebody looks (overview, queues) or acts (bulk replay).
COUNTS = {
    ("schema/metrics/gauges.py", "_jobs"), ("schema/metrics/gauges.py", "_relay"),
    ("schema/metrics/gauges.py", "_desk"), ("schema/rows/waiting.py", "by_turn"), ("schema/rows/waiting.py", "slices"),
    ("schema/rows/waiting.py", "count"), ("schema/rows/waiting.py", "at_top"),
    ("schema/rows/figures.py", "open_jobs"), ("schema/rows/figures.py", "open_callbacks"),
    ("schema/rows/letters.py", "open_by_queue"), ("schema/life/queues.py", "waiting"), ("schema/rows/letter_search.py", "count"),
    ("schema/rows/letter_search.py", "sizes"),
    ("schema/rows/signs.py", "_waits"),
    ("schema/rows/letters.py", "copies"), ("schema/rows/letters.py", "shown"),
    ("schema/rows/letters.py", "kind"), ("schema/rows/letters.py", "kinds"),
}  # fmt: skip
# They sort what is few by its nature: a job's letters, a report's jobs, a batch, what the workers have in hand.
SORTS = {
    ("schema/rows/letters.py", "open_of_job"), ("schema/rows/letter_search.py", "newer_completed"),
    ("schema/life/retention.py", "_clean"), ("schema/rows/leases.py", "expired"), ("schema/rows/batches.py", "line"),
    ("schema/rows/batches.py", "each"),
}  # fmt: skip
# What only people and starts ask; a file, or a function in it.
ASKED_BY_PEOPLE = {
    "schema/rows/person.py", "schema/rows/listing.py", "schema/rows/found.py", "schema/documents/tables.py:find_ends",
    "schema/rows/used_keys.py:forget", "schema/rows/links.py:forget", "schema/sql/migrate.py",
    "schema/rows/keys.py:work", "schema/rows/keys.py:revoke", "schema/rows/keys.py:forget_all",
    "schema/rows/audit.py:of", "schema/rows/switches.py:_put", "schema/rows/letter_search.py:groups",
    "schema/documents/tables.py:ends_of", "schema/documents/tables.py:work", "schema/documents/tables.py:save_report",
    "schema/rows/outbox.py:unpublish_all", "schema/sql/fitness.py",
    "schema/rows/waiting.py:ahead_of",  # only while no more than 300 jobs wait
    "schema/rows/letters.py:of_job", "schema/rows/figures.py:jobs_by_status", "schema/rows/figures.py:callbacks_not_sent",
    "schema/rows/workers.py:heard_of",
}  # fmt: skip


@pytest.fixture(params=["sqlite", "mariadb"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorder]:
    """A database of its own, full of what has ended and of what waits."""
    with contextlib.ExitStack() as held:
        url = f"sqlite:///{tmp_path / 'scale.db'}"
        if request.param == "mariadb":
            server: MariaDB = request.getfixturevalue("mariadb")
            admin = Recorder(server.admin_url)
            held.callback(admin.close)
            admin.execute("CREATE DATABASE scale")
            held.callback(admin.execute, "DROP DATABASE scale")
            url = server.admin_url.rpartition("/")[0] + "/scale"
        database = Recorder(url)
        held.callback(database.close)
        migrate(database)
        yield database


def fill(db: Recorder) -> None:
    """Ended jobs with all that hangs on them, jobs and callbacks that wait, letters open and resolved, an audit."""
    old, dead = "2020-01-01 00:00:00", "https://n8n.example/webhook/x"

    def rows(
        table: str, values: dict[str, Any], name: str, count: int = MANY, **differing: Callable[[int], Any]
    ) -> None:
        """`count` rows, their key `name` and a number; `differing` columns are made from the number."""
        keys_ = {"deliveries": "delivery_id", "dead_letters": "dead_letter_id", "batches": "batch_id"}
        key = keys_.get(table, "job_id")
        columns = [key, *values, *differing] if name else [*values, *differing]
        for start in range(0, count, 1000):
            made = [
                ([f"{name}{n:022}"] if name else []) + [*values.values(), *(make(n) for make in differing.values())]
                for n in range(start, min(count, start + 1000))
            ]
            one = f"({','.join(['%s'] * len(columns))})"
            db.execute(
                f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([one] * len(made))}",
                [value for row in made for value in row],
            )

    def code(n: int) -> str:
        return f"K{n}"

    def job_id(n: int) -> str:
        return f"pdf_01A{n:022}"

    def turn(n: int) -> int:
        return owed.TURNS[n % 4]

    ended = {"product_id": "p", "requested_at": old, "created_at": old, "run_at": old, "ended_at": old}
    rows("pdf_job_results", {**ended, "status": "completed"}, "pdf_01A", code=code)
    late = {"product_id": "p", "created_at": old, "run_at": old, "priority": 0, "turn": 9}
    rows(
        "pdf_job_results",
        late,
        "pdf_01B",
        MANY // 3,  # where half of all rows wait, a server is right to count them on the whole index
        code=code,
        requested_at=lambda n: f"2020-01-01 {n // 3600:02}:{n // 60 % 60:02}:00",
    )
    attempt = {"number": 1, "round": 1, "started_at": old, "ended_at": old, "outcome": "completed"}
    rows("attempts", attempt, "pdf_01A")
    told = {"round": 1, "event": "completed", "url": dead, "record": "{}", "owed_at": old, "run_at": old}
    rows("deliveries", {**told, "status": "delivered", "host": DEAD_HOST, "recorded_at": old}, "dlv_01A", job_id=job_id)
    # Owed for so long that they must die, but redelivered lately; owed to the same host, and not due; a few to others.
    soon = {"owed_at": db.clock().strftime("%F %T"), "run_at": "2030-01-01 00:00:00", "host": DEAD_HOST}
    for number, differs in enumerate((
        {"host": DEAD_HOST, "owed_at": soon["owed_at"]},
        {"host": DEAD_HOST, "budget_at": soon["owed_at"]},
        soon,
    )):  # fmt: skip
        rows("deliveries", {**told, **differs}, f"dlv_01{'BCD'[number]}", job_id=lambda n: f"pdf_{ULID()}", turn=turn)
    attempt = {"number": 1, "started_at": old, "ended_at": old, "outcome": "failed"}
    rows("delivery_attempts", attempt, "", delivery_id=lambda n: f"dlv_01A{n:022}")
    letter = {
        "queue": "pdf", "kind": "job", "error_code": "x", "error_message": "x", "attempts": 1, "first_failed_at": old,
        "last_failed_at": old, "version": "1", "run_at": old, "product_id": "p",
    }  # fmt: skip
    new = db.clock().strftime("%F %T")
    resolved = {**letter, "status": "replayed", "resolved_at": new}
    rows(
        "dead_letters", {**resolved, "published_at": old, "swept_at": new, "fingerprint": "f1"}, "dl_01A", job_id=job_id
    )
    rows("dead_letters", {**resolved, "fingerprint": "f2", "status": "discarded"}, "dl_01B", job_id=job_id)
    rows("dead_letters", {**resolved, "fingerprint": "f1"}, "dl_01C", job_id=job_id)
    rows("dead_letters", {**letter, "published_at": old, "fingerprint": "f1"}, "dl_01D", job_id=job_id, code=code)
    gone = {"job_id": "pdf_gone", "status": "completed", "removed_at": new}
    rows("used_keys", gone, "", idempotency_key=lambda n: f"old{n}")
    rows(
        "links", {"job_id": "pdf_gone", "expires_at": "2030-01-01 00:00:00"}, "", link_id=lambda n: f"lnk_{n}", hash=str
    )
    together = {"created_at": old, "ended_at": old, "total": 1, "open": 0}
    rows("batches", together, "bat_01E0")
    # Acts of every kind: where all are replays, MySQL is right to read the whole index.
    rows("audit", {"at": old, "who": "t", "subject": "s"}, "", act=lambda n: "discard" if n % 5 else "replay")
    if db.dialect == "mysql":
        for table in (
            "pdf_job_results", "attempts", "deliveries", "delivery_attempts", "dead_letters", "audit", "used_keys", "links",
            "batches",
        ):  # fmt: skip
            db.fetch_all(f"ANALYZE TABLE {table}")


def test_what_runs_by_itself_reads_no_more_than_it_needs(db: Recorder, tmp_path: Path) -> None:
    world = make_world(db, tmp_path, max_queue_size=100, promote_after=1e9)
    fill(db)
    pauses.pause(db, f"host:{DEAD_HOST}", reason="away", by="outage", seconds=0)
    db.noting = True
    live(world)
    relay(world)
    housekeeping(world)
    looks(world)
    desk(world)
    db.noting = False
    world.runtime.wake.close()
    wrong = {f"{asked.call}: {fault}\n    {asked.sql}" for asked in db.asked if (fault := judged(db, asked))}
    assert not wrong, "\n".join(sorted(wrong))
    reached = {asked.call for asked in db.asked}
    missed = [
        f"{call[0]}:{call[1]} ({function})"
        for call, function in calls_of("schema", "actors", "middleware", "service")
        if call not in reached and not {call[0], f"{call[0]}:{function}"} & ASKED_BY_PEOPLE
    ]
    assert not missed, "nothing here runs these:\n" + "\n".join(missed)


def test_statements_stand_with_their_rows() -> None:
    """What a statement does is then a function with a name, and its index is looked for in one place."""
    homes = ("schema/rows/", "schema/life/", "schema/metrics/", "schema/documents/", "schema/sql/")
    asked = calls_of("schema", "actors", "middleware", "service", "ops/commands")
    assert not [call for call, _ in asked if not call[0].startswith(homes)]


FUNCTIONS = dict(calls_of("schema", "actors", "middleware", "service"))


def judged(db: Recorder, asked: Asked) -> str | None:
    """What is wrong with a statement, if anything."""
    where = (asked.call[0], FUNCTIONS.get(asked.call, ""))
    counts = where in COUNTS
    for step in asked.plan:
        if db.dialect == "sqlite":
            words = step["detail"].split()
            if words[0] == "SCAN" and words[1] not in SMALL and not words[1].startswith(("(", "turn", "CONSTANT")):
                return f"scans: {step['detail']}"
            if "TEMP B-TREE FOR ORDER BY" in step["detail"] and not counts and where not in SORTS:
                return f"sorts: {step['detail']}"
        elif step["type"] in ("ALL", "index") and step["table"] not in SMALL and step["table"][0] != "<":
            return f"scans {step['table']}: {step['Extra']}"
        elif counts and asked.reads > FEW and "Using index" not in (step["Extra"] or ""):
            return f"counts by rows, not on an index alone: {step}"
    if asked.reads > FEW and not counts:
        return f"touches {asked.reads} rows by {asked.plan}"
    return None


# -- what runs ----------------------------------------------------------------------------------------------------


def work(world: World, *ids: str, turns: int = 4) -> None:
    """Relay and deliver what belongs to these jobs."""
    for _ in range(turns):
        for hint in world.relay():
            row = deliveries.find(world.db, hint.key) if hint.queue == "webhooks" else {"job_id": hint.key}
            if row is not None and row["job_id"] in ids and "dead_letter_id" not in hint.options:
                world.hint(hint)


def urgent(world: World, code: str = "L", **more: Any) -> str:
    return world.submit(code, priority=9, callback=CALLBACK, **more)


def live(world: World) -> None:
    """Jobs and callbacks end in every way there is."""
    db = world.db
    workers.seen(db, workers.Card("w/webhooks", "webhooks", "h", 1, 50, "0"), busy=0)
    told = urgent(world, inline=b"{}", idempotency_key="k")
    with pytest.raises(jobs.KeyTaken):
        urgent(world, inline=b"{}", idempotency_key="k")
    jobs.submit_all(db, [NewJob(f"pdf_{ULID()}", "L", "p", priority=9)])
    world.mouth.answers = [answer(503), answer(200)]
    work(world, told)
    db.execute("UPDATE deliveries SET run_at=owed_at WHERE job_id=%s", (told,))
    work(world, told)
    assert world.delivery(told)["status"] == "delivered"

    failing = urgent(world)
    for error in (Transient("later"), DependencyDown("drive", "away"), Permanent("wrong")):

        def fail(*_: object, error: Exception = error) -> bytes:
            raise error

        world.pen.work = fail
        world.hint(failing)
        db.execute("UPDATE pdf_job_results SET run_at=requested_at WHERE job_id=%s", (failing,))
    world.pen.work = lambda request, progress: progress(50) or b"%PDF-1"  # type: ignore[func-returns-value]
    assert world.job(failing)["status"] == "failed"
    assert rounds.replay(db, failing, by="t") == "replayed"
    world.mouth.answers = [answer(None, failure="connect"), answer(410)]
    work(world, failing)
    db.execute("UPDATE deliveries SET run_at=owed_at WHERE job_id=%s", (failing,))
    work(world, failing)
    assert world.delivery(failing, 2)["status"] == "dead"
    assert replays.resend(db, world.delivery(failing, 2)["delivery_id"], by="t") == "queued"
    rounds.refund(db, [(failing, 1)])

    resumed = world.submit(priority=9, callback="https://hooks.example/webhook-waiting/1")
    quiet = world.submit(priority=9)
    work(world, resumed, quiet)
    assert [world.delivery(resumed)["status"], world.delivery(quiet)["status"]] == ["delivered", "recorded"]
    again = dict(world.delivery(resumed), round=2)
    assert deliveries.resume_url_used(db, again)
    db.execute("UPDATE deliveries SET status='queued' WHERE job_id=%s", (resumed,))
    claim = deliveries.claim(db, again["delivery_id"], worker_id="w", lease=20, timeout=50)
    assert isinstance(claim, deliveries.DeliveryClaim)
    assert deliveries.begin_post(db, claim) == "delivered"
    deliveries.end(db, claim.row, "delivered")

    limited = urgent(world)
    world.files.fail = [Transient("later")]
    world.hint(limited)
    db.execute("UPDATE pdf_job_results SET run_at=requested_at WHERE job_id=%s", (limited,))
    world.uploads = False
    world.hint(limited)  # its PDF is kept
    assert rendered.ahead_of(db, world.job(limited)) == 0  # type: ignore[arg-type]
    world.uploads = True
    kept = rendered.claim(db, limited, worker_id="w", lease=20, timeout=300)
    assert kept is not None
    rendered.put_back(db, kept.claim)
    assert rendered.ahead_of(db, world.job(limited)) == 0
    world.store()

    waiting, running = urgent(world), urgent(world)
    assert rounds.cancel(db, waiting) == "cancelled"
    held = jobs.claim(db, running, worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    assert rounds.cancel(db, running) == "requested"
    with pytest.raises(jobs.Cancelled):
        jobs.show_progress(db, held, "rendering", 10, 20)
    assert rounds.give_back(db, held.row) == "cancelled"
    jobs.find(db, running)
    jobs.attempts_of(db, running)
    glances(world)
    together(world)


def glances(world: World) -> None:
    """Previews: one that is taken, and one that nobody takes."""
    db = world.db
    taken, left = (NewJob(f"{jobs.PREVIEW}{ULID()}", "", "p", priority=9, inline=b"{}") for _ in range(2))
    for preview in (taken, left):
        jobs.submit(db, preview)
        world.hint(preview.job_id)
    assert previews.take(db, taken.job_id)[1] is not None
    db.execute("UPDATE pdf_job_results SET ended_at=%s WHERE job_id=%s", ("2020-01-01 00:00:00", left.job_id))


def together(world: World) -> None:
    """A batch from its submission to its second end."""
    db, batch_id = world.db, f"bat_{ULID()}"
    ids = [batches.member(batch_id, place) for place in range(2)]
    batches.submit(
        db,
        batches.NewBatch(batch_id, callback=CALLBACK),
        [NewJob(job_id, "L", "p", priority=9, batch_id=batch_id) for job_id in ids],
    )
    row = batches.find(db, batch_id)
    assert row is not None
    WaiterBoard(db, 10)._look({threading.Event(): batch_id})
    assert len(batches.line(db, row)) == 2
    for job_id in ids:
        held = jobs.claim(db, job_id, worker_id="w", lease=20, timeout=300)
        assert isinstance(held, jobs.Claim)
        assert batches.processing(db, row) == 1
        failure = rounds.Failure("small", "x", permanent=True)
        rounds.finish(db, held.row, "failed", outcome="failed", failure=failure)
    batches.redirect(db, batch_id, CALLBACK, None)
    done = db.transaction(lambda: batches.each(db, row, ("failed",), lambda job_id: rounds.replay(db, job_id, by="t")))
    assert done == ["replayed"] * 2
    assert [rounds.cancel(db, job_id) for job_id in ids] == ["cancelled"] * 2
    work(world, batch_id)
    assert [told["status"] for told in deliveries.of_job(db, batch_id)] == ["delivered", "superseded"]
    batches.has_members(db, row)
    batches.page(db, None, 50)


def relay(world: World) -> None:
    """Looks of the relay in each of its states, and what is lost between it and a worker."""
    db, step = world.db, world.runtime.relay
    pauses.pause(db, "dependency:mongodb", reason="away", by="outage", seconds=60)
    world.relay()
    pauses.resume(db, "dependency:mongodb", outages_only=True)
    db.execute("UPDATE pauses SET until=%s", ("2020-01-01 00:00:00",))
    assert any(hint.queue == "webhooks" for hint in world.relay()), "the paused host is probed"
    assert not deliveries.slow_by_lane(db, 1e9)
    slow = "https://slow.example/webhook/x"
    apart = world.submit(priority=9, callback=slow)
    work(world, apart, turns=1)
    pauses.pause(db, f"host:{lane_key(slow)}", reason="slow", by="outage", seconds=60)
    world.relay()
    pauses.pause(db, "host:slow.example:443", reason="away", by="outage", seconds=0)
    work(world, apart)
    assert world.delivery(apart)["host"] == lane_key(slow)
    assert world.delivery(apart)["status"] == "delivered", "it was the probe"
    pauses.pause(db, f"host:{lane_key(slow)}", reason="slow", by="outage", seconds=0)
    world.relay()
    assert f"host:{lane_key(slow)}" not in pauses.in_force(db), "nothing is owed to it any more"
    for age in (0.0, 1e9):
        step._promotion._at = float("-inf")
        step._promotion.settings = replace(world.runtime.settings, promote_after=age)
        world.relay()
    world.published.confirms = False
    urgent(world)
    with pytest.raises(DependencyDown):
        world.relay()
    world.published.confirms = True
    ordered = world.runtime.relay
    ordered._ordered_here = True
    ordered.step()
    ordered._ordered_here = False
    pauses.pause(db, "queue:pdf", reason="x", by="t")
    world.runtime.board.active(fresh=True)
    for hint in world.published.take()[:1]:
        world.hint(hint)
    pauses.resume(db, "queue:pdf")


def operators(world: World) -> None:
    """What operators are told: a canary that is missing and goes, new kinds of dead letters, resolved ones."""
    db, now = world.db, [0.0]
    settings = replace(world.runtime.settings, operations_webhook=CALLBACK)
    told = News(settings, db, lambda: world.mouth, clock=lambda: now[0])
    news.note_canary(db, "h")
    news.note_told(db, {"new_dead_letter gone"})
    db.execute("UPDATE switches SET changed_at=%s WHERE name='told'", ("2020-01-01 00:00:00",))
    for _ in range(3):
        told.step(leads=True)
        now[0] += 100
    assert "new_dead_letter f1" in news.last(db).names
    news.forget_canary(db, "h")


def housekeeping(world: World) -> None:
    """Rescue, lost hints, probes, retention, letters, the workers' registry."""
    db, keeper = world.db, world.runtime.housekeeper
    work(world, ended := urgent(world, idempotency_key="soon old"))
    db.execute("UPDATE pdf_job_results SET ended_at=%s WHERE job_id=%s", ("2019-01-01 00:00:00", ended))
    lost = [urgent(world) for _ in range(3)]
    for job_id in lost:
        jobs.claim(db, job_id, worker_id="w", lease=-1, timeout=300)
    work(world, told := urgent(world), turns=1)
    work(world, told, turns=1)
    [owe] = deliveries.of_job(db, told)
    db.execute("UPDATE deliveries SET status='queued', run_at=owed_at WHERE job_id=%s", (told,))
    claim = deliveries.claim(db, owe["delivery_id"], worker_id="w", lease=-1, timeout=50)
    assert isinstance(claim, deliveries.DeliveryClaim)
    deliveries.begin_post(db, claim)
    assert keeper.lead()
    leadership.hold_back_rescue(db, -1)  # it has led for long: a new leader waits a lease
    keeper._leads = True
    every_duty(keeper)
    operators(world)
    assert {world.job(job_id)["status"] for job_id in lost} == {"queued"}
    assert jobs.find(db, ended) is None, "it was cleaned away"
    assert jobs.known(db, "soon old") is not None, "and its key is known"
    world.relay()
    for _ in range(2):
        keeper.lost_messages.step()
        keeper.lost_messages.missing_since = dict.fromkeys(keeper.lost_messages.missing_since, float("-inf"))
    replays.discard_letter(db, f"dl_01D{0:022}", by="t")
    letters = dead_letters.to_sweep(db)
    dead_letters.note_swept(db, sorted(letters.get("pdf", ())))
    dead_letters.copies(db, "pdf")
    dead_letters.shown(db, "pdf")
    dead_letters.homes(db, [f"dl_01D{n:022}" for n in range(9)])
    assert dead_letters.bury_raw(db, "pdf", "dl_raw", b"x", "undecodable_message", "x")
    db.execute("UPDATE used_keys SET removed_at=%s WHERE idempotency_key=%s", ("2020-01-01 00:00:00", "old1"))
    db.execute("UPDATE links SET expires_at=%s WHERE link_id=%s", ("2020-01-01 00:00:00", "lnk_1"))
    for swept in (True, False):
        Retention(db, keep=60, keep_letters=0, letters_are_swept=swept).step()
    card = workers.Card("w/pdf", "pdf", "h", 1, 2, "0")
    for _ in range(2):
        workers.seen(db, card, busy=1)
    workers.threads(db, 20, "pdf")
    leases.JOBS.beat(db, lost[0], 1, 20)
    workers.leave(db, "w/pdf")
    for member in range(2):
        pauses.note_failure(
            db, "host:x", (f"dlv_{member}", 1), streak=5, owners=2, window=None, probe_every=30, reason="away"
        )  # fmt: skip
    pauses.note_success(db, "host:x")
    for _ in range(2):
        pace.note(db, "drive", pace.take(db, "drive", 1, start=5), refused=1)


def looks(world: World) -> None:
    """What the API reads by itself: metrics, estimates, overview, queues, who waits, switches and keys."""
    db, settings = world.db, world.runtime.settings
    gauges.read(db, settings)
    QueueView(db, settings)._see()
    Overview(world.runtime, None)._look()  # type: ignore[arg-type]
    for _ in range(2):
        leadership.note_look(db, "x", 1.0)
    signs.read(db, settings)
    queue_states(db, settings)
    for percent in (0, 100):
        switches.stored(db, replace(settings, rollout_percent=percent))
    keys.everything(db)
    _, token, _ = links.make(db, "pdf_nobody", seconds=60, uses=1)
    link = links.spend(db, token)
    assert link is not None
    links.give_back(db, link)
    assert links.revoke(db, "pdf_nobody", link["link_id"])
    WaiterBoard(db, 10).wait(f"pdf_01A{0:022}", 10)
    documents = open_documents("database:", db)
    end = deliveries.end_of(world.db.fetch_all("SELECT * FROM deliveries WHERE status='recorded'")[0])
    documents.find_end("pdf_nobody")
    for _ in range(2):
        documents.record_end(end)
    documents.save_report(end.code, end.product_id, {})
    documents.find_report(end.code, end.product_id)
    documents.record_end(replace(end, job_id="pdf_2"))


def desk(world: World) -> None:
    """A bulk replay with its trial, and single letters."""
    db = world.db
    for _ in range(4):
        job_id = urgent(world)
        held = jobs.claim(db, job_id, worker_id="w", lease=20, timeout=300)
        assert isinstance(held, jobs.Claim)
        rounds.finish(db, held.row, "failed", outcome="failed", failure=rounds.Failure("small", "x", permanent=True))
    small = dead_letters.cause("pdf", "small", "x")
    manner = Manner(by="t", dry_run=True)
    bulk_replays.replay_matching(db, LetterFilter(), manner)
    bulk_replays.replay_matching(
        db, LetterFilter(fingerprint=small), replace(manner, dry_run=False, trial=2, patience=0)
    )
    letter_search.lately_replayed(db, "f1")
    letter_search.page(db, LetterFilter())
    died = {"kind": "delivery", "last_failed_at": db.clock(), "delivery_id": f"dlv_01A{0:022}"}
    replay_outcomes.fails_again(db, died)
    for letter in ("dl_raw", "dl_nobody"):
        replays.replay_letter(db, letter, by="t")
    world.relay()
    replays.discard_letter(db, f"dl_01D{1:022}", by="t")
