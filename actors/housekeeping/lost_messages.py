"""Lost messages: rows that count as published, but whose messages the broker no longer has (DESIGN §2.9)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from schema.ports import Publisher
from schema.rows import messages, outbox
from schema.sql.database import Database

log = structlog.get_logger()


@dataclass
class LostMessages:
    """Compares rows with the broker's counts. Without it, a row whose message is lost waits for ever."""

    db: Database
    publisher: Publisher
    patience: float  # seconds for which messages must be missing
    wake: Callable[[], None]
    missing_since: dict[str, float] = field(default_factory=dict)  # queue → monotonic seconds
    _least_missing: dict[str, int] = field(default_factory=dict)

    def step(self) -> None:
        """Publish again as many of each queue's oldest rows as messages have been missing for `patience` seconds.

        The smallest difference of that time counts: a thread holds a message only while it claims the row. Idle threads
        are not subtracted, or a quiet system would never miss its last few messages.
        """
        for queue, box in ((messages.RENDER, outbox.JOBS), (messages.WEBHOOKS, outbox.DELIVERIES)):
            published = box.published(self.db)
            missing = published - self.publisher.ready(queue) if published else 0
            if missing <= 0:
                self._forget(queue)
                continue
            since = self.missing_since.setdefault(queue, time.monotonic())
            least = self._least_missing[queue] = min(missing, self._least_missing.get(queue, missing))
            if time.monotonic() - since >= self.patience:
                log.warning("hints.lost", queue=queue, count=box.unpublish_oldest(self.db, least))
                self._forget(queue)
                self.wake()

    def _forget(self, queue: str) -> None:
        self.missing_since.pop(queue, None)
        self._least_missing.pop(queue, None)
