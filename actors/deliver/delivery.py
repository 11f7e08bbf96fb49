"""The webhook actor: the permanent record first, then one signed POST, one attempt row, one verdict (DESIGN §2.10, §6)."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import structlog

from actors.deliver.callback_body import callback_body, correlation
from middleware.hooks.lifecycle import Attempt, Attempts
from schema.callbacks.redaction import hide
from schema.callbacks.urls import path_key, redact
from schema.callbacks.verdicts import History, Verdict, judge
from schema.errors import DependencyDown, ReportqError
from schema.life.rounds import MAX_CRASHES, Failure, refund
from schema.ports import Answer, Documents, End, Post, Sender
from schema.rows import deliveries, leases, letters, outbox, pauses, posts
from schema.rows.deliveries import DeliveryClaim
from schema.rows.messages import WEBHOOKS
from schema.rows.pauses import PauseBoard
from schema.rows.posts import Outcome
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown, Row, patiently

log = structlog.get_logger()

HOST_STREAK = 5  # consecutive connection errors or timeouts that pause a webhook host
HOST_OWNERS = 2  # … of so many deliveries
BAD_GATEWAYS = 3  # different paths in a row that answer 502 or 503: then the proxy answers, not the host behind it
_KEEP_TRYING = 10  # leases for which a worker keeps trying to write down a 2xx
_TOO_OLD = "The callback was owed for too long."
_UNRECORDED = "The end could not be recorded for too long."
_BROKEN = "The callback could not be prepared: an unexpected error ({})."
_RECORD_AGAIN = 5.0  # seconds until a permanent record is tried again
_BEFORE_THE_END = 60.0  # seconds before a delivery's deadline in which its last try is made


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
        # The POST, the statements around it, and all the patience that a 2xx is worth.
        limit = time.monotonic() + self._settings.webhook_timeout + self._settings.lease * (_KEEP_TRYING + 2)
        self._attempts.begin(Attempt(leases.DELIVERIES, held.row, limit))
        try:
            self._deliver(held)
        except DatabaseDown:
            log.warning("delivery.outcome_not_written", delivery_id=delivery_id)
            self._give_back(held)
        except Exception as error:
            log.exception("delivery.broke", delivery_id=delivery_id)
            self._broke(held, error)
        finally:
            self._attempts.end()

    def _give_back(self, held: DeliveryClaim) -> None:
        """The database was away: that costs no try, however long. What was posted is in its `sending` row; the lease returns
        that delivery, and the row becomes `unknown`."""

        def work() -> None:
            tried = posts.of(self._db, held.delivery_id)
            if not any(attempt["outcome"] == "sending" for attempt in tried):
                deliveries.wait(self._db, held.row, seconds=_RECORD_AGAIN * random.uniform(0.5, 1.0))

        patiently(self._db.ping)
        try:
            patiently(lambda: self._db.transaction(work), self._settings.lease)
        except DatabaseDown:
            log.warning("delivery.not_given_back", delivery_id=held.delivery_id)

    def _broke(self, held: DeliveryClaim, error: Exception) -> None:
        """Something is wrong with this delivery, or with us: a few tries more, then a person must look at it."""
        crashes = int(held.row["crashes"]) + 1
        failure = Failure.of(error)
        try:
            if failure.permanent or crashes >= MAX_CRASHES:
                sentence = failure.message if isinstance(error, ReportqError) else _BROKEN.format(type(error).__name__)
                self._give_up(held, failure.code, sentence, hide("".join(traceback.format_exception(error))))
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
                self._give_up(held, "webhook_too_old", f"{_UNRECORDED} {error.detail}")
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
        earlier = posts.earlier(self._db, row, number) if number > 1 else History()
        if time.monotonic() - asked > self._settings.lease:
            # Stopped or starved since the row was ours: another worker may have been told 2xx by now.
            log.warning("delivery.not_sent_late", delivery_id=held.delivery_id, attempt=number)
            return
        answer = self._sender.send(Post(row["url"], webhook_id, body, headers=correlation(row)))
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
            posts.end(self._db, held.delivery_id, number, outcome)
            if verdict.kind == "delivered":
                hint = "A later answer showed that it had arrived." if verdict.unconfirmed else verdict.hint
                deliveries.end(self._db, held, "delivered", hint=hint, last_status=answer.status)
            elif verdict.kind == "stop":
                code = verdict.code or "webhook_rejected"
                return code if self._stop(held, code, verdict.hint or "", answer.status) else None
            else:
                seconds = self._in_time(held, answer, verdict.after)
                deliveries.wait(self._db, held.row, seconds=seconds, last_status=answer.status, hint=verdict.hint)
            return None

        return self._db.transaction(work)

    def _in_time(self, held: DeliveryClaim, answer: Answer, after: float) -> float:
        """`after`, or less where the deadline would come first: the last try is made before it."""
        left = self._settings.delivery_deadline - float(held.row["age"]) - answer.duration
        return left - _BEFORE_THE_END if _BEFORE_THE_END < left < after else after

    def _give_up(self, held: DeliveryClaim, code: str, hint: str, trace: str | None = None) -> None:
        """Stop without an answer."""
        if self._db.transaction(lambda: self._stop(held, code, hint, None, trace)):
            self._given_up(code)

    def _stop(self, held: DeliveryClaim, code: str, hint: str, status: int | None, trace: str | None = None) -> bool:
        """The delivery dies, in the caller's transaction: a dead letter with a plain hint, counted once it is committed.
        False for one whose job was replayed meanwhile, which needs neither."""
        if deliveries.overtaken(self._db, held.row):
            deliveries.end(self._db, held, "superseded", hint=hint, last_status=status)
            return False
        if not deliveries.end(self._db, held, "dead", code=code, hint=hint, last_status=status):
            return False
        letters.bury_delivery(self._db, held.row, code, hint, trace)
        return True

    def _note_host(self, held: DeliveryClaim, answer: Answer) -> None:
        """A host that does not answer, or whose proxy answers for it on several paths, is paused; any other complete
        answer ends that."""
        host = held.row["host"]
        scope, gateway = f"host:{host}", f"gateway:{host}"
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
        elif answer.status in (502, 503):
            pauses.note_failure(
                self._db,
                gateway,
                (path_key(held.row["url"]), held.start_no),
                opens=scope,
                streak=BAD_GATEWAYS,
                owners=BAD_GATEWAYS,
                window=None,
                probe_every=self._settings.host_probe_every,
                reason=f"The host answered 502 or 503 on {BAD_GATEWAYS} different paths in a row.",
            )
        elif answer.status is not None:
            if self._board.in_streak(gateway):
                pauses.note_success(self._db, gateway)
            if self._board.in_streak(scope) or scope in self._board.active():
                pauses.resume(self._db, scope, outages_only=True)
