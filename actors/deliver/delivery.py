"""The webhook actor: the permanent record first, then one signed POST, one attempt row, one verdict (DESIGN §2.10, §6)."""

import random
import time
import traceback
from dataclasses import dataclass, replace

import structlog

from actors.actor import Actor
from actors.deliver.bodies import batch_body, callback_body, correlation
from actors.deliver.host_pauses import note_answer
from middleware.hooks.lifecycle import Attempt
from schema.callbacks.redaction import hide
from schema.callbacks.urls import redact
from schema.callbacks.verdicts import History, Verdict, judge
from schema.errors import DependencyDown, ReportqError
from schema.life.failures import Failure
from schema.life.rounds import MAX_CRASHES, refund
from schema.ports import Answer, Documents, End, Post, Sender
from schema.rows import deliveries, leases, letters, links, outbox, pauses, posts
from schema.rows.columns import PostEnd
from schema.rows.deliveries import DeliveryClaim, Unclaimed
from schema.rows.messages import WEBHOOKS
from schema.rows.posts import Outcome
from schema.sql.database import DatabaseDown, patiently

log = structlog.get_logger()

_KEEP_TRYING = 10  # leases for which a worker keeps trying to write down a 2xx
_TOO_OLD = "The callback was owed for too long."
_UNRECORDED = "The end could not be recorded for too long."
_BROKEN = "The callback could not be prepared: an unexpected error ({})."
_RECORD_AGAIN = 5.0  # Seconds until a permanent record is tried again.
_BEFORE_THE_END = 60.0  # Seconds between a delivery's last try and its deadline.


