"""Submissions that share a statement: each caller is told its own outcome, and no row is lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ops.servers.process import wait_until
from schema.rows import jobs
from schema.rows.jobs import NewJob
from schema.sql.database import Database, DatabaseDown
from service.intake import Intake
from tests.protocol.kit import World


def job(number: int, **more: Any) -> NewJob:
    return NewJob(job_id=f"pdf_intake_{number:04}", code=f"c{number}", product_id="p", **more)


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch, world: World) -> Callable[[list[NewJob]], list[BaseException | None]]:
    """Submits the first job, and all others while its statement is on its way."""

    def submit(asked: list[NewJob]) -> list[BaseException | None]:
        intake = Intake(world.db, lambda: None)
        begun, go_on = threading.Event(), threading.Event()
        write_all = jobs.submit_all

        def held(db: Database, together: list[NewJob]) -> None:
            begun.set()
            assert go_on.wait(30)
            write_all(db, together)

        monkeypatch.setattr(jobs, "submit_all", held)
        with ThreadPoolExecutor(len(asked)) as pool:
            first = pool.submit(intake.submit, asked[0])
            assert begun.wait(30)
            others = [pool.submit(intake.submit, one) for one in asked[1:]]
            wait_until(lambda: len(intake._waiting) == len(asked) - 1, 30, "the others wait")
            go_on.set()
            return [one.exception(timeout=30) for one in (first, *others)]

    return submit


def written(world: World) -> list[str]:
    rows = world.db.fetch_all("SELECT job_id FROM pdf_job_results WHERE job_id LIKE 'pdf_intake_%%' ORDER BY job_id")
    return [row["job_id"] for row in rows]


def test_those_who_come_meanwhile_share_the_next_statement(world: World, gathered: Any) -> None:
    asked = [
        job(0),
        job(1, callback="https://example.com/a"),
        job(2, priority=9, meta=b'{"a":1}', owner="n8n"),
        job(3, priority=0, request_id="r3"),
    ]

    assert gathered(asked) == [None] * 4

    assert written(world) == [one.job_id for one in asked]
    second, third = jobs.find(world.db, asked[1].job_id), jobs.find(world.db, asked[2].job_id)
    assert second is not None
    assert third is not None
    assert (second["callback"], second["owner"], second["turn"], second["meta"]) == (
        "https://example.com/a",
        "",
        4,
        None,
    )
    assert (third["callback"], third["owner"], third["turn"], third["meta"]) == (None, "n8n", 0, '{"a":1}')
    assert second["requested_at"] == third["requested_at"]
    assert second["status"] == "queued"
    assert second["inline_data"] == 0


def test_a_row_that_is_there_already_harms_nobody_else(world: World, gathered: Any) -> None:
    jobs.submit(world.db, job(2))

    assert gathered([job(0), job(1), job(2), job(3)]) == [None] * 4

    assert written(world) == [job(n).job_id for n in range(4)]


def test_everybody_is_told_that_the_database_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch, gathered: Any
) -> None:
    def away(db: Database, together: list[NewJob]) -> None:
        raise DatabaseDown("gone")

    monkeypatch.setattr(jobs, "submit_all", away)

    errors = gathered([job(0), job(1), job(2)])

    assert [type(error) for error in errors] == [DatabaseDown] * 3


def test_many_threads_lose_and_double_nothing(world: World) -> None:
    intake = Intake(world.db, lambda: None)

    def submit(first: int) -> None:
        for number in range(first, first + 25):
            intake.submit(job(number, callback=None if number % 3 else "https://example.com/"))
        world.db.close()

    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(submit, first) for first in range(0, 200, 25)]:
            one.result(60)

    assert written(world) == [job(n).job_id for n in range(200)]


def test_every_commit_wakes_the_relay_once(world: World) -> None:
    woken: list[str] = []
    intake = Intake(world.db, lambda: woken.append(",".join(written(world))))

    intake.submit(job(0))
    intake.submit(job(1, inline=b"{}"))
    intake.submit(job(2, idempotency_key="k"))

    ids = [job(number).job_id for number in range(3)]
    assert woken == [",".join(ids[:count]) for count in (1, 2, 3)]  # and not before it was written


def test_a_row_that_the_database_cannot_take_refuses_no_other(world: World, gathered: Any) -> None:
    """Whatever is wrong with it: only a duplicate was told apart before."""
    outcomes = gathered([job(0), job(1), job(2, priority=10**30), job(3)])
    assert [outcome is None for outcome in outcomes] == [True, True, False, True]
    assert not isinstance(outcomes[2], DatabaseDown)
    assert written(world) == [f"pdf_intake_{number:04}" for number in (0, 1, 3)]
