"""DESIGN §2.16: a preview is worked on as a job is, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ulid import ULID

from actors.housekeeping.retention import Retention
from schema.errors import Cancelled, LeaseLost, Permanent, Transient
from schema.http.queries import ListQuery
from schema.life import previews, rounds
from schema.life.retention import PREVIEWS
from schema.metrics import table as metrics
from schema.ports import RenderRequest
from schema.rows import deliveries, jobs, listing, rendered, signs
from schema.rows.jobs import HIGHEST, PREVIEW, NewJob
from schema.sql.database import Database
from tests.protocol.kit import World

LEFT = ("report_data", "rendered", "attempts", "deliveries", "dead_letters", "report_results")


def asked(world: World) -> str:
    """A preview that the API has just written."""
    job = NewJob(f"{PREVIEW}{ULID()}", "", "p", priority=HIGHEST, inline=b'{"name":"x"}')
    jobs.submit(world.db, job)
    return job.job_id


def nothing_is_left(world: World) -> bool:
    rows = [world.db.scalar(f"SELECT COUNT(*) FROM {table}") for table in (*LEFT, "pdf_job_results")]
    return not any(rows) and not world.reports.ends and not world.files.puts and not world.published.hints


def aged(world: World, seconds: float) -> None:
    world.db.execute(f"UPDATE pdf_job_results SET ended_at={world.db.later(-seconds)} WHERE job_id > %s", (PREVIEW,))


def test_a_worker_draws_it_and_who_waits_takes_it_away(world: World) -> None:
    seen: list[RenderRequest] = []
    world.pen.work = lambda request, progress: seen.append(request) or b"%PDF-preview"  # type: ignore[func-returns-value]
    preview = asked(world)
    world.run()
    assert [(one.preview, one.report, one.document_id) for one in seen] == [(True, {"name": "x"}, preview)]
    assert world.job(preview)["status"] == "completed"
    assert world.job(preview)["artifact_id"] is None
    assert deliveries.of_job(world.db, preview) == []
    row, pdf = previews.take(world.db, preview)
    assert row is not None
    assert (row["status"], pdf) == ("completed", b"%PDF-preview")
    assert nothing_is_left(world)
    assert previews.take(world.db, preview) == (None, None)


def test_a_report_is_still_no_preview(world: World) -> None:
    seen: list[RenderRequest] = []
    world.pen.work = lambda request, progress: seen.append(request) or b"%PDF"  # type: ignore[func-returns-value]
    job_id = world.submit()
    world.run()
    assert [one.preview for one in seen] == [False]
    assert (world.files.puts, world.delivery(job_id)["status"]) == (1, "recorded")


def test_it_goes_before_others_and_while_the_store_is_slow(world_of: Callable[..., World]) -> None:
    world = world_of(keep_rendered=1)
    world.uploads = False
    world.hint(world.submit())  # its PDF fills what may wait for the store
    normal, preview = world.submit(), asked(world)
    world.runtime.backlog._seen._at = float("-inf")
    assert [hint.key for hint in world.relay()] == [preview]
    world.hint(normal)
    world.hint(preview)
    assert (world.job(normal)["status"], world.job(preview)["status"]) == ("queued", "completed")
    assert sum(row["count"] for row in rendered.waiting(world.db)) == 1  # the preview waits for no store
    assert world.store() == 1
    assert previews.take(world.db, preview)[1] == b"%PDF-1"


@pytest.mark.parametrize("error", [Permanent("It is wrong.", code="invalid_data"), KeyError("x")])
def test_one_that_fails_has_an_error_and_no_dead_letter(world_of: Callable[..., World], error: Exception) -> None:
    world = world_of(retry_attempts=0)

    def fail(request: RenderRequest, progress: object) -> bytes:
        raise error

    world.pen.work = fail
    preview = asked(world)
    world.run()
    assert world.letters(preview) == []
    row, pdf = previews.take(world.db, preview)
    assert row is not None
    assert pdf is None
    assert (row["status"], row["error_code"]) == ("failed", getattr(error, "code", "internal_error"))
    assert nothing_is_left(world)


def test_it_is_tried_again_as_every_job_is(world: World) -> None:
    answers: list[Exception | bytes] = [Transient("later"), b"%PDF-2"]

    def work(request: RenderRequest, progress: object) -> bytes:
        now = answers.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    world.pen.work = work
    preview = asked(world)
    world.run()
    assert world.job(preview)["status"] == "queued"
    world.pass_time(60)
    world.run()
    assert world.attempts(preview) == ["failed", "completed"]
    assert previews.take(world.db, preview)[1] == b"%PDF-2"


def test_one_that_is_too_large_to_be_kept_fails(world: World) -> None:
    world.pen.work = lambda request, progress: b"%" * (rendered.MOST_KEPT + 1)
    preview = asked(world)
    world.run()
    assert (world.job(preview)["status"], world.job(preview)["error_code"]) == ("failed", "preview_too_large")
    assert world.files.puts == 0


def test_a_start_that_has_lost_its_lease_keeps_nothing(world: World, db: Database) -> None:
    preview = asked(world)
    first = jobs.claim(db, preview, worker_id="w1", lease=-1, timeout=300)
    assert isinstance(first, jobs.Claim)
    assert world.rescue() == 1
    second = jobs.claim(db, preview, worker_id="w2", lease=20, timeout=300)
    assert isinstance(second, jobs.Claim)
    assert not previews.finish(db, first, b"%PDF-stale")
    assert previews.finish(db, second, b"%PDF-new")
    assert not previews.finish(db, second, b"%PDF-twice")
    with pytest.raises(LeaseLost):
        jobs.show_progress(db, first, "rendering", 10, 20)
    assert previews.take(db, preview)[1] == b"%PDF-new"


def test_three_deaths_end_it_without_a_letter(world: World, db: Database) -> None:
    preview = asked(world)
    for _ in range(3):
        assert isinstance(jobs.claim(db, preview, worker_id="w", lease=-1, timeout=300), jobs.Claim)
        assert world.rescue() == 1
    row, _ = previews.take(db, preview)
    assert row is not None
    assert (row["status"], row["error_code"]) == ("failed", "worker_died")
    assert nothing_is_left(world)


def test_when_the_wait_is_over_it_is_given_up(world: World, db: Database) -> None:
    waiting, running = asked(world), asked(world)
    row, pdf = previews.take(db, waiting)
    assert row is not None
    assert (row["status"], pdf) == ("cancelled", None)
    assert jobs.find(db, waiting) is None

    held = jobs.claim(db, running, worker_id="w", lease=20, timeout=300)
    assert isinstance(held, jobs.Claim)
    row, pdf = previews.take(db, running)
    assert row is not None
    assert (row["status"], pdf) == ("processing", None)
    with pytest.raises(Cancelled):
        jobs.show_progress(db, held, "rendering", 10, 20)
    assert rounds.finish(db, held.row, "cancelled", outcome="returned")
    aged(world, PREVIEWS + 1)
    Retention(db, keep=3600, keep_letters=3600).step()
    assert nothing_is_left(world)


def test_what_nobody_took_goes_after_minutes_and_not_before(world: World, db: Database) -> None:
    kept, waits, report = asked(world), asked(world), world.submit()
    for job_id in (kept, report):
        world.hint(job_id)
    world.hint(deliveries.of_job(db, report)[0]["delivery_id"], "webhooks")
    retention = Retention(db, keep=3600, keep_letters=3600)
    for age, left in ((PREVIEWS - 60, {kept, waits, report}), (PREVIEWS + 1, {waits, report})):
        aged(world, age)
        db.execute(f"UPDATE pdf_job_results SET ended_at={db.later(-age)} WHERE job_id=%s", (report,))
        db.execute("UPDATE pdf_job_results SET ended_at=NULL WHERE job_id=%s", (waits,))
        retention.step()
        assert {row["job_id"] for row in db.fetch_all("SELECT job_id FROM pdf_job_results")} == left
    assert db.scalar("SELECT COUNT(*) FROM rendered") == 0


def test_it_is_no_report_in_lists_signs_and_counts(world: World, db: Database) -> None:
    report = world.submit()
    for _ in range(3):
        world.hint(asked(world))
    rows, more = listing.page(db, ListQuery())
    assert ([row["job_id"] for row in rows], more) == ([report], False)
    assert listing.page(db, ListQuery(status="completed"))[0] == []
    assert signs.read(db, world.runtime.settings).ends == []
    reports = {one.name for one in (metrics.JOBS_ENDED, metrics.ATTEMPTS, metrics.QUEUE_WAIT, metrics.END_TO_END)}
    counted = world.runtime.storing.meters._meters._series
    assert not reports & {name for _, name, _ in counted}
    world.hint(report)
    assert reports <= {name for _, name, _ in counted}
    assert [end["status"] for end in signs.read(db, world.runtime.settings).ends] == ["completed"]
