"""Keeps `.XQ` in step with the dead letters' rows by rotating the queue (DESIGN §7).

RabbitMQ cannot delete one message. So a chunk is taken from the head, what must stay is put back at the tail and the chunk
is acked, both in one AMQP transaction, until everything that was there at the beginning has been looked at or every copy
that is sought was found. A crash in the middle puts the chunk back. Measured on RabbitMQ 3.10: about 5,000 messages a
second; one `basic_get` and one awaited confirm a message are ten times slower.

Messages that are nobody's copy (Dramatiq could not decode them, or knew no such actor) are handed to `adopt`, which makes
a row of them; the row's readable copy then takes their place.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ulid import ULID

from middleware.publisher import RabbitPublisher
from schema.errors import DependencyDown
from schema.messages import ACTORS, xq

CHUNK = 500  # messages out of people's sight at a time
SLICE = 5.0  # seconds of one turn; the rest waits for the next, so that rescue is never kept waiting

Adopt = Callable[[str, str, bytes, str, str], None]  # queue, letter id, body, error code, sentence


@dataclass(slots=True)
class Turn:
    """What one turn found."""

    dropped: set[str]
    whole: bool  # everything that was there was looked at
    left: int  # messages that stay


class LetterQueue:
    """The `.XQ` of one queue, and how far its current rotation has come."""

    def __init__(self, publisher: RabbitPublisher, queue: str, adopt: Adopt) -> None:
        self._publisher = publisher
        self._queue = queue
        self._adopt = adopt
        self._ahead = 0  # messages of the current rotation that were not looked at yet

    def depth(self) -> int:
        """Messages in the queue (passive declare); none when nobody has declared it yet."""
        try:
            return self._publisher.ready(xq(self._queue))
        except DependencyDown as error:
            if getattr(error.__cause__, "reply_code", None) == 404:
                return 0
            raise

    def turn(self, resolved: set[str], *, whole: bool = False) -> Turn:
        """Remove the copies of `resolved` letters and adopt strangers; ends early when all copies are found, unless the
        `whole` queue is to be looked at. Raises DependencyDown."""
        until = time.monotonic() + SLICE

        def work(channel: Any) -> Turn:
            name = xq(self._queue)
            there = int(channel.queue_declare(name, passive=True).method.message_count)
            if self._ahead <= 0:
                self._ahead = there
            self._ahead = min(self._ahead, there)
            dropped: set[str] = set()
            channel.tx_select()
            while self._ahead > 0 and time.monotonic() < until and (whole or not resolved <= dropped):
                taken = self._chunk(channel, name)
                if not taken:
                    self._ahead = 0
                    break
                self._ahead -= len(taken)
                for properties, body in taken:
                    letter_id = letter_id_of(body)
                    if letter_id is None:
                        self._stranger(properties, body)
                    elif letter_id in resolved:
                        dropped.add(letter_id)
                    else:
                        channel.basic_publish("", name, body, properties)
                channel.basic_ack(0, multiple=True)
                channel.tx_commit()
            left = int(channel.queue_declare(name, passive=True).method.message_count)
            done = self._ahead <= 0
            if not whole and resolved <= dropped:
                self._ahead = 0  # the next rotation begins anew
            return Turn(dropped, done, left)

        turn: Turn = self._publisher.call(work, 2 * SLICE)
        return turn

    def _chunk(self, channel: Any, name: str) -> list[tuple[Any, bytes]]:
        wanted = min(CHUNK, self._ahead)
        channel.basic_qos(prefetch_count=wanted)
        taken: list[tuple[Any, bytes]] = []
        for method, properties, body in channel.consume(name, inactivity_timeout=1.0):
            if method is None:
                break
            taken.append((properties, body))
            if len(taken) == wanted:
                break
        # The consumer must not be given what this transaction puts back.
        channel.cancel()
        return taken

    def _stranger(self, properties: Any, body: bytes) -> None:
        code, sentence = _why(body)
        self._adopt(self._queue, _stranger_id(self._queue, properties, body), body, code, sentence)


def letter_id_of(body: bytes) -> str | None:
    """The dead letter a message is the copy of; None for messages that Dramatiq itself put there."""
    try:
        value = json.loads(body)["options"].get("dead_letter_id")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return value if isinstance(value, str) else None


def _why(body: bytes) -> tuple[str, str]:
    """Why Dramatiq can have put this here."""
    try:
        message = json.loads(body)
        actor = message["actor_name"]
        _ = message["queue_name"], message["args"], message["kwargs"], message["options"]
    except (ValueError, KeyError, TypeError):
        return "undecodable_message", "A message in the queue is none of ours: it cannot be decoded."
    if actor not in ACTORS.values():
        return "unknown_actor", f"A message asks for an actor that does not exist: {str(actor)[:80]!r}."
    return "message_rejected", "A worker rejected a message without naming a dead letter."


def _stranger_id(queue: str, properties: Any, body: bytes) -> str:
    """The same message found again after a crash has the same id; what died again later has another one."""
    deaths = (properties.headers or {}).get("x-death")
    if not deaths:
        return f"dl_{ULID()}"
    when = deaths[0].get("time")
    seed = f"{queue}\0{deaths[0].get('count')}\0{when}\0{properties.message_id}\0".encode()
    moment = int(when.timestamp() * 1000) if when is not None else 0
    return f"dl_{ULID.from_bytes(moment.to_bytes(6, 'big') + hashlib.sha256(seed + body).digest()[:10])}"
