"""What can never succeed ends: uploads, records and callbacks that fail in the same way for ever (DESIGN §1, §2.14)."""

from __future__ import annotations

import pytest

from schema.errors import DependencyDown
from schema.metrics import labels
from schema.rows import deliveries, pauses
from schema.rows.deliveries import DeliveryClaim
from tests.protocol.kit import World

URL = "https://hooks.example/webhook/x"
DOWN = DependencyDown("drive", "Google Drive answers 500.")
MONGO = DependencyDown("mongodb", "MongoDB could not do its work (code 96).")


def test_an_upload_that_fails_although_the_probe_answers_ends_the_job(world: World) -> None:
    """The pause is lifted each time, and each time the same job opens it again."""
    job_id = world.submit()
    for start in range(200):
        world.files.fail = [DOWN]
        world.pass_time(400)
        world.hint(job_id)
        world.files.fail = []
        pauses.resume(world.db, "dependency:drive")
        world.runtime.board.active(fresh=True)
        if world.job(job_id)["status"] == "failed":
            break
        # Others' errors belong to the same outage.
        for other in ("a", "b"):
            world.db.execute("DELETE FROM dependencies WHERE scope=%s", (f"host:{other}",))
        pauses.note_failure(
            world.db, "dependency:drive", ("other", start), streak=99, owners=2, window=None, probe_every=5, reason="x"
        )
        pauses.note_failure(
            world.db,
            "dependency:drive",
            ("another", start),
            streak=99,
            owners=2,
            window=None,
            probe_every=5,
            reason="x",
        )
    assert world.job(job_id)["status"] == "failed"
    assert len(world.letters(job_id)) == 1


def test_a_record_that_is_never_taken_ends_after_72_hours_and_is_read(world: World) -> None:
    job_id = world.submit(callback=URL)
    world.reports.fail = [MONGO] * 3
    for _ in range(2):
        world.run()
        pauses.resume(world.db, "dependency:mongodb")
        world.pass_time(72 * 3600 + 1)
    world.run()
    delivery = world.delivery(job_id)
    assert (delivery["status"], delivery["error_code"]) == ("dead", "webhook_too_old")
    [letter] = world.letters(job_id)
    assert letter["error_message"].startswith("The end could not be recorded for too long.")
    assert "code 96" in letter["error_message"]


def test_a_callback_that_kills_its_worker_before_the_post_is_buried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(world.runtime.worker_meters, "given_up", counted.append)
    job_id = world.submit(callback=URL)
    for hint in world.relay():
        world.hint(hint)
    for _ in range(3):
        held = deliveries.claim(world.db, world.delivery(job_id)["delivery_id"], worker_id="dies", lease=20, timeout=50)
        assert isinstance(held, DeliveryClaim)
        world.pass_time(60)
        world.rescue()
    assert (world.delivery(job_id)["status"], world.delivery(job_id)["error_code"]) == ("dead", "worker_died")
    assert len(world.letters(job_id)) == 1
    assert counted == ["worker_died"]
    assert set(counted) <= set(labels.GIVEN_UP_CODES)


def test_a_callback_whose_answer_kills_workers_climbs_the_schedule(world: World) -> None:
    job_id = world.submit(callback=URL)
    for hint in world.relay():
        world.hint(hint)
    waits = []
    for _ in range(3):
        held = deliveries.claim(world.db, world.delivery(job_id)["delivery_id"], worker_id="dies", lease=20, timeout=50)
        assert isinstance(held, DeliveryClaim)
        deliveries.begin_post(world.db, held)
        world.db.execute(f"UPDATE deliveries SET lease_until={world.db.later(-1)}")
        world.rescue()
        row = world.db.fetch_one(f"SELECT {world.db.age('run_at')} AS ago FROM deliveries WHERE job_id=%s", (job_id,))
        assert row is not None
        waits.append(-float(row["ago"]))
        world.db.execute(f"UPDATE deliveries SET run_at={world.db.now()}")
    assert 3 < waits[0] < 7
    assert 20 < waits[1] < 40
    assert 200 < waits[2] < 400


def test_an_outage_that_a_delivery_notices_gives_jobs_their_tries_back(world: World) -> None:
    first = world.submit()
    world.files.fail = [DependencyDown("mongodb", "away")]
    world.hint(first)  # its first error counts as a failed try: one error is no outage
    assert world.job(first)["tries"] == 1
    told = world.submit(callback=URL)
    other = world.submit(callback=URL)
    world.hint(told)
    world.hint(other)
    world.db.execute("UPDATE dependencies SET failures=1, members=%s WHERE scope='dependency:mongodb'",
                     (f'[["{first}",1]]',))  # fmt: skip
    world.reports.fail = [MONGO, MONGO]
    for hint in [hint for hint in world.relay() if hint.queue == "webhooks"]:
        world.hint(hint)
    assert len(world.db.fetch_all("SELECT * FROM pauses WHERE scope='dependency:mongodb'")) == 1
    assert world.job(first)["tries"] == 0


def test_callbacks_that_must_be_recorded_first_wait_for_mongodb(world: World) -> None:
    """They would only hold webhook threads; what is recorded goes on."""
    waiting, recorded = (world.submit(callback=URL) for _ in range(2))
    for hint in world.relay():
        world.hint(hint)
    world.db.execute(f"UPDATE deliveries SET recorded_at={world.db.now()} WHERE job_id=%s", (recorded,))
    pauses.pause(world.db, "dependency:mongodb", reason="away", by=pauses.OUTAGE, seconds=900)
    world.run()
    assert world.delivery(recorded)["status"] == "delivered"
    assert world.delivery(waiting)["status"] == "queued"
    assert world.delivery(waiting)["published_at"] is None
