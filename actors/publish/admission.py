"""The relay's work: due rows → broker through the admission windows (DESIGN §2.1, §2.8).

It has a thread of its own beside housekeeping's, so that a hung confirm never stops rescue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from actors.publish.callbacks import Callbacks
from actors.publish.promotion import EXEMPT_TURN, Promotion
from actors.publish.wakeup import Listener
from schema.errors import DependencyDown
from schema.ports import Message, Publisher
from schema.rows import messages, outbox, workers
from schema.rows.outbox import Outbox, Taken
from schema.rows.pauses import PauseBoard
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown, Row

log = structlog.get_logger()

BATCH = 200  # hints published with one wait for confirms
# Seconds between the beginnings of two looks; a relay that was idle looks at once. Every submission and every end wakes
# it: a look that found nothing (the windows are full, the burst goes on) doubles the time until the next, and one that
# published sets it back. Two renders, the least that a thread has in its window, take longer than the longest.
_PACE, _SLOWEST = 0.003, 0.048
# Each has a window of its own: a high job waits for no place behind promoted ones, nor these behind the rest.
_BANDS = ("turn = 0", f"turn BETWEEN 1 AND {EXEMPT_TURN}", f"turn > {EXEMPT_TURN}")
_BAND = f"CASE WHEN {_BANDS[0]} THEN 0 WHEN turn <= {EXEMPT_TURN} THEN 1 ELSE 2 END"
_CHUNKS = 10  # a window is refilled by at least this part of it


class Relay:
    """Publishes what is due, in order, as far as the windows reach."""

    def __init__(self, settings: Settings, db: Database, publisher: Publisher, board: PauseBoard) -> None:
        self._settings = settings
        self._db = db
        self._publisher = publisher
        self._board = board
        self._ordered_here = settings.embedded or settings.queue_type == "quorum"
        self._threads: dict[str, tuple[int, float]] = {}
        self._callbacks = Callbacks(settings, db, board)
        self._promotion = Promotion(settings, db, lambda: self._live(messages.RENDER))
        self.busy_since: float | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Publish until stopped; woken by datagrams, else every `relay_poll` seconds."""
        listener = Listener(self._settings.run_dir)
        pause, pace = 0.0, _PACE
        try:
            while not self.stopping.is_set():
                more = False
                began = time.monotonic()
                try:
                    more = self.step() > 0
                    pause = 0.0
                except (DatabaseDown, DependencyDown) as error:
                    log.warning("relay.waits", code=error.code, detail=error.detail)
                    pause = min(2.0, max(0.1, pause * 2))
                except Exception:
                    log.exception("relay.failed")
                    pause = 1.0
                finally:
                    self.busy_since = None
                if pause:
                    self.stopping.wait(pause)
                elif not more:
                    listener.wait(self._settings.relay_poll)
                pace = _PACE if more else min(_SLOWEST, 2 * pace)
                self.stopping.wait(max(0.0, began + pace - time.monotonic()))
        finally:
            listener.close()

    def step(self) -> int:
        """One look at all three tables; returns how many hints were published."""
        self.busy_since = time.monotonic()
        return self._jobs() + self._deliveries() + self._letters()

    def _jobs(self) -> int:
        if self._board.blocking(messages.RENDER) is not None:
            return 0
        self._promotion.step()
        if self._ordered_here:
            room = 2 * self._live(messages.RENDER) - outbox.JOBS.published(self._db)
            if room <= 0:
                return 0
            return self._take_and_send("1=1", room)
        window = self._settings.max_queue_size
        published = outbox.JOBS.published_by(self._db, _BAND)
        sent = 0
        for number, band in enumerate(_BANDS):
            room = window - published.get(number, 0)
            # In chunks: rows admitted one by one, while nine tenths of a window still wait in the broker, would cost a
            # commit each and start no earlier.
            if room * _CHUNKS >= window:
                sent += self._take_and_send(band, room)
        return sent

    def _take_and_send(self, only: str, room: int) -> int:
        taken = outbox.JOBS.take(self._db, limit=min(room, BATCH), hold=self._settings.relay_hold, only=only)
        return self._send(outbox.JOBS, taken)

    def _live(self, queue: str) -> int:
        """Live worker threads of a queue, asked at most once a second; at least 1, so that a first worker finds work."""
        if self._settings.embedded:
            own = {
                messages.RENDER: self._settings.concurrent_workers,
                messages.WEBHOOKS: self._settings.webhook_threads,
            }
            return own[queue]
        count, asked_at = self._threads.get(queue, (0, float("-inf")))
        if time.monotonic() - asked_at > 1.0:
            count = workers.threads(self._db, self._settings.lease, queue)
            self._threads[queue] = (count, time.monotonic())
        return max(1, count)

    def _deliveries(self) -> int:
        if self._board.blocking(messages.WEBHOOKS) is not None:
            return 0
        room = 2 * self._live(messages.WEBHOOKS) - outbox.DELIVERIES.published(self._db)
        if room <= 0:
            return 0
        sent = self._send(outbox.DELIVERIES, self._callbacks.take(min(room, BATCH)))
        return sent + sum(self._send(outbox.DELIVERIES, probe) for probe in self._callbacks.probes())

    def _letters(self) -> int:
        taken = outbox.DEAD_LETTERS.take(self._db, limit=BATCH, hold=self._settings.relay_hold)
        sent = self._send(outbox.DEAD_LETTERS, taken)
        taken = outbox.RAW_REPLAYS.take(self._db, limit=BATCH, hold=self._settings.relay_hold, only="kind='raw'")
        return sent + self._send(outbox.RAW_REPLAYS, taken, messages.raw_message)

    def _send(self, box: Outbox, taken: Taken, make: Callable[[Row], Message] | None = None) -> int:
        if not taken.rows:
            return 0
        make = make or _HINTS[box.table]
        hints: list[Message] = [make(row) for row in taken.rows]
        try:
            confirmed = self._publisher.publish(hints)
        except DependencyDown:
            box.release(self._db, taken, taken.rows)
            raise
        published = [row for row, ok in zip(taken.rows, confirmed, strict=True) if ok]
        box.mark(self._db, taken, published)
        refused = [row for row, ok in zip(taken.rows, confirmed, strict=True) if not ok]
        if refused:
            box.release(self._db, taken, refused)
            raise DependencyDown("broker", f"{len(refused)} hints were not confirmed.")
        return len(published)


_HINTS = {
    outbox.JOBS.table: messages.job_message,
    outbox.DELIVERIES.table: messages.delivery_message,
    outbox.DEAD_LETTERS.table: messages.letter_message,
}
