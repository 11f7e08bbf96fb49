"""The webhook actor: the permanent record first, then one signed POST, one attempt row, one verdict (DESIGN §2.10, §6)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from middleware.lifecycle import Attempt, Attempts
from schema import dead_letters, deliveries, leases, outbox, pauses, traces
from schema.callback_urls import redact
from schema.database import Database, DatabaseDown, Row, patiently
from schema.deliveries import DeliveryClaim, Outcome
from schema.errors import DependencyDown, ReportqError
from schema.messages import WEBHOOKS
from schema.pauses import PauseBoard
from schema.ports import Answer, Documents, End, Post, Sender
from schema.rounds import MAX_CRASHES, Failure, refund
from schema.settings import Settings
from schema.verdicts import History, Verdict, judge

log = structlog.get_logger()

HOST_STREAK = 5  # consecutive connection errors or timeouts that pause a webhook host
HOST_OWNERS = 2  # … of so many deliveries
_KEEP_TRYING = 10  # leases for which a worker keeps trying to write down a 2xx
_TOO_OLD = "The callback was owed for too long."
_KILLS = "Three workers died before this callback left. Their logs say why; send it again by hand."
_BROKEN = "The callback could not be prepared: an unexpected error ({})."
_RECORD_AGAIN = 5.0  # seconds until a permanent record is tried again


# Of a POST whose worker died.
_UNHEARD = Answer(status=None, failure="reset", content_type="", body_head="", retry_after=None, duration=0.0)


class Delivering:
    """`deliver_webhook`, with what it needs."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        documents: Documents,
        sender: Sender,
        attempts: Attempts,
        board: PauseBoard,
        *,
        worker_id: str,
        wake: Callable[[], None],
        posted: Callable[[Row, Verdict, Answer], None] = lambda row, verdict, answer: None,
        given_up: Callable[[str], None] = lambda code: None,
    ) -> None:
        self._settings = settings
        self._db = db
        self._documents = documents
        self._sender = sender
        self._attempts = attempts
        self._board = board
        self._worker_id = worker_id
        self._wake = wake
        self._posted = posted
        self._given_up = given_up

    def __call__(self, delivery_id: str) -> None:
        """Do one start of a delivery, if the hint is still worth anything."""
        # A hint whose claim could not be asked is not acked: the thread waits and asks again.
        held = patiently(lambda: self._claim(delivery_id))
        if not isinstance(held, DeliveryClaim):
            log.debug("delivery.hint_forgotten", delivery_id=delivery_id, reason=held)
            return
        limit = time.monotonic() + self._settings.webhook_timeout + self._settings.lease
        self._attempts.begin(Attempt(leases.DELIVERIES, held.row, limit))
        try:
            self._deliver(held)
        except DatabaseDown:
            # What was posted is in its `sending` row; the lease returns the delivery and the row becomes `unknown`.
            log.warning("delivery.outcome_not_written", delivery_id=delivery_id)
        except Exception as error:
            log.exception("delivery.broke", delivery_id=delivery_id)
            self._broke(held, error)
        finally:
            self._attempts.end()

    def _broke(self, held: DeliveryClaim, error: Exception) -> None:
        """Something is wrong with this delivery, or with us: a few tries more, then a person must look at it."""
        crashes = int(held.row["crashes"]) + 1
        failure = Failure.of(error)
        try:
            if failure.permanent or crashes >= MAX_CRASHES:
                sentence = failure.message if isinstance(error, ReportqError) else _BROKEN.format(type(error).__name__)
                self._give_up(held, failure.code, sentence)
            else:
                deliveries.wait(self._db, held.row, seconds=_RECORD_AGAIN * crashes, crashed=True)
        except DatabaseDown:
            log.warning("delivery.outcome_not_written", delivery_id=held.delivery_id)
        self._wake()

    def _claim(self, delivery_id: str) -> DeliveryClaim | str:
        if self._board.blocking(WEBHOOKS) is not None:
            outbox.DELIVERIES.unpublish(self._db, delivery_id)
            return "paused"
        return deliveries.claim(
            self._db,
            delivery_id,
            worker_id=self._worker_id,
            lease=self._settings.lease,
            timeout=self._settings.webhook_timeout + self._settings.lease,
        )

    def _deliver(self, held: DeliveryClaim) -> None:
        row = held.row
        end = deliveries.end_of(row)
        spent = deliveries.resume_url_used(self._db, row)
        if spent:
            end = replace(end, callback="not_sent")
        too_old = float(row["age"]) > self._settings.delivery_deadline
        if row["recorded_at"] is None and not self._record(held, end, last=too_old):
            return
        if row["url"] and not spent and not too_old:
            self._post(held, end)  # which notes the record in its own commit
            self._wake()
            return
        deliveries.note_recorded(self._db, held)
        if not row["url"]:
            deliveries.end(self._db, held, "recorded")
        elif spent:
            hint = "The resume URL was used up by an earlier round; ask for the status, or replay with a new callback."
            deliveries.end(self._db, held, "not_sent", code="resume_url_used", hint=hint)
        else:
            self._give_up(held, "webhook_too_old", _TOO_OLD)
        self._wake()

    def _record(self, held: DeliveryClaim, end: End, *, last: bool) -> bool:
        """Write the permanent record; False when it must wait, or, at the `last` time, cannot be waited for any more.

        It counts no try: nobody was called.
        """
        began = time.monotonic()
        try:
            self._documents.record_end(end)
        except DependencyDown as error:
            members = pauses.note_failure(
                self._db,
                f"dependency:{error.dependency}",
                (held.delivery_id, held.start_no),
                streak=3,
                owners=2,
                window=self._settings.outage_window,
                probe_every=self._settings.probe_every,
                reason=error.detail,
            )
            if members is not None:
                refund(self._db, members)  # jobs that had counted the outage's first errors as failures
            if last:
                self._give_up(held, "webhook_too_old", f"{_TOO_OLD} {error.detail}")
                return False
            deliveries.wait(self._db, held.row, seconds=_RECORD_AGAIN * random.uniform(0.5, 1.0))
            return False
        log.info("delivery.recorded", seconds=round(time.monotonic() - began, 3))
        return True

    def _post(self, held: DeliveryClaim, end: End) -> None:
        row = held.row
        asked = time.monotonic()
        number = deliveries.begin_post(self._db, held, row["post_kind"])
        if isinstance(number, str):
            if number == "delivered":
                deliveries.end(self._db, held, "delivered")
            return
        webhook_id = f"msg_{row['job_id']}_{row['round']}"
        body = callback_body(end)
        earlier = _earlier(self._db, row, number) if number > 1 else History()
        if time.monotonic() - asked > self._settings.lease:
            # Stopped or starved since the row was ours: another worker may have been told 2xx by now.
            log.warning("delivery.not_sent_late", delivery_id=held.delivery_id, attempt=number)
            return
        answer = self._sender.send(Post(row["url"], webhook_id, body, headers=_correlation(row)))
        verdict = judge(
            answer,
            earlier,
            schedule_scale=self._settings.webhook_scale,
            chance=random.random(),
        )
        log.info(
            "delivery.attempt",
            delivery_id=held.delivery_id,
            job_id=row["job_id"],
            round=row["round"],
            attempt=number,
            url=redact(row["url"]),
            status=answer.status,
            failure=answer.failure,
            verdict=verdict.kind,
            seconds=round(answer.duration, 3),
        )
        # A 2xx in hand is worth much patience: forgotten, the receiver would be told twice.
        patience = self._settings.lease * (_KEEP_TRYING if verdict.kind == "delivered" else 1)
        stopped = patiently(lambda: self._write(held, number, answer, verdict), patience)
        self._posted(row, verdict, answer)
        if stopped is not None:
            self._given_up(stopped)
        self._note_host(held, answer)

    def _write(self, held: DeliveryClaim, number: int, answer: Answer, verdict: Verdict) -> str | None:
        """Attempt row and what becomes of the delivery, in one commit; the code it was given up with, if it was."""
        unknown = answer.failure in ("timeout", "reset", "too_large")
        words = {"delivered": "delivered", "again": "failed", "stop": "refused"}
        outcome = Outcome(
            "unknown" if unknown else words[verdict.kind],
            answer.status,
            answer.failure,
            round(answer.duration * 1000),
            answer.body_head,
            verdict.answer,
        )

        def work() -> str | None:
            deliveries.end_post(self._db, held, number, outcome)
            if verdict.kind == "delivered":
                hint = "A later answer showed that it had arrived." if verdict.unconfirmed else None
                deliveries.end(self._db, held, "delivered", hint=hint, last_status=answer.status)
            elif verdict.kind == "stop":
                code = verdict.code or "webhook_rejected"
                return code if self._stop(held, code, verdict.hint or "", answer.status) else None
            else:
                deliveries.wait(
                    self._db, held.row, seconds=verdict.after, last_status=answer.status, hint=verdict.hint
                )  # fmt: skip
            return None

        return self._db.transaction(work)

    def _give_up(self, held: DeliveryClaim, code: str, hint: str) -> None:
        """Stop without an answer."""
        if self._db.transaction(lambda: self._stop(held, code, hint, None)):
            self._given_up(code)

    def _stop(self, held: DeliveryClaim, code: str, hint: str, status: int | None) -> bool:
        """The delivery dies, in the caller's transaction: a dead letter with a plain hint, counted once it is committed.
        False for one whose job was replayed meanwhile, which needs neither."""
        if deliveries.overtaken(self._db, held.row):
            deliveries.end(self._db, held, "superseded", hint=hint, last_status=status)
            return False
        if not deliveries.end(self._db, held, "dead", code=code, hint=hint, last_status=status):
            return False
        dead_letters.bury_delivery(self._db, held.row, code, hint)
        return True

    def _note_host(self, held: DeliveryClaim, answer: Answer) -> None:
        """A host that does not answer at all is paused; any complete answer ends that."""
        scope = f"host:{held.row['host']}"
        if answer.failure in ("connect", "timeout"):
            pauses.note_failure(
                self._db,
                scope,
                (held.delivery_id, held.start_no),
                streak=HOST_STREAK,
                owners=HOST_OWNERS,
                window=None,
                probe_every=self._settings.host_probe_every,
                reason=f"The host did not answer {HOST_STREAK} times in a row.",
            )
        elif answer.status is not None and (self._board.in_streak(scope) or scope in self._board.active()):
            pauses.resume(self._db, scope, outages_only=True)


