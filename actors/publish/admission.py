"""The relay's work: it publishes due rows, as far as the admission windows reach (DESIGN §2.1, §2.8).

It has a thread of its own, so that a confirm that hangs never delays rescue.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from actors.publish.callbacks import Callbacks
from actors.publish.promotion import EXEMPT_TURN, Promotion
from actors.publish.wakeup import Listener
from schema.errors import DependencyDown
from schema.ports import Message, Publisher
from schema.rows import leadership, messages, outbox, workers
from schema.rows.outbox import D, Outbox, Taken
from schema.rows.pauses import PauseBoard
from schema.rows.rendered import StoreBacklog
from schema.settings import Settings
from schema.sql.cached import Cached
from schema.sql.database import Database, DatabaseDown

log = structlog.get_logger()

BATCH = 200  # messages published with one wait for confirms
# The shortest and longest time between two looks, in seconds. Each submission and each end wakes the relay. A look that
# finds nothing doubles the time, since the windows are full; one that publishes sets it back. A thread has at least two
# jobs in its window. They take longer than the longest time, so no thread waits for the relay.
_PACE, _SLOWEST = 0.003, 0.048
# Each band has its own window: high jobs, promoted jobs and the rest never wait for one another's places.
_BANDS = ("turn = 0", f"turn BETWEEN 1 AND {EXEMPT_TURN}", f"turn > {EXEMPT_TURN}")
_BAND = f"CASE WHEN {_BANDS[0]} THEN 0 WHEN turn <= {EXEMPT_TURN} THEN 1 ELSE 2 END"
_NOTED_EVERY = 5.0  # seconds
_CHUNKS = 10  # a window is refilled when at least one part in so many is free


@dataclass
class Relay:
    """Publishes due rows in order, as far as the windows reach. Without it, no row ever reaches a worker."""

    settings: Settings
    db: Database
    publisher: Publisher
    board: PauseBoard
    backlog: StoreBacklog
    busy_since: float | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    _noted: tuple[str, float] = ("", float("-inf"))  # the trouble that was noted last, and when
    _trouble_since: float = 0.0

    def __post_init__(self) -> None:
        self._ordered_here = self.settings.embedded or self.settings.queue_type == "quorum"
        threads = partial(workers.threads, self.db, self.settings.lease)
        self._threads = {queue: Cached(partial(threads, queue), 1.0, stale=1.0) for queue in messages.QUEUES}
        self._callbacks = Callbacks(self.settings, self.db, self.board)
        self._promotion = Promotion(self.settings, self.db, lambda: self._live(messages.RENDER))

    def run(self) -> None:
        """Publish until stopped; datagrams wake it, and at the latest it looks after `relay_poll` seconds."""
        listener = Listener(self.settings.run_dir)
        pause, pace = 0.0, _PACE
        try:
            while not self.stopping.is_set():
                more, trouble = False, ""
                began = time.monotonic()
                try:
                    more = self.step() > 0
                    pause = 0.0
                except (DatabaseDown, DependencyDown) as error:
                    log.warning("relay.waits", code=error.code, detail=error.detail)
                    trouble = error.detail
                    pause = min(2.0, max(0.1, pause * 2))
                except Exception:
                    log.exception("relay.failed")
                    pause = 1.0
                finally:
                    self._note(trouble)
                    self.busy_since = None
                if pause:
                    self.stopping.wait(pause)
                elif not more:
                    listener.wait(self.settings.relay_poll)
                pace = _PACE if more else min(_SLOWEST, 2 * pace)
                self.stopping.wait(max(0.0, began + pace - time.monotonic()))
        finally:
            listener.close()

    def _note(self, trouble: str) -> None:
        """Note in a row that this relay looks, and what keeps it from publishing; the verdict reads this row."""
        now = time.monotonic()
        told, at = self._noted
        if trouble == told and now - at < _NOTED_EVERY:
            return
        if not (trouble and told):
            self._trouble_since = now
        self._noted = trouble, now
        try:
            leadership.note_look(self.db, trouble, now - self._trouble_since)
        except DatabaseDown:
            log.debug("relay.not_noted")

    def step(self) -> int:
        """One look at all three tables; returns how many messages were published."""
        self.busy_since = time.monotonic()
        return self._jobs() + self._deliveries() + self._letters()

    def _jobs(self) -> int:
        if self.board.blocking(messages.RENDER) is not None:
            return 0
        self._promotion.step()
        high_only = self.backlog.nearly_full()
        if self._ordered_here:
            room = 2 * self._live(messages.RENDER) - outbox.JOBS.published(self.db)
            if room <= 0:
                return 0
            return self._take_and_send(outbox.JOBS, messages.job_message, _BANDS[0] if high_only else "1=1", room)
        window = self.settings.max_queue_size
        published = outbox.JOBS.published_by(self.db, _BAND)
        sent = 0
        for number, band in enumerate(_BANDS[:1] if high_only else _BANDS):
            room = window - published.get(number, 0)
            # In chunks: while most of a window still waits in the broker, one row more starts no earlier and costs a commit.
            if room * _CHUNKS >= window:
                sent += self._take_and_send(outbox.JOBS, messages.job_message, band, room)
        return sent

    def _take_and_send(self, box: Outbox[D], make: Callable[[D], Message], only: str = "1=1", room: int = BATCH) -> int:
        taken = box.take(self.db, limit=min(room, BATCH), hold=self.settings.relay_hold, only=only)
        return self._send(box, taken, make)

    def _live(self, queue: str) -> int:
        """Live worker threads of a queue, asked at most once a second; at least 1, so that the first worker finds work."""
        if self.settings.embedded:
            renders = queue == messages.RENDER
            return self.settings.concurrent_workers if renders else self.settings.webhook_threads
        return max(1, self._threads[queue].get())

    def _deliveries(self) -> int:
        if self.board.blocking(messages.WEBHOOKS) is not None:
            return 0
        room = 2 * self._live(messages.WEBHOOKS) - outbox.DELIVERIES.published(self.db)
        if room <= 0:
            return 0
        send = partial(self._send, outbox.DELIVERIES, make=messages.delivery_message)
        return send(self._callbacks.take(min(room, BATCH))) + sum(map(send, self._callbacks.probes()))

    def _letters(self) -> int:
        sent = self._take_and_send(outbox.DEAD_LETTERS, messages.letter_message)
        return sent + self._take_and_send(outbox.RAW_REPLAYS, messages.raw_message, "kind='raw'")

    def _send(self, box: Outbox[D], taken: Taken[D], make: Callable[[D], Message]) -> int:
        if not taken.rows:
            return 0
        try:
            confirmed = self.publisher.publish([make(row) for row in taken.rows])
        except DependencyDown:
            box.release(self.db, taken, taken.rows)
            raise
        published = [row for row, ok in zip(taken.rows, confirmed, strict=True) if ok]
        box.mark(self.db, taken, published)
        refused = [row for row, ok in zip(taken.rows, confirmed, strict=True) if not ok]
        if refused:
            box.release(self.db, taken, refused)
            raise DependencyDown("broker", f"{len(refused)} hints were not confirmed.")
        return len(published)
