"""Rendering never waits for an upload: kept PDFs wait in rows and uploaders store them (DESIGN §2.2, §2.6, §2.8, §2.13)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from actors.render.storing import FOR_HIGH_JOBS
from ops.commands import story
from schema.errors import DependencyDown, Permanent, RateLimited, Transient
from schema.life import rounds
from schema.rows import jobs, leases, pace, pauses, rendered
from schema.rows.jobs import Claim
from schema.sql.database import Database, DatabaseDown
from tests.protocol.kit import World

WorldOf = Callable[..., World]


@pytest.fixture
def world(world: World) -> World:
    """Nothing is stored before the test says so."""
    world.uploads = False
    return world


def draw(world: World, **job: object) -> str:
    """A job whose PDF is drawn and waits for the store."""
    job_id = world.submit(**job)  # type: ignore[arg-type]
    world.hint(job_id)
    return job_id


def taken(world: World, job_id: str) -> Claim:
    kept = rendered.claim(world.db, job_id, worker_id="u", lease=20, timeout=300)
    assert kept is not None
    return kept.claim


def state(world: World, job_id: str) -> tuple[str, str | None]:
    row = world.job(job_id)
    return row["status"], row["stage"]


def test_the_message_is_done_before_the_upload_and_the_attempt_waits_without_a_lease(world: World) -> None:
    job_id = draw(world)
    row = world.job(job_id)
    assert (row["status"], row["stage"], row["lease_until"], row["progress"]) == ("processing", "storing", None, 80)
    assert world.runtime.attempts.running() == []
    assert world.files.puts == 0
    world.pass_time(3600)
    assert world.rescue() == 0  # it may wait for hours: nobody has died
    assert world.store() == 1
    assert state(world, job_id) == ("completed", None)
    assert (world.attempts(job_id), world.pen.renders) == (["completed"], 1)
    assert world.db.scalar("SELECT COUNT(*) FROM rendered") == 0


def test_what_waits_for_the_store_goes_in_order_of_rank(world: World) -> None:
    stored: list[str] = []
    put = world.files.put

    def noting(artifact_id: str, filename: str, pdf: bytes, **more: object) -> str:
        stored.append(filename)
        return put(artifact_id, filename, pdf, **more)  # type: ignore[arg-type]

    world.files.put = noting  # type: ignore[method-assign]
    for code, priority in (("N1", 5), ("L1", 0), ("N2", 5), ("H1", 9)):
        draw(world, code=code, priority=priority)
    world.store()
    assert stored == ["p-H1.pdf", "p-N1.pdf", "p-N2.pdf", "p-L1.pdf"]


def test_two_uploaders_at_one_row_store_it_once(world: World) -> None:
    job_id = draw(world)
    assert rendered.next_due(world.db, 4) == [job_id]
    taken(world, job_id)
    assert rendered.claim(world.db, job_id, worker_id="v", lease=20, timeout=300) is None
    assert rendered.next_due(world.db, 4) == []


def test_a_late_heartbeat_of_the_attempt_that_handed_it_over_hides_no_pdf(world: World) -> None:
    job_id = draw(world)
    assert not leases.JOBS.beat(world.db, job_id, 1, 20)
    rendered.put_back(world.db, taken(world, job_id))
    assert not leases.UPLOADS.beat(world.db, job_id, 1, 20)
    assert (world.store(), world.attempts(job_id)) == (1, ["completed"])


def test_a_waiting_pdf_is_cancelled_at_once(world: World) -> None:
    job_id = draw(world, callback="http://hooks.example/pdf-complete")
    assert rounds.cancel(world.db, job_id) == "cancelled"
    assert world.job(job_id)["status"] == "cancelled"
    assert world.store() == 0
    assert world.db.scalar("SELECT COUNT(*) FROM rendered") == 0
    assert world.attempts(job_id) == ["returned"]
    assert world.delivery(job_id)["status"] == "queued"


def test_a_cancel_of_one_that_was_just_taken_stops_it_before_its_upload(world: World) -> None:
    job_id = draw(world)
    next_due = rendered.claim

    def claim(db: Database, key: str, **more: object) -> object:
        kept = next_due(db, key, **more)  # type: ignore[arg-type]
        assert rounds.cancel(db, job_id) == "requested"
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered, "claim", claim)
        world.runtime.storing.step()
    assert (world.job(job_id)["status"], world.files.puts) == ("cancelled", 0)


def test_once_the_upload_began_it_is_too_late_and_stays_so(world: World) -> None:
    job_id = draw(world)
    world.files.fail = [Transient("no")]
    world.files.after_put = lambda: None
    world.store()
    assert rounds.cancel(world.db, job_id) == "too_late"
    assert world.job(job_id)["status"] == "queued"


def test_a_failed_upload_costs_its_job_one_try_and_no_second_render(world: World) -> None:
    job_id = draw(world)
    world.files.fail = [Transient("no")]
    world.store()
    assert (state(world, job_id), world.attempts(job_id)) == (("queued", None), ["failed"])
    world.pass_time(10)
    world.hint(job_id)
    world.store()
    assert (world.job(job_id)["status"], world.pen.renders, world.job(job_id)["retry_count"]) == ("completed", 1, 1)


def test_a_refusal_of_the_store_ends_the_round(world: World) -> None:
    job_id = draw(world)
    world.files.fail = [Permanent("Turned away.", code="drive_permission_denied")]
    world.store()
    assert (world.job(job_id)["status"], world.job(job_id)["error_code"]) == ("failed", "drive_permission_denied")
    assert len(world.letters(job_id)) == 1


def test_uploads_that_die_with_a_report_that_kills_their_process_cost_nothing(world: World) -> None:
    """Three times a report kills the process in which twenty uploads are under way: it dies, and they complete."""
    uploads = [draw(world, code=f"U{n}") for n in range(20)]
    poison = world.submit("POISON")

    class Killed(BaseException):
        pass

    def kill(_request: object, _progress: object) -> bytes:
        raise Killed

    for _ in range(3):
        for job_id in uploads:
            if state(world, job_id)[0] == "queued":
                world.hint(job_id)
            taken(world, job_id)
        world.pen.work = kill
        with pytest.raises(Killed):
            world.runtime.rendering(poison)
        world.runtime.attempts.end()
        world.pen.work = lambda _request, _progress: b"%PDF-1"
        world.pass_time(21)
        assert world.rescue() == 21
        world.pass_time(1)
    assert (world.job(poison)["status"], world.job(poison)["error_code"]) == ("failed", "worker_died")
    world.uploads = True
    world.run()
    assert {world.job(job_id)["status"] for job_id in uploads} == {"completed"}
    assert {tuple(world.attempts(job_id)) for job_id in uploads} == {("returned",) * 3 + ("completed",)}
    assert world.pen.renders == 20 + 3


def test_an_upload_that_never_ends_counts_as_crashed_in_the_end(world: World) -> None:
    job_id = draw(world)
    for _ in range(rounds.MOST_RETURNS + rounds.MAX_CRASHES):
        taken(world, job_id)
        world.pass_time(21)
        world.rescue()
        if world.job(job_id)["status"] == "failed":
            break
        world.hint(job_id)
    assert world.attempts(job_id) == ["returned"] * rounds.MOST_RETURNS + ["crashed"] * rounds.MAX_CRASHES
    assert world.job(job_id)["error_code"] == "worker_died"


def test_an_upload_beyond_its_limit_counts_as_a_timeout_of_its_own_job(world: World) -> None:
    job_id, other = draw(world), draw(world, code="K2")
    taken(world, job_id)
    world.pass_time(306)
    world.rescue()
    assert world.attempts(job_id) == ["timeout"]
    assert (state(world, other), world.attempts(other)) == (("processing", "storing"), [])


def test_a_stale_uploader_changes_nothing(world: World) -> None:
    job_id = draw(world)
    old = taken(world, job_id)
    world.pass_time(21)
    world.rescue()
    world.hint(job_id)
    world.store()
    before = world.job(job_id)
    assert not rounds.finish(world.db, old.row, "failed", outcome="failed", failure=rounds.CRASH)
    with pytest.raises(Exception, match="taken over"):
        rendered.put_back(world.db, old)
    assert world.job(job_id) == before


def test_a_rate_limit_costs_nothing_pauses_nothing_and_waits_in_its_rank(world: World) -> None:
    first, second = draw(world), draw(world, code="K2")
    world.files.fail = [RateLimited("drive", "slow down", retry_after=0.0)]
    assert world.runtime.storing.step()
    row = world.job(first)
    assert (row["status"], row["stage"], row["lease_until"], row["tries"], row["returns"]) == (
        "processing", "storing", None, 0, 0,
    )  # fmt: skip
    assert world.attempts(first) == []
    assert pauses.in_force(world.db) == {}
    assert rendered.next_due(world.db, 4) == [first, second]
    seen = pace.state(world.db, "drive")
    assert seen is not None
    assert (seen.refused, seen.rate is not None) == (1, True)
    for _ in range(100):
        if {world.job(job_id)["status"] for job_id in (first, second)} == {"completed"}:
            break
        world.runtime.storing.step(0.1)
    assert [world.attempts(job_id) for job_id in (first, second)] == [["completed"], ["completed"]]
    assert world.pen.renders == 2


def test_a_paused_store_is_left_alone_and_nothing_is_lost(world: World) -> None:
    ids = [draw(world, code=f"K{n}") for n in range(5)]
    world.files.fail = [DependencyDown("drive", "away")] * 3
    for _ in range(3):
        world.runtime.board.active(fresh=True)
        world.runtime.storing.step()
    world.runtime.board.active(fresh=True)
    assert world.store() == 0
    assert world.files.puts == 3
    assert all(world.job(job_id)["status"] in ("queued", "processing") for job_id in ids)
    world.db.execute("DELETE FROM pauses")
    world.pass_time(60)
    world.uploads = True
    world.store()
    world.run()
    assert {world.job(job_id)["status"] for job_id in ids} == {"completed"}
    assert {world.job(job_id)["retry_count"] for job_id in ids} == {0}


def test_a_commit_whose_answer_is_lost_at_the_hand_over_loses_nothing(world: World) -> None:
    job_id = world.submit()
    hand_over = rendered.hand_over

    def lost(db: Database, held: Claim, pdf: bytes | None) -> None:
        hand_over(db, held, pdf)
        raise DatabaseDown("The answer was lost.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered, "hand_over", lost)
        world.hint(job_id)
    assert state(world, job_id)[0] == "queued"
    assert world.store() == 0  # its PDF is kept, but no attempt waits with it
    world.uploads = True
    world.run()
    assert (world.job(job_id)["status"], world.pen.renders) == ("completed", 1)


def test_a_kept_pdf_that_somebody_removed_is_drawn_again(world: World) -> None:
    job_id = draw(world)
    world.db.execute("DELETE FROM rendered")
    assert world.store() == 0
    assert world.rescue() == 1
    world.uploads = True
    world.run()
    assert (world.job(job_id)["status"], world.attempts(job_id)) == ("completed", ["returned", "completed"])


def test_from_the_bound_on_only_high_jobs_begin(world_of: WorldOf) -> None:
    world = world_of(keep_rendered=5)
    world.uploads = False
    for n in range(4):
        draw(world, code=f"K{n}")
    seen = world.runtime.backlog._seen
    seen._at = float("-inf")
    normal, high = world.submit("N"), world.submit("H", priority=9)
    assert [hint.key for hint in world.relay()] == [high]  # four fifths: only high jobs are admitted
    world.hint(normal)  # one whose message was in the queue by then begins
    seen._at = float("-inf")
    late = world.submit("L")
    world.hint(late)
    assert state(world, late) == ("queued", None)
    world.hint(high)
    assert state(world, high) == ("processing", "storing")
    world.uploads = True
    world.store()
    seen._at = float("-inf")
    world.run()
    assert world.job(late)["status"] == "completed"


def test_some_uploaders_are_for_high_jobs_alone(world: World) -> None:
    normal, high = draw(world), draw(world, code="H", priority=9)
    world.runtime.storing._busy = world.runtime.settings.uploads - FOR_HIGH_JOBS
    assert world.store() == 1
    assert (world.job(high)["status"], state(world, normal)) == ("completed", ("processing", "storing"))


def test_rendering_goes_on_while_uploads_hang(world: World) -> None:
    hanging, go = threading.Barrier(3), threading.Event()

    def hang() -> None:
        hanging.wait(20)
        go.wait(20)

    world.files.after_put = hang
    first, second = draw(world), draw(world, code="K2")
    threads = [threading.Thread(target=world.runtime.storing.step) for _ in range(2)]
    for thread in threads:
        thread.start()
    hanging.wait(20)
    third = draw(world, code="K3")
    assert state(world, third) == ("processing", "storing")
    assert len(world.runtime.attempts.running()) == 2
    go.set()
    for thread in threads:
        thread.join(20)
    assert world.job(first)["status"] == world.job(second)["status"] == "completed"


def test_who_waits_for_a_pdf_keeps_no_upload_from_ending(world: World) -> None:
    putting, go = threading.Barrier(2), threading.Event()

    def hang() -> None:
        putting.wait(20)
        go.wait(20)

    world.files.after_put = hang
    job_id = draw(world)
    stores = threading.Thread(target=world.runtime.storing.step)
    stores.start()
    putting.wait(20)
    looks = threading.Thread(target=world.runtime.storing.step, args=(300,))  # seconds: nothing comes
    looks.start()
    go.set()
    for thread in (stores, looks):
        thread.join(60)
    assert not stores.is_alive()
    assert not looks.is_alive()  # an uploader that is free again looks at once
    assert (world.job(job_id)["status"], world.runtime.storing._busy) == ("completed", 0)


def test_bytes_that_are_too_many_to_keep_are_stored_by_the_render_thread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "MOST_KEPT", 3)
    job_id = draw(world)
    assert (world.job(job_id)["status"], world.files.puts) == ("completed", 1)


def test_a_waiting_pdf_is_told_its_place_and_what_holds_it(world: World) -> None:
    draw(world, priority=9)
    job_id = draw(world, code="K2")
    limit = "Google Drive's limit: 2.9 writes/s; 120 PDFs wait, about 41 s."
    told = story.of_job(world.db, world.job(job_id), {"pdf": [limit], "webhooks": []})[-1]  # type: ignore[arg-type]
    assert told.lines == ("2 of 2 PDFs that wait for the store", f"but: {limit}")
    pauses.pause(world.db, "dependency:drive", reason="It is away.", by="outage")
    told = story.of_job(world.db, world.job(job_id), {"pdf": [], "webhooks": []})[-1]  # type: ignore[arg-type]
    assert "dependency:drive is paused" in told.lines[1]


def test_what_drew_a_pdf_stays_known_and_a_replay_with_another_template_says_so(world: World) -> None:
    job_id = draw(world)
    world.files.fail = [Permanent("Turned away.", code="drive_permission_denied")]
    world.store()
    world.run()  # the end is recorded
    assert world.job(job_id)["template_version"] == "first"

    def told(current: str) -> list[str]:
        return [event.title for event in story.of_job(world.db, jobs.find(world.db, job_id), {}, current)]  # type: ignore[arg-type]

    changed = "The template has changed: a further try draws another report"
    assert changed not in told("first")
    assert changed in told("second")
    assert rounds.replay(world.db, job_id, by="me") == "replayed"
    world.pen.template = "second"
    with capture_logs() as logs:
        world.hint(job_id)
    [entry] = [entry for entry in logs if entry["event"] == "job.template_changed"]
    assert (entry["before"], entry["now"]) == ("first", "second")
    world.pen.template = "third"  # the kept PDF is the second's, whatever the template is by now
    world.files.fail = [Transient("no")]
    world.store()
    world.pass_time(10)
    world.hint(job_id)
    world.store()
    world.run()
    end = world.runtime.documents.find_end(job_id)
    assert end is not None
    assert (world.job(job_id)["template_version"], end.status, end.template_version) == (
        "second",
        "completed",
        "second",
    )
    assert "template second" in [line for event in story.of_end(end) for line in event.lines]
    assert changed not in told("third")


def test_a_template_that_refuses_the_data_is_known(world: World) -> None:
    def work(*_: object) -> bytes:
        raise Permanent("No name.", code="invalid_data")

    world.pen.work = work
    job_id = draw(world)
    assert (world.job(job_id)["status"], world.job(job_id)["template_version"]) == ("failed", "first")