@dataclass
class Delivering(Actor):
    """`deliver_webhook`, with what it needs."""

    documents: Documents
    sender: Sender

    def __call__(self, delivery_id: str) -> None:
        """Do one start of a delivery, unless its row needs none."""
        # The message is not acked until the row could be asked for: the thread waits and asks again.
        held = patiently(lambda: self._claim(delivery_id))
        if not isinstance(held, DeliveryClaim):
            log.debug("delivery.hint_forgotten", delivery_id=delivery_id, reason=held)
            return
        # Time for the POST, the statements around it, and the long wait to write down a 2xx.
        limit = time.monotonic() + self.settings.webhook_timeout + self.settings.lease * (_KEEP_TRYING + 2)
        self.attempts.begin(Attempt(leases.DELIVERIES, held.row, limit))
        try:
            self._deliver(held)
        except DatabaseDown:
            log.warning("delivery.outcome_not_written", delivery_id=delivery_id)
            self._give_back(held)
        except Exception as error:
            log.exception("delivery.broke", delivery_id=delivery_id)
            self._broke(held, error)
        finally:
            self.attempts.end()

    def _give_back(self, held: DeliveryClaim) -> None:
        """Return a delivery while the database is away; that costs no try.

        One that may have been posted has a `sending` row. It stays until its lease runs out, and rescue decides.
        """

        def work() -> None:
            tried = posts.of(self.db, held.delivery_id)
            if not any(attempt["outcome"] == "sending" for attempt in tried):
                deliveries.wait(self.db, held.row, seconds=_RECORD_AGAIN * random.uniform(0.5, 1.0))

        patiently(self.db.ping)
        try:
            patiently(lambda: self.db.transaction(work), self.settings.lease)
        except DatabaseDown:
            log.warning("delivery.not_given_back", delivery_id=held.delivery_id)

    def _broke(self, held: DeliveryClaim, error: Exception) -> None:
        """An unexpected error: try a few times more, then leave a dead letter for a person."""
        crashes = held.row["crashes"] + 1
        failure = Failure.of(error)
        try:
            if failure.permanent or crashes >= MAX_CRASHES:
                sentence = failure.message if isinstance(error, ReportqError) else _BROKEN.format(type(error).__name__)
                self._give_up(held, failure.code, sentence, hide("".join(traceback.format_exception(error))))
            else:
                deliveries.wait(self.db, held.row, seconds=_RECORD_AGAIN * crashes, crashed=True)
        except DatabaseDown:
            log.warning("delivery.outcome_not_written", delivery_id=held.delivery_id)
        self.wake()

    def _claim(self, delivery_id: str) -> DeliveryClaim | Unclaimed:
        if self.board.blocking(WEBHOOKS) is not None:
            outbox.DELIVERIES.unpublish(self.db, delivery_id)
            return "paused"
        lease, timeout = self.settings.lease, self.settings.webhook_timeout + self.settings.lease
        return deliveries.claim(self.db, delivery_id, worker_id=self.worker_id, lease=lease, timeout=timeout)

    def _deliver(self, held: DeliveryClaim) -> None:
        row = held.row
        end = None if deliveries.of_batch(row) else deliveries.end_of(row)
        spent = deliveries.resume_url_used(self.db, row)
        if end is not None and spent:
            end = replace(end, callback="not_sent")
        too_old = float(row["age"]) > self.settings.delivery_deadline
        if end is not None and row["recorded_at"] is None and not self._record(held, end, last=too_old):
            return
        if row["url"] and not spent and not too_old:
            body = self._batch(held) if end is None else callback_body(self._linked(end))
            if body is not None:
                self._post(held, row["url"], body)  # it notes the record in its own commit
            self.wake()
            return
        deliveries.note_recorded(self.db, held)
        if not row["url"]:
            deliveries.end(self.db, held.row, "recorded")
        elif spent:
            hint = "The resume URL was used up by an earlier round; ask for the status, or replay with a new callback."
            deliveries.end(self.db, held.row, "not_sent", code="resume_url_used", hint=hint)
        else:
            self._give_up(held, "webhook_too_old", _TOO_OLD)
        self.wake()

    def _batch(self, held: DeliveryClaim) -> bytes | None:
        """The body of a batch's callback; None when it has to wait, or when a newer round of the batch replaces it."""
        try:
            body = batch_body(self.db, self.documents, held.row, self.settings.links_base)
        except DependencyDown as error:
            pauses.note_outage(self.db, self.settings, error, (held.delivery_id, held.start_no))
            body = None
        if body is None:
            deliveries.wait(self.db, held.row, seconds=_RECORD_AGAIN * random.uniform(0.5, 1.0))
        return body

    def _record(self, held: DeliveryClaim, end: End, *, last: bool) -> bool:
        """Write the permanent record; False when it has to wait, or when the delivery was given up at its `last` try.

        A failure costs no try, because nothing was posted.
        """
        began = time.monotonic()
        try:
            self.documents.record_end(end)
        except DependencyDown as error:
            members = pauses.note_outage(self.db, self.settings, error, (held.delivery_id, held.start_no))
            if members is not None:
                refund(self.db, members)  # the outage's first errors were counted as those jobs' failures
            if last:
                self._give_up(held, "webhook_too_old", f"{_UNRECORDED} {error.detail}")
            else:
                deliveries.wait(self.db, held.row, seconds=_RECORD_AGAIN * random.uniform(0.5, 1.0))
            return False
        log.info("delivery.recorded", seconds=round(time.monotonic() - began, 3))
        return True

    def _post(self, held: DeliveryClaim, url: str, body: bytes) -> None:
        row = held.row
        asked = time.monotonic()
        number = deliveries.begin_post(self.db, held, row["post_kind"])
        if isinstance(number, str):
            if number == "delivered":
                deliveries.end(self.db, held.row, "delivered")
            return
        webhook_id = f"msg_{row['job_id']}_{row['round']}"
        earlier = posts.earlier(self.db, row, number) if number > 1 else History()
        if time.monotonic() - asked > self.settings.lease:
            # This process was stopped or starved for a lease: another worker may have posted meanwhile.
            log.warning("delivery.not_sent_late", delivery_id=held.delivery_id, attempt=number)
            return
        answer = self.sender.send(Post(url, webhook_id, body, headers=correlation(row)))
        verdict = judge(answer, earlier, schedule_scale=self.settings.webhook_scale, chance=random.random())
        log.info(
            "delivery.attempt",
            delivery_id=held.delivery_id,
            job_id=row["job_id"],
            round=row["round"],
            attempt=number,
            url=redact(url),
            status=answer.status,
            failure=answer.failure,
            verdict=verdict.kind,
            seconds=round(answer.duration, 3),
        )
        # A 2xx must be written down, however long that takes. Without it the receiver is told twice.
        patience = self.settings.lease * (_KEEP_TRYING if verdict.kind == "delivered" else 1)
        stopped = patiently(lambda: self._write(held, number, answer, verdict), patience)
        self.meters.posted(row, verdict, answer)
        if stopped is not None:
            self.meters.given_up(stopped)
        note_answer(self.db, self.board, self.settings.host_probe_every, held, answer)

    def _linked(self, end: End) -> End:
        """The end with a link that needs no key in place of our own download, when the settings want that.

        Each POST has a link of its own: no token is kept that a later POST could repeat.
        """
        seconds, own = self.settings.callback_link_for, self.settings.links_base
        if not seconds or end.status != "completed" or not (end.google_drive_link or "").startswith(f"{own}/"):
            return end
        _, token, _ = links.make(self.db, end.job_id, seconds=seconds)
        return replace(end, google_drive_link=f"{own}/l/{token}")

    def _write(self, held: DeliveryClaim, number: int, answer: Answer, verdict: Verdict) -> str | None:
        """Write the attempt row and the delivery's new state in one commit; returns the code if it was given up."""
        words: dict[str, PostEnd] = {"delivered": "delivered", "again": "failed", "stop": "refused"}
        became = "unknown" if answer.failure in ("timeout", "reset", "too_large") else words[verdict.kind]
        took = round(answer.duration * 1000)
        outcome = Outcome(became, answer.status, answer.failure, took, answer.body_head, verdict.answer)

        def work() -> str | None:
            posts.end(self.db, held.delivery_id, number, outcome)
            if verdict.kind == "delivered":
                hint = "A later answer showed that it had arrived." if verdict.unconfirmed else verdict.hint
                deliveries.end(self.db, held.row, "delivered", hint=hint, last_status=answer.status)
            elif verdict.kind == "stop":
                code = verdict.code or "webhook_rejected"
                return code if self._stop(held, code, verdict.hint or "", answer.status) else None
            else:
                seconds = self._in_time(held, answer, verdict.after)
                deliveries.wait(self.db, held.row, seconds=seconds, last_status=answer.status, hint=verdict.hint)
            return None

        return self.db.transaction(work)

    def _in_time(self, held: DeliveryClaim, answer: Answer, after: float) -> float:
        """`after`, or less when the deadline comes sooner, so that the last try is made before it."""
        left = self.settings.delivery_deadline - float(held.row["age"]) - answer.duration
        return left - _BEFORE_THE_END if _BEFORE_THE_END < left < after else after

    def _give_up(self, held: DeliveryClaim, code: str, hint: str, trace: str | None = None) -> None:
        """Stop a delivery that got no answer."""
        if self.db.transaction(lambda: self._stop(held, code, hint, None, trace)):
            self.meters.given_up(code)

    def _stop(self, held: DeliveryClaim, code: str, hint: str, status: int | None, trace: str | None = None) -> bool:
        """End the delivery with a dead letter, in the caller's transaction; the caller counts it after the commit.

        False when its job was replayed meanwhile: such a delivery needs no letter.
        """
        if deliveries.overtaken(self.db, held.row):
            deliveries.end(self.db, held.row, "superseded", hint=hint, last_status=status)
            return False
        if not deliveries.end(self.db, held.row, "dead", code=code, hint=hint, last_status=status):
            return False
        letters.bury_delivery(self.db, held.row, code, hint, trace)
        return True
