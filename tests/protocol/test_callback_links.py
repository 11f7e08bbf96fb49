"""With REPORTQ_CALLBACK_LINK_FOR a callback carries a link that needs no key, in place of our own download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schema.rows import links
from tests.protocol.kit import World, answer

URL = "https://hooks.example/webhook/x"
OURS = "http://127.0.0.1:8000/api/jobs/"


@pytest.fixture
def folder(world_of: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """A world whose PDFs are downloaded from us, as a folder's are."""

    def make(**settings: Any) -> World:
        world = world_of(**settings)
        monkeypatch.setattr(world.files, "put", lambda *_, **__: None)
        return world

    return make


def test_each_post_has_a_link_of_its_own_and_the_record_keeps_the_download(folder: Callable[..., World]) -> None:
    world = folder(callback_link_for=3600.0)
    world.mouth.answers = [answer(None, failure="timeout")]
    job_id = world.submit(callback=URL)
    world.run()
    world.db.execute("UPDATE deliveries SET run_at=owed_at")
    world.run()
    told = [body["google_drive_link"] for body in world.mouth.bodies]
    assert len(set(told)) == 2
    for link in told:
        base, _, token = link.rpartition("/")
        assert base == "http://127.0.0.1:8000/l"
        found = links.spend(world.db, token)
        assert found is not None
        assert (found["job_id"], found["uses_left"]) == (job_id, None)
    assert world.reports.ends[-1].google_drive_link == f"{OURS}{job_id}/download"
    assert told[0] not in str(world.db.fetch_all("SELECT * FROM links"))


def test_without_the_setting_and_for_a_failure_there_is_none(folder: Callable[..., World]) -> None:
    world = folder()
    job_id = world.submit(callback=URL)
    world.run()
    assert world.mouth.bodies[0]["google_drive_link"] == f"{OURS}{job_id}/download"
    world = folder(callback_link_for=3600.0)
    world.reports.missing.add("K1")
    world.submit("K1", callback=URL)
    world.run()
    assert world.mouth.bodies[-1]["status"] == "failed"
    assert world.db.scalar("SELECT COUNT(*) FROM links") == 0


def test_a_link_of_the_store_stays(world_of: Callable[..., World]) -> None:
    world = world_of(callback_link_for=3600.0)
    world.submit(callback=URL)
    world.run()
    assert world.mouth.bodies[0]["google_drive_link"].startswith("https://drive.example/")
