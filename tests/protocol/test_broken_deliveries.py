"""DESIGN §2.10: whatever is odd about a delivery, its round is told or stops with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schema.errors import Permanent
from schema.metrics import labels
from tests.protocol.kit import World, answer

URL = "https://hooks.example/webhook/x"


@pytest.mark.parametrize("meta", [{"a": 1}, [1, "two"], "text", 7, False])
def test_meta_of_any_kind_is_echoed(world: World, meta: Any) -> None:
    """`meta` is any JSON value, not only an object."""
    job_id = world.submit(callback=URL, meta=json.dumps(meta).encode())
    world.run()
    assert world.delivery(job_id)["status"] == "delivered"
    assert [body["meta"] for body in world.mouth.bodies] == [meta]


def test_a_record_that_cannot_be_kept_stops_the_delivery_with_its_reason(world: World) -> None:
    world.reports.fail = [Permanent("The document cannot be kept in MongoDB.", code="invalid_data")]
    job_id = world.submit(callback=URL)
    world.run()
    assert (world.delivery(job_id)["status"], world.delivery(job_id)["error_code"]) == ("dead", "invalid_data")
    assert [letter["kind"] for letter in world.letters(job_id)] == ["delivery"]


def test_a_delivery_that_always_breaks_is_buried_after_three_starts(world: World) -> None:
    def broken(post: object) -> None:
        raise RuntimeError("a mistake of ours with https://hooks.example/webhook-waiting/7?signature=abc")

    world.mouth.before = broken
    job_id = world.submit(callback=URL)
    world.run()
    for _ in range(2):
        world.pass_time(60)
        world.run()
    delivery = world.delivery(job_id)
    assert (delivery["status"], delivery["error_code"], delivery["start_no"]) == ("dead", "internal_error", 3)
    assert "RuntimeError" in delivery["hint"]
    [letter] = world.letters(job_id)
    assert "a mistake of ours" in letter["traceback"]
    assert "signature=abc" not in letter["traceback"]
    assert "mistake" not in delivery["hint"]


def test_every_callback_that_is_given_up_is_counted_with_its_code(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an answer, when it was owed for too long, when it cannot be prepared: one count for each dead letter."""
    counted: list[str] = []
    monkeypatch.setattr(world.runtime.worker_meters, "given_up", counted.append)
    world.mouth.answers = [answer(410)]
    gone = world.submit(callback=URL)
    world.run()
    old = world.submit(callback=URL)
    world.hint(world.relay()[0])
    world.db.execute(f"UPDATE deliveries SET owed_at={world.db.later(-300_000)} WHERE job_id=%s", (old,))
    world.run()
    world.reports.fail = [Permanent("The document cannot be kept in MongoDB.", code="invalid_data")]
    broken = world.submit(callback=URL)
    world.run()
    assert counted == ["webhook_gone", "webhook_too_old", "invalid_data"]
    assert [world.letters(job)[0]["error_code"] for job in (gone, old, broken)] == counted
    assert set(counted) <= set(labels.GIVEN_UP_CODES)
