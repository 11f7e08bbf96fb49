"""Tidies `.XQ`: copies of resolved dead letters leave it at once, and strange messages in it get a row (DESIGN §7)."""

import time
from dataclasses import dataclass, field

import structlog

from middleware.rabbitmq.letter_queue import LetterQueue
from middleware.rabbitmq.publisher import RabbitPublisher
from schema.ports import Publisher
from schema.rows import letters, messages
from schema.sql.database import Database

log = structlog.get_logger()

_EVERY = 2.0  # Seconds between two looks for resolved letters whose copy lies in `.XQ`.
COUNT_EVERY = 5.0  # Seconds between two counts of a queue. A count tells whether strangers are among the copies.
LOOK_EVERY = 3600.0  # Seconds between two looks at a whole queue, whatever its count says: copies also expire.
MISSING_AFTER = 60.0  # Seconds. A copy that a person moves is out of sight until a worker takes it.


class LetterTidying:
    """Every queue's `.XQ`. Without it, resolved letters stay in RabbitMQ; in the in-process broker there are none."""

    def __init__(self, db: Database, publisher: Publisher, sweep: float) -> None:
        self._db = db
        self._every = min(_EVERY, 2 * sweep)
        self._at = float("-inf")
        self._queues: dict[str, _Queue] = {}
        if isinstance(publisher, RabbitPublisher):
            self._queues = {queue: _Queue(db, LetterQueue(publisher, db, queue), queue) for queue in messages.QUEUES}

    def step(self) -> None:
        """Tidy each queue, when it is time."""
        if self._queues and time.monotonic() - self._at >= self._every:
            self._at = time.monotonic()
            resolved = letters.to_sweep(self._db)
            for queue, tidying in self._queues.items():
                tidying.step(resolved.get(queue, set()))


@dataclass
class _Queue:
    """One queue's `.XQ` beside the rows of its dead letters."""

    db: Database
    letters: LetterQueue
    queue: str
    _counted_at: float = float("-inf")
    _looked_at: float = float("-inf")
    _surplus: int = 0  # messages beyond the rows' copies; the last whole look knew them all
    _missing_since: float | None = None
    _missing_told: int = 0
    _looking: bool = False
    _sought: set[str] = field(default_factory=set)  # what this rotation looks for; it may have passed later ones

    def step(self, resolved: set[str]) -> None:
        """Do one short turn, if there is something to do."""
        if not self._looking and time.monotonic() - self._counted_at >= COUNT_EVERY:
            self._counted_at = time.monotonic()
            depth = self.letters.depth()
            overdue = time.monotonic() - self._looked_at >= LOOK_EVERY
            copies = letters.copies(self.db, self.queue)
            strangers = depth - copies > self._surplus
            self._miss(0 if self._sought or resolved else copies - depth)
            self._looking = depth > 0 and (strangers or overdue)
        self._sought = self._sought or resolved
        if not self._sought and not self._looking:
            return
        turn = self.letters.turn(self._sought, whole=self._looking)
        # A letter that was not found in the whole queue has no copy any more.
        letters.note_swept(self.db, sorted(self._sought if turn.whole else turn.dropped))
        self._sought = set() if turn.whole else self._sought - turn.dropped
        if turn.whole and self._looking:
            self._looking = False
            self._looked_at = time.monotonic()
            self._surplus = max(0, turn.known - letters.copies(self.db, self.queue))
        if turn.dropped:
            log.info("dead_letters.copies_removed", queue=self.queue, count=len(turn.dropped), left=turn.left)

    def _miss(self, count: int) -> None:
        """Log once when copies of open letters have been missing for a while. Nothing else notices that."""
        if count <= 0:
            self._missing_since, self._missing_told = None, 0
        elif self._missing_since is None:
            self._missing_since = time.monotonic()
        elif time.monotonic() - self._missing_since >= MISSING_AFTER and count != self._missing_told:
            self._missing_told = count
            log.warning("dead_letters.copies_missing", queue=self.queue, count=count)
