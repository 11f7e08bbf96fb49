"""What becomes of a delivery whose worker died, or was silent for a whole lease (DESIGN §2.6)."""

from __future__ import annotations

import random
from typing import Literal

from schema.callbacks.verdicts import judge
from schema.life.rounds import MAX_CRASHES
from schema.ports import Answer
from schema.rows import deliveries, letters, posts
from schema.rows.deliveries import DeliveryStart
from schema.rows.leases import ExpiredDelivery
from schema.sql.database import Database

Rescued = Literal["rescued", "dead", "lost"]

_KILLS = "Three workers died before this callback left. Their logs say why; send it again by hand."
# The answer to a POST whose worker died.
_UNHEARD = Answer(status=None, failure="reset", content_type="", body_head="", retry_after=None, duration=0.0)


def rescue(db: Database, row: ExpiredDelivery, *, schedule_scale: float = 1.0) -> tuple[Rescued, str | None]:
    """Decide about such a delivery; `dead` comes with its error code, `lost` means that the row has moved on.

    A POST under way may or may not have arrived. It counts as one try of the schedule, because a receiver whose answers
    kill workers must not be asked again at once. A start without a POST is a crash; the third ends the delivery.
    """
    held = DeliveryStart(row)

    def bury(code: str, hint: str) -> tuple[Rescued, str | None]:
        if not deliveries.end(db, held, "dead", code=code, hint=hint):
            return "lost", None
        letters.bury_delivery(db, row, code, hint)
        return "dead", code

    def wait(seconds: float, *, crashed: bool = False) -> tuple[Rescued, str | None]:
        return ("rescued" if deliveries.wait(db, row, seconds=seconds, crashed=crashed) else "lost"), None

    def work() -> tuple[Rescued, str | None]:
        overtaken = deliveries.overtaken(db, row)
        number = posts.give_up(db, row["delivery_id"])
        if number is None:
            if row["crashes"] + 1 >= MAX_CRASHES and not overtaken:
                return bury("worker_died", _KILLS)
            return wait(0, crashed=True)
        history = posts.earlier(db, row, number)
        verdict = judge(_UNHEARD, history, schedule_scale=schedule_scale, chance=random.random())
        if verdict.kind == "stop" and not overtaken:
            return bury(verdict.code or "webhook_exhausted", verdict.hint or "")
        return wait(verdict.after)

    return db.transaction(work)
