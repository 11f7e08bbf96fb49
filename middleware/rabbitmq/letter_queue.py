"""Keeps `.XQ` in step with the dead letters' rows by rotating the queue (DESIGN §7).

RabbitMQ cannot delete one message. So a chunk is taken from the head, what must stay is put back at the tail and the chunk
is acked, both in one AMQP transaction, until everything that was there at the beginning has been looked at or every copy
that is sought was found. A crash in the middle puts the chunk back. Measured on RabbitMQ 3.10: about 5,000 messages a
second; one `basic_get` and one awaited confirm a message are ten times slower.

A stranger among the copies gets a row, whose readable copy takes its place; one that cannot get it stays. A hint that was
moved here goes out again, and a copy that was moved to the other `.XQ` goes home: here is where letters lie, no queue.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from ulid import ULID

from middleware.rabbitmq.incoming import Letter, Look, Stranger, meaning
from middleware.rabbitmq.publisher import RabbitPublisher, sever
from schema.errors import DependencyDown
from schema.rows.messages import xq
from schema.sql.database import DatabaseDown

log = structlog.get_logger()

CHUNK = 500  # messages out of people's sight at a time
CHUNK_BYTES = 4_000_000  # … or as many as measure this together; a larger message comes alone
SLICE = 5.0  # seconds of one turn; the rest waits for the next, so that no probe is kept waiting


class Rows(Protocol):
    """What the database knows of the messages in `.XQ`."""

    def adopt(self, queue: str, letter_id: str, body: bytes, stranger: Stranger) -> None:
        """Give a stranger its row, unless it has one."""

    def homes(self, letter_ids: list[str]) -> dict[str, str | None]:
        """Letter → the queue whose `.XQ` holds its copy; None when it is resolved."""

    def look_again(self, queue: str, key: str) -> None:
        """This row's hint lies where no worker looks: publish it again."""


@dataclass(slots=True)
class Pass:
    """What one turn found."""

    dropped: set[str]
    whole: bool  # everything that was there was looked at
    left: int  # messages that stay


class LetterQueue:
    """The `.XQ` of one queue, and how far its current rotation has come."""

    def __init__(self, publisher: RabbitPublisher, queue: str, rows: Rows) -> None:
        self._publisher = publisher
        self._queue = queue
        self._rows = rows
        self._ahead = 0  # messages of the current rotation that were not looked at yet
        self._at_once = CHUNK
        self._alike: Counter[str] = Counter()  # strangers of this rotation that nothing tells apart

    def depth(self) -> int:
        """Messages in the queue (passive declare); none when nobody has declared it yet."""
        try:
            return self._publisher.ready(xq(self._queue))
        except DependencyDown as error:
            if getattr(error.__cause__, "reply_code", None) == 404:
                return 0
            raise

    def turn(self, resolved: set[str], *, whole: bool = False) -> Pass:
        """Remove the copies of `resolved` letters and adopt strangers; ends early when all copies are found, unless the
        `whole` queue is to be looked at. Raises DependencyDown and DatabaseDown."""
        until = time.monotonic() + SLICE
        dropped: set[str] = set()

        def work(channel: Any) -> Pass:
            name = xq(self._queue)
            there = int(channel.queue_declare(name, passive=True).method.message_count)
            if self._ahead <= 0:
                self._ahead = there
                self._alike.clear()
            self._ahead = min(self._ahead, there)
            channel.tx_select()
            while self._ahead > 0 and time.monotonic() < until and (whole or not resolved <= dropped):
                taken = self._chunk(channel, name)
                if not taken:
                    self._ahead = 0
                    break
                gone = self._sorted(channel, taken, resolved, whole)
                channel.basic_ack(0, multiple=True)
                channel.tx_commit()
                self._ahead -= len(taken)
                dropped.update(gone)
            left = int(channel.queue_declare(name, passive=True).method.message_count)
            done = self._ahead <= 0
            if not whole and resolved <= dropped:
                self._ahead = 0  # the next rotation begins anew
            return Pass(dropped, done, left)

        with contextlib.suppress(_TooMuch):
            turn: Pass = self._publisher.call(work, 2 * SLICE)
            return turn
        gc.collect()  # pika's objects hold one another, and large messages with them
        return Pass(dropped, False, self._ahead)

    def _chunk(self, channel: Any, name: str) -> list[tuple[Any, bytes]]:
        wanted = min(self._at_once, self._ahead)
        channel.basic_qos(prefetch_count=wanted)
        taken: list[tuple[Any, bytes]] = []
        size = 0
        for method, properties, body in channel.consume(name, inactivity_timeout=3.0):
            if method is None:
                break
            taken.append((properties, body))
            size += len(body)
            if len(taken) == wanted:
                break
            if size > CHUNK_BYTES:
                # Before an orderly end we would be sent all the rest that was asked for, however large. Cut off, all of it
                # lies where it lay, and the next chunk ends with the message that was too much.
                self._at_once = len(taken)
                sever(channel.connection)
                raise _TooMuch
        self._at_once = CHUNK
        # The consumer must not be given what this transaction puts back.
        channel.cancel()
        return taken

    def _sorted(self, channel: Any, taken: list[tuple[Any, bytes]], resolved: set[str], whole: bool) -> set[str]:
        """Put back what stays; the letters whose copies do not. Where letters belong is asked when all are looked at."""
        found = [(meaning(body), properties, body) for properties, body in taken]
        copies = [message.dead_letter_id for message, _, _ in found if isinstance(message, Letter)]
        homes = self._rows.homes(copies) if whole else {}
        gone: set[str] = set()
        for message, properties, body in found:
            home: str | None = self._queue
            if isinstance(message, Letter):
                home = None if message.dead_letter_id in resolved else homes.get(message.dead_letter_id, self._queue)
                if home is None:
                    gone.add(message.dead_letter_id)
            elif isinstance(message, Look):
                self._rows.look_again(message.queue, message.key)
                home = None
            elif self._adopted(message, properties, body):
                home = None
            if home is not None:
                channel.basic_publish("", xq(home), body, properties)
        return gone

    def _adopted(self, stranger: Stranger, properties: Any, body: bytes) -> bool:
        """Whether it has a row now; one that cannot get it keeps no other from being looked at."""
        mark = _mark(self._queue, properties, body)
        self._alike[mark] += 1
        try:
            self._rows.adopt(self._queue, _stranger_id(properties, mark, self._alike[mark]), body, stranger)
        except DatabaseDown:
            raise
        except Exception:
            log.exception("dead_letter.not_adopted", queue=self._queue, bytes=len(body))
            return False
        return True


class _TooMuch(Exception):
    """The messages that were asked for together are too large for that."""


def _mark(queue: str, properties: Any, body: bytes) -> str:
    """What tells this stranger from others: its bytes, and when, where and how often it died."""
    death = ((properties.headers or {}).get("x-death") or [{}])[0]
    seed = (queue, death.get("queue"), death.get("count"), death.get("time"), properties.message_id)
    mark = hashlib.sha256("\0".join(map(str, seed)).encode())
    mark.update(body)
    return mark.hexdigest()


def _stranger_id(properties: Any, mark: str, number: int) -> str:
    """The same message found again after a crash has the same id; what died again later has another one."""
    deaths = (properties.headers or {}).get("x-death")
    if not deaths:
        return f"dl_{ULID()}"
    when = deaths[0].get("time")
    moment = int(when.timestamp() * 1000) if when is not None else 0
    return f"dl_{ULID.from_bytes(moment.to_bytes(6, 'big') + hashlib.sha256(f'{mark}{number}'.encode()).digest()[:10])}"
