"""DESIGN §2.8, §2.10, §2.14: a crowd that must wait delays no other callback, and the order stays turn, then time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schema.callbacks.urls import lane_key
from schema.rows import deliveries, pauses
from tests.protocol.kit import World

AWAY = "away.example:443"
CROWD = 700  # more than a look reads of the line, and more than a page of the oldest
WorldOf = Callable[..., World]


@pytest.fixture
def world(world_of: WorldOf) -> World:
    """One with room for many callbacks."""
    world = world_of(webhook_threads=30, webhook_host_share=4)
    world.db.execute(
        "INSERT INTO workers (worker_id, kind, host, pid, threads, version, started_at, seen_at) "
        f"VALUES ('w/webhooks','webhooks','h',1,30,'0',{world.db.now()},{world.db.now()})"
    )
    return world


def owe(
    world: World,
    host: str,
    count: int = 1,
    *,
    turn: int = 4,
    since: float = 60,
    due: float = -60,
    url: str = "https://h/x",
) -> list[str]:
    """So many callbacks to a host, owed for `since` seconds and due in `due` seconds; their ids."""
    db = world.db
    start = int(db.scalar("SELECT COUNT(*) FROM deliveries"))
    ids = [f"dlv_{n:06}" for n in range(start, start + count)]
    moments = f"{db.later(-since)},{db.later(due)}"
    for first in range(0, count, 500):
        some = ids[first : first + 500]
        db.execute(
            "INSERT INTO deliveries (delivery_id, job_id, round, event, url, host, record, turn, owed_at, run_at) VALUES "
            + ",".join([f"(%s,%s,1,'completed',%s,%s,'{{}}',%s,{moments})"] * len(some)),
            [value for key in some for value in (key, f"pdf_{key}", url, host, turn)],
        )
    return ids


def published(world: World) -> list[str]:
    return [hint.key for hint in world.relay()]


def test_open_hosts_are_told_although_a_crowd_stands_before_them(world: World) -> None:
    owe(world, AWAY, CROWD, turn=0)
    pauses.pause(world.db, f"host:{AWAY}", reason="away", by="ani")
    [late] = owe(world, "b.example:443", due=-10)
    [early] = owe(world, "c.example:443", due=-30)
    [urgent] = owe(world, "d.example:443", turn=2, due=-1)
    owe(world, "e.example:443", due=60)
    [recorded_only] = owe(world, "", due=-20)
    assert published(world) == [urgent, early, recorded_only, late]
    assert published(world) == []


def test_a_host_with_its_share_keeps_no_other_waiting(world: World) -> None:
    crowd = owe(world, "slow.example:443", CROWD)
    assert published(world) == crowd[:4]
    [other] = owe(world, "other.example:443")
    assert published(world) == [other]
    world.db.execute("UPDATE deliveries SET status='delivered' WHERE delivery_id=%s", (crowd[0],))
    assert published(world) == [crowd[4]]


def test_a_crowd_of_a_paused_path_keeps_no_other_path_waiting(world: World) -> None:
    """Neither of its host nor of others; and its lane and its host have one share."""
    slow, host = "https://n8n.example/webhook/slow?n=1", "n8n.example:443"
    crowd = owe(world, host, CROWD, url=slow)
    pauses.pause(world.db, f"host:{lane_key(slow)}", reason="slow", by=pauses.OUTAGE, seconds=900)
    fast = owe(world, host, 6, due=-1, url="https://n8n.example/webhook/fast")
    [other] = owe(world, "other.example:443", due=-2)
    assert published(world) == [other, *fast[:4]]
    assert published(world) == []
    assert world.db.scalar("SELECT COUNT(*) FROM deliveries WHERE host=%s", (lane_key(slow),)) == CROWD
    world.db.execute("UPDATE deliveries SET status='delivered' WHERE delivery_id=%s", (fast[0],))
    assert published(world) == fast[4:5]
    pauses.resume(world.db, f"host:{lane_key(slow)}")
    assert published(world) == [], "the host has its share"
    world.db.execute("UPDATE deliveries SET status='delivered' WHERE host=%s AND published_at IS NOT NULL", (host,))
    assert published(world) == crowd[:4]


def test_a_slow_path_that_holds_its_hosts_share_leaves_half_as_much_to_other_paths(world: World) -> None:
    """It would else be as long as a time-out until anybody else is told. More than that no host gets."""
    slow, host = "https://n8n.example/webhook/slow?n=1", "n8n.example:443"
    crowd = owe(world, host, CROWD, url=slow)
    fast = owe(world, host, 6, due=-1, url="https://n8n.example/webhook/fast")
    assert published(world) == crowd[:4]
    for key in crowd[:4]:
        assert not isinstance(deliveries.claim(world.db, key, worker_id="w", lease=60, timeout=60), str)
    assert published(world) == [], "they may yet be quick"
    world.db.execute(f"UPDATE deliveries SET attempt_started_at={world.db.later(-4)} WHERE status='processing'")
    assert published(world) == fast[:2]
    assert published(world) == []
    world.db.execute("UPDATE deliveries SET status='delivered' WHERE status='processing'")
    assert published(world) == crowd[4:6], "the path goes on, within the host's share"


def test_hosts_are_reached_in_turns_when_they_are_many(world: World) -> None:
    owe(world, AWAY, CROWD)
    pauses.pause(world.db, f"host:{AWAY}", reason="away", by="ani")
    for number in range(120):
        owe(world, f"h{number:03}.example:443", due=60)
    last = owe(world, "z.example:443", 2, due=-1)
    found = [key for _ in range(4) for key in published(world)]
    assert found == last


def test_what_waits_for_a_later_try_keeps_nobody_waiting(world: World) -> None:
    """Also in a turn that goes first."""
    owe(world, "a.example:443", CROWD, turn=0, due=3600)
    [due] = owe(world, "a.example:443", turn=9)
    assert published(world) == [due]


def test_what_is_owed_too_long_dies_whatever_the_pause_and_whoever_stands_before_it(world: World) -> None:
    """Before it in age stand callbacks that wait for a later try, and some that were sent again by hand lately."""
    day = world.runtime.settings.delivery_deadline
    owe(world, "a.example:443", CROWD, since=day + 900, due=3600)
    again = owe(world, AWAY, CROWD, since=day + 800)
    world.db.execute(f"UPDATE deliveries SET budget_at={world.db.now()} WHERE host=%s", (AWAY,))
    [dying] = owe(world, AWAY, since=day + 10)
    pauses.pause(world.db, f"host:{AWAY}", reason="away", by="ani")
    found = [key for _ in range(4) for key in published(world)]
    assert found == [dying]
    assert deliveries.in_flight_by_host(world.db) == {AWAY: 1}
    assert len(again) == CROWD


def test_what_is_recorded_goes_on_while_mongodb_is_away(world: World) -> None:
    day = world.runtime.settings.delivery_deadline
    owe(world, "a.example:443", 20)
    recorded = owe(world, "a.example:443", 2)
    [dying] = owe(world, "b.example:443", since=day + 10)
    marks = ",".join(["%s"] * len(recorded))
    world.db.execute(
        f"UPDATE deliveries SET recorded_at={world.db.now()} WHERE delivery_id IN ({marks})", tuple(recorded)
    )
    pauses.pause(world.db, "dependency:mongodb", reason="away", by="ani")
    assert published(world) == [*recorded, dying]
