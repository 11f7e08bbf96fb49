"""A callback whose host is as long as DNS allows ends its job, is told, and can be paused like any other."""

from __future__ import annotations

from schema.callbacks.urls import host_key
from tests.protocol.kit import World, answer

HOST = "a." * 125 + "lan"  # 253 characters; such were accepted once, and may stand in rows
CALLBACK = f"http://{HOST}:56789/webhook/x"


def test_a_long_host_ends_its_round_and_is_paused_like_any_other(world: World) -> None:
    jobs = [world.submit(f"K{number}", callback=CALLBACK) for number in range(5)]
    world.mouth.answers = [answer(None, "", "connect") for _ in jobs]
    world.run()
    assert {world.job(job_id)["status"] for job_id in jobs} == {"completed"}
    paused = world.db.fetch_all("SELECT scope FROM pauses")
    assert [row["scope"] for row in paused] == [f"host:{host_key(CALLBACK)}"]
    world.pass_time(60)
    world.run()
    for _ in range(3):  # the probe lifts the pause, then the others follow
        world.pass_time(60)
        world.run()
    assert {world.delivery(job_id)["status"] for job_id in jobs} == {"delivered"}
