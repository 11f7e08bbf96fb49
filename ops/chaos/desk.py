"""What people and other programs do to RabbitMQ: letters moved to the wrong queue, messages that are none of ours."""

import json
import time
from typing import Any

from ops.chaos.schedule import Fault
from ops.chaos.strikes import Strikes
from schema.rows.messages import ACTORS, QUEUES, RENDER, WEBHOOKS, xq

MEGABYTE = 1_000_000
TRIES = 60.0  # seconds a fault waits for a letter that it can move, or for a broker that is away


def letters(strikes: Strikes, fault: Fault, what: str) -> int:
    """Letters moved to the other queue's workers, or a message in `.XQ` that is larger than a row may be."""
    if what.startswith("huge-"):
        queue = QUEUES[fault.luck % len(QUEUES)]
        body = b"\xfe" * (int(what.removeprefix("huge-")) * MEGABYTE)
        return strikes.until_done(lambda: strikes.publish([(xq(queue), body)]), TRIES)
    source, _, destination = what.partition("-to-")

    def move() -> int:
        count = strikes.stack.rabbitmq.waiting(source)
        if count:
            strikes.stack.rabbitmq.move(source, destination)
        return count

    return strikes.until_done(move, TRIES)


def messages(strikes: Strikes, fault: Fault, what: str) -> int:
    """Messages that are wrong in every way that somebody has thought of, into both queues."""
    bodies = [(queue, body) for queue in QUEUES for body in malformed(queue)]
    return strikes.until_done(lambda: strikes.publish(bodies), TRIES)


def malformed(queue: str) -> list[bytes]:
    """Bodies that no worker of this queue can take."""
    right: dict[str, Any] = {
        "queue_name": queue, "actor_name": ACTORS[queue], "args": ["nobody"], "kwargs": {}, "options": {},
        "message_id": "by-hand", "message_timestamp": 1,
    }  # fmt: skip
    other = WEBHOOKS if queue == RENDER else RENDER
    in_an_hour = int((time.time() + 3600) * 1000)
    wrong: list[dict[str, Any]] = [
        {"options": None}, {"options": []}, {"options": {"eta": in_an_hour}}, {"options": {"eta": "soon"}},
        {"options": {"retries": "many"}}, {"options": {"dead_letter_id": 7}}, {"options": {"time_limit": "long"}},
        {"args": None}, {"args": []}, {"args": [1]}, {"args": [None]}, {"args": [["nobody"]]}, {"args": ["a", "b"]},
        {"args": "nobody"}, {"kwargs": None}, {"kwargs": []}, {"kwargs": {"job_id": 1}}, {"message_id": None},
        {"message_id": 7}, {"message_timestamp": "now"}, {"actor_name": None}, {"actor_name": 7},
        {"actor_name": "no_such_actor"}, {"actor_name": ACTORS[other]}, {"queue_name": other}, {"queue_name": None},
        {"queue_name": "no_such_queue"},
    ]  # fmt: skip
    missing = [{name: value for name, value in right.items() if name != gone} for gone in right]
    bodies = [json.dumps(body).encode() for body in [*({**right, **one} for one in wrong), *missing]]
    deep = b"[" * 100_000 + b"]" * 100_000
    return [*bodies, b"", b"\xff\xfe no message", b"null", b"[]", b"7", b'"text"', b'{"args": ', deep]