def _correlation(row: Row) -> dict[str, str]:
    """The caller's own request id and trace, so that its log and ours can be laid side by side."""
    headers = {"x-request-id": row["request_id"]} if row["request_id"] else {}
    if row["traceparent"]:
        headers["traceparent"] = traces.child(row["traceparent"])
    return headers


def callback_body(end: End) -> bytes:
    """The plan's callback bodies, with `type` and `meta`."""
    moment = end.ended_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body: dict[str, Any] = {"type": f"report.{end.status}", "job_id": end.job_id, "status": end.status}
    if end.status == "completed":
        body |= {"google_drive_link": end.google_drive_link, "completed_at": moment}
    else:
        error = end.error_message or "The job was cancelled."
        body |= {"error": error, "error_code": end.error_code or "cancelled"}
        body |= {
            "failed_at" if end.status == "failed" else "cancelled_at": moment,
            "retry_count": end.retry_count,
        }
    return msgspec.json.encode(body | {"meta": end.meta})


def _earlier(db: Database, row: Row, number: int) -> History:
    """Earlier tries of this budget: a replay begins a new one, whose ladders begin at their feet.

    What was unknown before it stays so: a later "409 finished" still proves that it had arrived.
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


def rescue(db: Database, row: Row, *, schedule_scale: float = 1.0) -> str:
    """Decide about a delivery whose worker was not heard of: `rescued`, `dead`, or `lost` when the row has moved on.

    A POST that was under way may or may not have arrived: it counts as one try of the long schedule, so that a receiver
    whose answers kill workers is not met again at once. A start without a POST is a crash; the third ends the delivery.
    """
    held = DeliveryClaim(row)

    def bury(code: str, hint: str) -> str:
        if not deliveries.end(db, held, "dead", code=code, hint=hint):
            return "lost"
        dead_letters.bury_delivery(db, row, code, hint)
        return "dead"

    def work() -> str:
        overtaken = deliveries.overtaken(db, row)
        sending = [a for a in deliveries.attempts_of(db, row["delivery_id"]) if a["outcome"] == "sending"]
        db.execute(
            f"UPDATE delivery_attempts SET outcome='unknown', verdict='unknown', ended_at={db.now()} "
            "WHERE delivery_id=%s AND outcome='sending'",
            (row["delivery_id"],),
        )
        if not sending:
            if int(row["crashes"]) + 1 >= MAX_CRASHES and not overtaken:
                return bury("worker_died", _KILLS)
            return "rescued" if deliveries.wait(db, row, seconds=0, crashed=True) else "lost"
        history = _earlier(db, row, int(sending[-1]["number"]))
        verdict = judge(_UNHEARD, history, schedule_scale=schedule_scale, chance=random.random())
        if verdict.kind == "stop" and not overtaken:
            return bury(verdict.code or "webhook_exhausted", verdict.hint or "")
        return "rescued" if deliveries.wait(db, row, seconds=verdict.after) else "lost"

    return db.transaction(work)
