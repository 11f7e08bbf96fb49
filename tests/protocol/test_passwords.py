"""A PDF's password: a row holds it sealed as long as the job may be drawn again, and nothing else ever holds it."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable

import pytest

from schema.life import retention, rounds
from schema.ports import RenderRequest
from schema.rows import passwords
from schema.rows.jobs import find
from schema.settings import Settings
from tests.protocol.kit import TABLES, World

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
WORD = "sesame-4711"
CALLBACK = "https://hooks.example/webhook/x"


@pytest.fixture
def drawn() -> list[str | None]:
    """With which password each PDF was drawn."""
    return []


@pytest.fixture
def world(world_of: Callable[..., World], drawn: list[str | None]) -> World:
    made = world_of(password_keys=KEY)

    def work(request: RenderRequest, progress: object) -> bytes:
        drawn.append(request.password)
        return b"%PDF-locked"

    made.pen.work = work
    return made


def submit(world: World, code: str = "K1", keys: str = KEY) -> str:
    return world.submit(code, callback=CALLBACK, sealed_password=passwords.sealed([keys], WORD))


def kept(world: World, job_id: str) -> str | None:
    row = find(world.db, job_id)
    assert row is not None
    return row["sealed_password"]


def with_keys(world: World, keys: str) -> None:
    rendering = world.runtime.rendering
    rendering.settings = dataclasses.replace(rendering.settings, password_keys=keys)


def everything(world: World) -> str:
    """Every row, message, record and POST."""
    rows = [str(row) for table in TABLES for row in world.db.fetch_all(f"SELECT * FROM {table}")]
    return "\n".join([*rows, str(world.reports.ends), str(world.mouth.posts), str(world.published.hints)])


def test_the_pdf_is_drawn_with_it_and_then_it_is_gone(world: World, drawn: list[str | None]) -> None:
    job_id, bare = submit(world), world.submit()
    assert kept(world, job_id)
    world.run()
    assert drawn == [WORD, None]
    assert [world.job(one)["status"] for one in (job_id, bare)] == ["completed"] * 2
    assert kept(world, job_id) is None
    assert WORD not in everything(world)
    assert world.mouth.bodies


def test_each_try_and_each_replay_draws_with_the_same(world: World, drawn: list[str | None]) -> None:
    job_id = submit(world, "gone")
    world.reports.missing.add("gone")
    world.run()
    assert (world.job(job_id)["status"], drawn) == ("failed", [])
    assert kept(world, job_id)
    assert rounds.replay(world.db, job_id, by="t") == "replayed"
    assert rounds.cancel(world.db, job_id) == "cancelled"
    assert kept(world, job_id)
    assert rounds.replay(world.db, job_id, by="t") == "replayed"
    world.reports.missing.clear()
    [hint] = world.relay()[-1:]
    world.uploads = False
    world.hint(hint)  # drawn and kept; then its uploader dies
    assert world.db.execute("DELETE FROM rendered") == 1
    world.db.execute("UPDATE pdf_job_results SET stage='storing', lease_until=NULL, attempt_started_at=NULL")
    world.uploads = True
    world.rescue()
    world.pass_time(600)
    world.run()
    assert (world.job(job_id)["status"], set(drawn)) == ("completed", {WORD})
    assert len(drawn) == 2
    assert kept(world, job_id) is None
    assert WORD not in everything(world)


def test_a_worker_without_the_key_draws_nothing_and_the_next_one_does(world: World, drawn: list[str | None]) -> None:
    job_id = submit(world)
    for keys in ("", OTHER):
        with_keys(world, keys)
        world.relay()
        world.hint(job_id)
        world.pass_time(600)
    row = world.job(job_id)
    assert (row["status"], row["error_code"], world.attempts(job_id)) == (
        "queued",
        "password_unreadable",
        ["failed"] * 2,
    )
    assert not drawn
    with_keys(world, f"{OTHER},{KEY}")
    world.run()
    assert (world.job(job_id)["status"], drawn) == ("completed", [WORD])


def test_without_any_key_it_dies_in_plain_words_and_is_replayed_with_it(world: World, drawn: list[str | None]) -> None:
    job_id = submit(world)
    with_keys(world, OTHER)
    for _ in range(4):
        world.relay()
        world.hint(job_id)
        world.pass_time(600)
    [letter] = world.letters(job_id)
    assert (letter["error_code"], world.job(job_id)["status"]) == ("password_unreadable", "failed")
    assert WORD not in everything(world)
    with_keys(world, KEY)
    assert rounds.replay(world.db, job_id, by="t") == "replayed"
    world.run()
    assert drawn == [WORD]


def test_it_goes_with_the_row(world: World) -> None:
    job_id = submit(world, "gone")
    world.reports.missing.add("gone")
    world.run()
    held = kept(world, job_id)
    assert held
    world.db.transaction(lambda: retention.remove(world.db, [job_id]))
    assert held not in everything(world)


def test_the_settings_that_seal_are_those_that_open(world: World) -> None:
    assert Settings(password_keys=KEY).sealing_keys == world.runtime.settings.sealing_keys
