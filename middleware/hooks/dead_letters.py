"""A message that carries the id of an open dead letter is a replay request (DESIGN §7).

"Move messages" in RabbitMQ's management UI puts the `.XQ` copy back into its queue, or into another one. Without this
middleware, such a copy names no row that waits, and is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import SkipMessage

from schema.sql.database import patiently

log = structlog.get_logger()

Replay = Callable[[str], str]  # dead letter id → what happened


class MovedDeadLetters(dramatiq.Middleware):
    """Turns each moved copy into one replay; the actors never see the copy."""

    def __init__(self, replay: Replay, wake: Callable[[], None]) -> None:
        self._replay = replay
        self._wake = wake

    def before_process_message(self, broker: Any, message: Any) -> None:
        letter_id = message.options.get("dead_letter_id")
        if letter_id is None:
            return
        # The message is not acked until the database has answered.
        outcome = patiently(lambda: self._replay(letter_id))
        log.info("dead_letter.moved", dead_letter_id=letter_id, outcome=outcome)
        self._wake()
        raise SkipMessage(f"dead letter {letter_id}: {outcome}")
