"""What a message that arrives means, read before Dramatiq sees it (DESIGN §2.1, §7).

Anybody may put anything into a queue, and a person types the destination of "Move messages" by hand. Dramatiq trusts what
it can decode. The name of another queue ends a worker's thread, a null restarts its consumer for ever, and an `eta`
occupies the thread. So this module reads one id out of what came, and hands Dramatiq a new message with that id.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dramatiq
import structlog
from dramatiq.brokers.rabbitmq import _RabbitmqConsumer
from dramatiq.common import q_name

from schema.rows.letters import RAW_KEPT, TOO_LARGE
from schema.rows.messages import ACTORS

log = structlog.get_logger()

_QUEUES = {actor: queue for queue, actor in ACTORS.items()}
_FIELDS = {"queue_name": str, "actor_name": str, "args": list, "kwargs": dict, "options": dict}
_MORE = {"message_id": str, "message_timestamp": int}  # Dramatiq's own; we do not use them
_LONGEST_ID = 255
_SHOWN = 80  # characters of a stranger's words in a sentence of ours


@dataclass(frozen=True, slots=True)
class Letter:
    """The copy of a dead letter. In any queue it asks for a replay."""

    dead_letter_id: str


@dataclass(frozen=True, slots=True)
class Look:
    """A message of ours: look at this row of this queue's table."""

    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """A message that is not ours, and why: the code and the sentence of its dead letter."""

    code: str
    sentence: str


def meaning(body: bytes) -> Letter | Look | Stranger:
    """What a message asks for. It takes any bytes; our own largest message bounds its cost."""
    if len(body) > RAW_KEPT:
        return Stranger(
            TOO_LARGE, f"A message of {len(body):,} bytes is none of ours; only its first {RAW_KEPT:,} bytes are kept."
        )
    try:
        message = json.loads(body.decode())
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return Stranger("undecodable_message", "A message in the queue is none of ours: it cannot be decoded.")
    options = message.get("options")
    if isinstance(options, dict) and "dead_letter_id" in options:
        if not _is_id(options["dead_letter_id"]):
            return _rejected("its dead_letter_id is not the id of a letter")
        return Letter(options["dead_letter_id"])  # whatever else it says: a person who moves a letter wants a replay
    return _look(message)


def _look(message: dict[str, Any]) -> Look | Stranger:
    missing = sorted(_FIELDS.keys() - message.keys())
    if missing:
        return Stranger("undecodable_message", f"A message in the queue is none of ours: it has no {missing[0]}.")
    for name, value in message.items():
        kind = _FIELDS.get(name) or _MORE.get(name)
        if kind is None:
            return _rejected(f"it has a field {name[:_SHOWN]!r}")
        if not isinstance(value, kind) or isinstance(value, bool):
            return _rejected(f"its {name} is of a wrong type")
    actor = message["actor_name"]
    queue = _QUEUES.get(actor)
    if queue is None:
        return Stranger("unknown_actor", f"A message asks for an actor that does not exist: {actor[:_SHOWN]!r}.")
    if message["queue_name"] != queue:
        return _rejected(f"its actor {actor!r} does not work for the queue that it names")
    if message["options"]:
        return _rejected(f"it has an option {min(message['options'])[:_SHOWN]!r}, which hints do not have")
    if message["kwargs"] or len(message["args"]) != 1 or not _is_id(message["args"][0]):
        return _rejected("its arguments are not the id of one row")
    return Look(queue, message["args"][0])


def _rejected(why: str) -> Stranger:
    return Stranger("message_rejected", f"A message in the queue is no hint of ours: {why}.")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isascii() and value.isprintable()


class Consumer(_RabbitmqConsumer):
    """Dramatiq's consumer, which gets our own new messages in place of those that came.

    A strange message is rejected without the database. RabbitMQ puts it into `.XQ`, where housekeeping gives it a row.
    """

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        self.iterator = self._understood(self.iterator)

    def _understood(self, arriving: Iterator[tuple[Any, Any, bytes | None]]) -> Iterator[tuple[Any, Any, bytes | None]]:
        for method, properties, body in arriving:
            if method is None or body is None:
                yield None, None, None
                continue
            found = meaning(body)
            if isinstance(found, Stranger):
                log.warning("message.rejected", queue=self.queue_name, code=found.code, why=found.sentence)
                self._nack(method.delivery_tag)  # type: ignore[no-untyped-call]
                yield None, None, None
                continue
            yield method, properties, _rewritten(found, self.queue_name)


def _rewritten(found: Letter | Look, arrived_in: str) -> bytes:
    """The message as this queue's worker takes it. It is acked in the queue that it came from."""
    actor = ACTORS[q_name(arrived_in)]
    if isinstance(found, Letter):
        key, options = found.dead_letter_id, {"dead_letter_id": found.dead_letter_id}
    else:
        key, options = found.key, {} if _QUEUES[actor] == found.queue else {"belongs_to": found.queue}
    message: dramatiq.Message[Any] = dramatiq.Message(arrived_in, actor, (key,), {}, options)
    return message.encode()
