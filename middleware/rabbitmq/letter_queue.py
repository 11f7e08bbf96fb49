"""Keeps `.XQ` in step with the dead letters' rows by rotating the queue (DESIGN §7).

RabbitMQ cannot delete one message. So one AMQP transaction takes a chunk from the head, puts the messages that must
stay back at the tail, and acks the chunk. A rotation ends when it has looked at every message, or has found every copy
that it looks for. A crash puts the chunk back. Measured on RabbitMQ 3.10: about 5,000 messages a second; with one
`basic_get` and one confirm for each message it is ten times slower.

A strange message among the copies gets a row, and the row's copy replaces it. One that cannot get a row stays. A job's
or delivery's message that was moved here is published again. A copy in the wrong `.XQ` goes back to its own.
"""

import contextlib
import gc
import hashlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import structlog
from ulid import ULID

from middleware.rabbitmq.incoming import Letter, Look, Stranger, meaning
from middleware.rabbitmq.publisher import RabbitPublisher, sever
from schema.errors import DependencyDown
from schema.rows import letters, outbox
from schema.rows.messages import xq
from schema.sql.database import Database, DatabaseDown

log = structlog.get_logger()

CHUNK = 500  # Messages that are out of people's sight at a time.
CHUNK_BYTES = 4_000_000  # Bytes of one chunk. A larger message comes alone.
PATIENCE = 3.0  # Seconds that the next message may take.
SLICE = 5.0  # Seconds of one turn. The rest waits for the next, so that probes are not delayed.


@dataclass(slots=True)
class Pass:
    """What one turn found."""

    dropped: set[str]
    whole: bool  # every message was looked at
    left: int  # messages in the queue now, those included that came during the turn
    known: int  # messages that this rotation has met and put back


