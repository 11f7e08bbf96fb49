"""When `.XQ` is looked into: copies of resolved letters leave it at once, strangers in it get a row (DESIGN §7)."""

from __future__ import annotations

import time

import structlog

from middleware.rabbitmq.incoming import Stranger
from middleware.rabbitmq.letter_queue import LetterQueue
from middleware.rabbitmq.publisher import RabbitPublisher
from schema.rows import letters, outbox
from schema.sql.database import Database

log = structlog.get_logger()

COUNT_EVERY = 5.0  # seconds between two counts of the queue, which tell whether a stranger is among the copies
LOOK_EVERY = 3600.0  # seconds between two looks at the whole queue, whatever the count says: copies expire, too
MISSING_AFTER = 60.0  # seconds; a copy that was moved is out of sight until a worker takes it


class LetterTidying:
    """One queue's `.XQ` beside the rows of its dead letters."""

    def __init__(self, db: Database, publisher: RabbitPublisher, queue: str) -> None:
        self._db = db
        self._queue = queue
        self._letters = LetterQueue(publisher, queue, self)
        self._counted_at = float("-inf")
        self._looked_at = float("-inf")
        self._surplus = 0  # messages beyond the rows' copies that a whole look has found to be known letters
        self._missing_since: float | None = None
        self._missing_told = 0
        self._looking = False
        self._sought: set[str] = set()  # what this rotation is after; resolved later, a copy may lie behind us already

    def step(self, resolved: set[str]) -> None:
        """One turn, if there is something to do; short, so that it may stand beside rescue."""
        if not self._looking and time.monotonic() - self._counted_at >= COUNT_EVERY:
            self._counted_at = time.monotonic()
            depth = self._letters.depth()
            overdue = time.monotonic() - self._looked_at >= LOOK_EVERY
            copies = letters.copies(self._db, self._queue)
            strangers = depth - copies > self._surplus
            self._miss(0 if self._sought or resolved else copies - depth)
            self._looking = depth > 0 and (strangers or overdue)
        self._sought = self._sought or resolved
        if not self._sought and not self._looking:
            return
        turn = self._letters.turn(self._sought, whole=self._looking)
        # What was not found in the whole queue has no copy any more.
        letters.note_swept(self._db, sorted(self._sought if turn.whole else turn.dropped))
        self._sought = set() if turn.whole else self._sought - turn.dropped
        if turn.whole and self._looking:
            self._looking = False
            self._looked_at = time.monotonic()
            self._surplus = max(0, turn.left - letters.copies(self._db, self._queue))
        if turn.dropped:
            log.info("dead_letters.copies_removed", queue=self._queue, count=len(turn.dropped), left=turn.left)

    def _miss(self, count: int) -> None:
        """Say once when copies of open letters have been missing for a while: nobody else sees where they are."""
        if count <= 0:
            self._missing_since, self._missing_told = None, 0
        elif self._missing_since is None:
            self._missing_since = time.monotonic()
        elif time.monotonic() - self._missing_since >= MISSING_AFTER and count != self._missing_told:
            self._missing_told = count
            log.warning("dead_letters.copies_missing", queue=self._queue, count=count)

    # -- what the rotation asks of the rows -----------------------------------------------------------------------

    def adopt(self, queue: str, letter_id: str, body: bytes, stranger: Stranger) -> None:
        """Give a stranger its row, unless it has one."""
        if letters.bury_raw(self._db, queue, letter_id, body, stranger.code, stranger.sentence):
            log.warning(
                "dead_letter.found_in_broker",
                queue=queue,
                dead_letter_id=letter_id,
                code=stranger.code,
                bytes=len(body),
            )

    def homes(self, letter_ids: list[str]) -> dict[str, str | None]:
        """Letter → the queue whose `.XQ` holds its copy; None when it is resolved."""
        return letters.homes(self._db, letter_ids)

    def look_again(self, queue: str, key: str) -> None:
        """This row's hint lies where no worker looks: publish it again."""
        if outbox.HINTED[queue].unpublish(self._db, key):
            log.warning("hint.strayed", queue=queue, key=key, found_in=self._queue)
