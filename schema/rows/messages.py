"""Names of queues and actors, and the messages that rows become."""

import base64
from typing import TypedDict

from schema.ports import Message
from schema.rows.columns import CopiedLetter
from schema.rows.jobs import HIGHEST
from schema.sql.times import as_time

RENDER = "pdf"
WEBHOOKS = "webhooks"
QUEUES = (RENDER, WEBHOOKS)
ACTORS = {RENDER: "render_pdf", WEBHOOKS: "deliver_webhook"}
MAX_PRIORITY = 10
_RAW_SHOWN = 2000  # characters of a raw message in its readable copy


class Due(TypedDict):
    """A row that a relay has taken, with what its message is built from."""

    id: str  # the row's key
    hint_no: int


class DueWork(Due):
    """A job or a delivery."""

    turn: int


class DueJob(DueWork):
    """A job."""

    traceparent: str | None


class DueLetter(Due, CopiedLetter):
    """A dead letter."""


def xq(queue: str) -> str:
    """The name of a queue's dead-letter queue."""
    return f"{queue}.XQ"


def job_message(row: DueJob) -> Message:
    """Look at this job."""
    return Message(RENDER, ACTORS[RENDER], row["id"], HIGHEST - row["turn"], traceparent=row["traceparent"])


def delivery_message(row: DueWork) -> Message:
    """Look at this delivery."""
    return Message(WEBHOOKS, ACTORS[WEBHOOKS], row["id"], HIGHEST - row["turn"])


def letter_message(row: DueLetter) -> Message:
    """The `.XQ` copy of a dead letter: readable in RabbitMQ's own UI, and a replay request when it is moved back."""
    moments = {name: as_time(row[name]) for name in ("first_failed_at", "last_failed_at")}
    story = {
        "error_code": row["error_code"],
        "error": row["error_message"],
        "job_id": row["job_id"],
        "code": row["code"],
        "product_id": row["product_id"],
        "attempts": row["attempts"],
        **{name: moment.isoformat(timespec="seconds") for name, moment in moments.items() if moment},
        "what_to_do": f"Move this message to the queue {row['queue']!r} to run it again with a fresh budget, or run: "
        f"ops/reportq dead-letters replay {row['id']}",
        "traceback": (row["traceback"] or "")[-1500:],
    }
    if row["kind"] == "raw":
        story["message"] = base64.b64decode(row["raw"] or "").decode("utf-8", "replace")[:_RAW_SHOWN]
    key = row["delivery_id"] if row["kind"] == "delivery" else row["job_id"]
    options = {"dead_letter_id": row["id"], "dead_letter": story}
    return Message(row["queue"], ACTORS[row["queue"]], key or row["id"], 5, options)


def raw_message(row: DueLetter) -> Message:
    """A raw letter's own message, sent to its queue again byte for byte."""
    return Message(row["queue"], "", row["id"], 5, raw=base64.b64decode(row["raw"] or ""))
