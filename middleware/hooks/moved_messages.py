"""Messages that a person has moved with RabbitMQ's "Move messages"; no actor sees them (DESIGN §7).

The copy of an open dead letter asks for a replay. Without this middleware it names no row that waits, and is dropped. A
message that was moved into the other queue is published to its own. Without that, its row waits until it is missed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import SkipMessage

from schema.sql.database import patiently

log = structlog.get_logger()


@dataclass(eq=False)
class MovedMessages(dramatiq.Middleware):
    """Acts on each moved message once. The message is not acked until the database has answered."""

    replay: Callable[[str], str]  # dead letter id → what happened
    publish_again: Callable[[str, str], bool]  # queue and row → whether the row waited
    wake: Callable[[], None]

    def before_process_message(self, broker: Any, message: Any) -> None:
        letter_id, queue = message.options.get("dead_letter_id"), message.options.get("belongs_to")
        if letter_id is not None:
            outcome = patiently(lambda: self.replay(letter_id))
            log.info("dead_letter.moved", dead_letter_id=letter_id, outcome=outcome)
            self.wake()
            raise SkipMessage(f"dead letter {letter_id}: {outcome}")
        if queue is not None:
            key = message.args[0]
            waits = patiently(lambda: self.publish_again(queue, key))
            log.info("hint.strayed", queue=queue, key=key, published_again=waits)
            self.wake()
            raise SkipMessage(f"a message of {queue} for {key}")
