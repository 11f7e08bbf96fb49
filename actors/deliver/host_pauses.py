"""Which answers pause a webhook host, and which end that (DESIGN §2.14)."""

from __future__ import annotations

from schema.callbacks.urls import path_key
from schema.ports import Answer
from schema.rows import pauses
from schema.rows.deliveries import DeliveryClaim
from schema.rows.pauses import PauseBoard
from schema.sql.database import Database

HOST_STREAK = 5  # Consecutive connection errors or timeouts that pause a host …
HOST_OWNERS = 2  # … of so many deliveries.
BAD_GATEWAYS = 3  # Different paths in a row that answer 502 or 503: then a proxy answers for a host that is down.


def note_answer(db: Database, board: PauseBoard, probe_every: float, held: DeliveryClaim, answer: Answer) -> None:
    """Count an answer for or against its host. Without pauses, each callback of a dead host keeps a thread waiting."""
    host = held.row["host"]
    scope, gateway = pauses.HOST + host, pauses.GATEWAY + host
    if answer.failure in ("connect", "timeout"):
        pauses.note_failure(
            db,
            scope,
            (held.delivery_id, held.start_no),
            streak=HOST_STREAK,
            owners=HOST_OWNERS,
            window=None,
            probe_every=probe_every,
            reason=f"The host did not answer {HOST_STREAK} times in a row.",
        )
    elif answer.status in (502, 503):
        pauses.note_failure(
            db,
            gateway,
            (path_key(held.row["url"] or ""), held.start_no),
            opens=scope,
            streak=BAD_GATEWAYS,
            owners=BAD_GATEWAYS,
            window=None,
            probe_every=probe_every,
            reason=f"The host answered 502 or 503 on {BAD_GATEWAYS} different paths in a row.",
        )
    elif answer.status is not None:
        if board.in_streak(gateway):
            pauses.note_success(db, gateway)
        if board.in_streak(scope) or scope in board.active():
            pauses.resume(db, scope, outages_only=True)
