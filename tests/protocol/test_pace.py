"""The pace's row: shared by all who write, counted by the database's clock, locked only for a moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec

from schema.rows import pace, pacer
from schema.sql.database import Database
from tests.protocol.kit import World


def test_nothing_is_known_of_a_service_that_nobody_has_written_to(world: World) -> None:
    assert pace.state(world.db, "drive") is None


def test_the_first_writes_go_at_the_settings_rate_and_the_others_wait(world: World) -> None:
    granted = [pace.take(world.db, "drive", 3, start=5) for _ in range(3)]
    assert [grant.count for grant in granted] == [3, 2, 0]
    assert 0 < granted[2].wait <= 1
    assert [grant.number for grant in granted[:2]] == [3, 5]


def test_processes_that_ask_first_at_the_same_moment_share_one_row(world: World, url_of: str) -> None:
    def ask(_: int) -> int:
        own = Database(url_of)
        try:
            return pace.take(own, "drive", 1, start=5).count
        finally:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(16))) == 5


def test_a_refusal_is_a_limit_and_holds_everybody_back(world: World) -> None:
    grant = pace.take(world.db, "drive", 5, start=5)
    pace.note(world.db, "drive", grant, written=3, refused=2)

    seen = pace.state(world.db, "drive")
    assert seen is not None
    assert (seen.written, seen.refused) == (3, 2)
    assert seen.rate is not None
    assert 0 < seen.rate < 5
    again = pace.take(world.db, "drive", 1, start=5)
    assert again.count == 0
    assert 0 < again.wait <= pacer.RESERVE / seen.rate + 0.01


def test_retry_after_is_honoured(world: World) -> None:
    grant = pace.take(world.db, "drive", 1, start=5)
    pace.note(world.db, "drive", grant, refused=1, retry_after=120)
    assert 119 < pace.take(world.db, "drive", 1, start=5).wait <= 120


def test_no_refusal_is_no_limit(world: World) -> None:
    pace.note(world.db, "drive", pace.take(world.db, "drive", 5, start=5), written=5)
    seen = pace.state(world.db, "drive")
    assert seen is not None
    kept = msgspec.json.decode(world.db.scalar("SELECT pace FROM paces"))
    assert (seen.rate, kept["held_until"], seen.written) == (None, 0, 5)


def test_a_row_that_another_version_wrote_begins_anew(world: World) -> None:
    pace.take(world.db, "drive", 5, start=5)
    world.db.execute("UPDATE paces SET pace='[]'")
    assert pace.take(world.db, "drive", 9, start=5).count == 5
