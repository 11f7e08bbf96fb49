"""The POSTs of a delivery: one row each, `sending` before it leaves, and what is learned from them for the next."""

from dataclasses import replace
from typing import NamedTuple

from schema.callbacks.verdicts import History
from schema.rows.columns import DeliveryId, HeldDelivery, PostEnd, PostRow
from schema.sql.database import Database


def of(db: Database, delivery_id: DeliveryId) -> list[PostRow]:
    """Every POST that was tried or is on its way, oldest first."""
    return db.fetch_all(
        "SELECT * FROM delivery_attempts WHERE delivery_id=%s ORDER BY number", (delivery_id,), of=PostRow
    )


class Outcome(NamedTuple):
    """What one POST came to, as its attempt row keeps it."""

    outcome: PostEnd
    status: int | None
    failure: str | None
    duration_ms: int
    body_head: str
    verdict: str


def end(db: Database, delivery_id: DeliveryId, number: int, outcome: Outcome) -> None:
    """Complete the attempt row; inside the transaction that ends or returns the delivery."""
    db.defer(
        f"UPDATE delivery_attempts SET ended_at={db.now()}, outcome=%s, status=%s, failure=%s, duration_ms=%s, "
        "body_head=%s, verdict=%s WHERE delivery_id=%s AND number=%s AND outcome IN ('sending','unknown')",
        (*outcome, delivery_id, number),
    )


def give_up(db: Database, delivery_id: DeliveryId) -> int | None:
    """Note that the outcome of the POST on its way stays unknown: its worker died. Its number; None without such a POST."""
    sending = [post["number"] for post in of(db, delivery_id) if post["outcome"] == "sending"]
    db.execute(
        f"UPDATE delivery_attempts SET outcome='unknown', verdict='unknown', ended_at={db.now()} "
        "WHERE delivery_id=%s AND outcome='sending'",
        (delivery_id,),
    )
    return sending[-1] if sending else None


def earlier(db: Database, row: HeldDelivery, number: int) -> History:
    """What the earlier posts of this budget were answered; a resend begins a new budget, with fresh ladders.

    A post of unknown outcome counts also from before the budget: a later "409 finished" proves that it had arrived.
    """
    rows = db.fetch_all(
        f"SELECT verdict, outcome, {db.age('started_at')} AS ago, "
        "CASE WHEN started_at >= COALESCE(%s, started_at) THEN 1 ELSE 0 END AS counts "
        "FROM delivery_attempts WHERE delivery_id=%s AND number<%s",
        (row["budget_at"], row["delivery_id"], number),
    )
    words = [("unknown" if r["outcome"] in ("sending", "unknown") else r["verdict"], r) for r in rows]
    tries = History.of((word, float(r["ago"])) for word, r in words if r["counts"])
    return replace(tries, had_unknown=any(word == "unknown" for word, _ in words))