@dataclass(eq=False)
class LetterQueue:
    """The `.XQ` of one queue, and how far its current rotation has come."""

    publisher: RabbitPublisher
    db: Database
    queue: str
    _ahead: int = 0  # messages that this rotation has still to look at
    _known: int = 0  # messages that this rotation has met and put back
    _whole: bool = False  # this rotation gives strangers their rows
    _at_once: int = CHUNK
    _alike: Counter[str] = field(default_factory=Counter)  # strangers of this rotation that are equal

    def depth(self) -> int:
        """Messages in the queue (passive declare); none when nobody has declared it yet."""
        try:
            return self.publisher.ready(xq(self.queue))
        except DependencyDown as error:
            if getattr(error.__cause__, "reply_code", None) == 404:
                return 0
            raise

    def turn(self, resolved: set[str], *, whole: bool = False) -> Pass:
        """Remove the copies of `resolved` letters; ends early when all are found. Raises DependencyDown and DatabaseDown.

        With `whole`, look at every message and give strangers their rows.
        """
        until = time.monotonic() + SLICE
        dropped: set[str] = set()

        def work(channel: Any) -> Pass:
            name = xq(self.queue)
            there = int(channel.queue_declare(name, passive=True).method.message_count)
            if self._ahead <= 0 or (whole and not self._whole):  # what a search has passed was not looked at
                self._ahead, self._known, self._whole = there, 0, whole
                self._alike.clear()
            self._ahead = min(self._ahead, there)
            channel.tx_select()
            while self._ahead > 0 and time.monotonic() < until and (whole or not resolved <= dropped):
                taken = self._chunk(channel, name)
                if not taken:
                    break  # not the queue's end: large messages come slowly, and cut ones lie out of sight for a while
                gone, kept = self._sorted(channel, taken, resolved, whole)
                channel.basic_ack(0, multiple=True)
                channel.tx_commit()
                self._ahead -= len(taken)
                self._known += kept
                dropped.update(gone)
            left = int(channel.queue_declare(name, passive=True).method.message_count)
            done = self._ahead <= 0
            if not whole and resolved <= dropped:
                self._ahead = 0  # the next rotation begins anew
            return Pass(dropped, done, left, self._known)

        with contextlib.suppress(_TooMuch):
            turn: Pass = self.publisher.call(work, 2 * SLICE)
            return turn
        gc.collect()  # pika's objects hold one another, and large messages with them
        return Pass(dropped, False, self._ahead, self._known)

    def _chunk(self, channel: Any, name: str) -> list[tuple[Any, bytes]]:
        wanted = min(self._at_once, self._ahead)
        channel.basic_qos(prefetch_count=wanted)
        taken: list[tuple[Any, bytes]] = []
        size = 0
        for method, properties, body in channel.consume(name, inactivity_timeout=PATIENCE):
            if method is None:
                break
            taken.append((properties, body))
            size += len(body)
            if len(taken) == wanted:
                break
            if size > CHUNK_BYTES:
                # An orderly end would first send us all the rest, however large. After a cut, all messages lie where they
                # lay, and the next chunk ends with the message that was too much.
                self._at_once = len(taken)
                sever(channel.connection)
                raise _TooMuch
        self._at_once = CHUNK
        # The consumer must not receive what this transaction puts back.
        channel.cancel()
        return taken

    def _sorted(
        self, channel: Any, taken: list[tuple[Any, bytes]], resolved: set[str], whole: bool
    ) -> tuple[set[str], int]:
        """Put back what stays; returns the letters whose copies leave, and how many messages stay here.

        Only a `whole` look asks where they belong.
        """
        found = [(meaning(body), properties, body) for properties, body in taken]
        copies = [message.dead_letter_id for message, _, _ in found if isinstance(message, Letter)]
        homes = letters.homes(self.db, copies) if whole else {}
        gone: set[str] = set()
        kept = 0
        for message, properties, body in found:
            home: str | None = self.queue
            if isinstance(message, Letter):
                home = None if message.dead_letter_id in resolved else homes.get(message.dead_letter_id, self.queue)
                if home is None:
                    gone.add(message.dead_letter_id)
            elif isinstance(message, Look):
                if outbox.HINTED[message.queue].unpublish(self.db, message.key):
                    log.warning("hint.strayed", queue=message.queue, key=message.key, found_in=self.queue)
                home = None
            elif self._adopted(message, properties, body):
                home = None
            if home is not None:
                channel.basic_publish("", xq(home), body, properties)
                kept += home == self.queue
        return gone, kept

    def _adopted(self, stranger: Stranger, properties: Any, body: bytes) -> bool:
        """Whether the stranger has a row now. One that cannot get a row must not stop the others."""
        mark, told = _mark(self.queue, properties, body), log.bind(queue=self.queue, bytes=len(body))
        self._alike[mark] += 1
        try:
            letter_id = _stranger_id(properties, mark, self._alike[mark])
            if letters.bury_raw(self.db, self.queue, letter_id, body, stranger.code, stranger.sentence):
                told.warning("dead_letter.found_in_broker", dead_letter_id=letter_id, code=stranger.code)
        except DatabaseDown:
            raise
        except Exception:
            told.exception("dead_letter.not_adopted")
            return False
        return True


class _TooMuch(Exception):
    """The messages of this chunk are too large together."""


def _mark(queue: str, properties: Any, body: bytes) -> str:
    """A hash that tells this stranger from others: its bytes, and when, where and how often it died."""
    death = ((properties.headers or {}).get("x-death") or [{}])[0]
    seed = (queue, death.get("queue"), death.get("count"), death.get("time"), properties.message_id)
    mark = hashlib.sha256("\0".join(map(str, seed)).encode())
    mark.update(body)
    return mark.hexdigest()


def _stranger_id(properties: Any, mark: str, number: int) -> str:
    """An id that stays the same when a crash shows us the message again, and differs when it dies again later."""
    deaths = (properties.headers or {}).get("x-death")
    if not deaths:
        return f"dl_{ULID()}"
    when = deaths[0].get("time")
    moment = int(when.timestamp() * 1000) if when is not None else 0
    return f"dl_{ULID.from_bytes(moment.to_bytes(6, 'big') + hashlib.sha256(f'{mark}{number}'.encode()).digest()[:10])}"
