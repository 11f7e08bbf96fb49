"""Batches: the list; one batch's status and results, cancel, replay of what failed, and all of its PDFs in one archive."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import falcon

from schema.errors import Permanent, Refused
from schema.http import batch_responses, queries, requests
from schema.http.batch_responses import result_of, summary_of
from schema.http.responses import shown
from schema.life import rounds
from schema.rows import batches
from schema.rows.batches import Member
from schema.rows.columns import OPEN, BatchRow
from schema.sql.database import Database
from schema.sql.times import as_time
from service.estimates import QueueView
from service.routes.archive import Archive
from service.routes.jobs import webhook_of
from service.routes.route import Route, answer, by
from service.waiters import WaiterBoard

_PAGE = 100  # jobs
_ODD = re.compile(r"[^\w.-]")


@dataclass(eq=False)
class Batches(Route):
    """GET /api/batches and /api/batches/{batch_id}; POST …/cancel and …/replay; GET …/download."""

    view: QueueView
    waiters: WaiterBoard

    def on_get_list(self, req: falcon.Request, resp: falcon.Response) -> None:
        """A page of batches, newest first."""
        rows = batches.page(self.parts.db, queries.read_query(req.params, queries.BatchesQuery).cursor, _PAGE + 1)
        cursor = rows[_PAGE - 1]["batch_id"] if len(rows) > _PAGE else None
        answer(resp, batch_responses.BatchPage([summary_of(row) for row in rows[:_PAGE]], cursor))

    def on_get(self, req: falcon.Request, resp: falcon.Response, batch_id: str) -> None:
        """The batch as it stands, or, with `Prefer: wait=N`, once all of its jobs have ended."""
        prefer = queries.preference(req.get_header("Prefer"), self.parts.settings.longest_wait)
        first = int(queries.read_query(req.params, queries.BatchQuery).cursor or 0)
        row = one_batch(self.parts.db, batch_id)
        if prefer.wait and row["ended_at"] is None and self.waiters.wait(batch_id, prefer.wait):
            resp.set_header("Preference-Applied", f"wait={prefer.wait:g}")
            row = one_batch(self.parts.db, batch_id)
        if row["ended_at"] is None:
            resp.set_header("Retry-After", "2")
        answer(resp, self._shown(row, first))

    def on_post_cancel(self, req: falcon.Request, resp: falcon.Response, batch_id: str) -> None:
        """200 when all that could be cancelled is, 202 when some will be at their next checkpoint."""
        done = cancel(self.parts.db, batch_id)
        req.context.cancelled = done.cancelled
        answer(resp, done, falcon.HTTP_202 if done.cancel_requested else falcon.HTTP_200)
        self.parts.wake()

    def on_post_replay(self, req: falcon.Request, resp: falcon.Response, batch_id: str) -> None:
        """Every failed job once more."""
        done = replay(self.parts.db, batch_id, self.asked(req, requests.Replay, optional=True), by(req))
        self.parts.wake()
        resp.set_header("Location", f"/api/batches/{batch_id}")
        resp.set_header("Retry-After", "2")
        answer(resp, done, falcon.HTTP_202)

    def on_get_download(self, req: falcon.Request, resp: falcon.Response, batch_id: str) -> None:
        """Every PDF of an ended batch in one ZIP archive, streamed: no more than a piece of one is in memory."""
        row = one_batch(self.parts.db, batch_id)
        if row["ended_at"] is None:
            resp.set_header("Retry-After", "2")
            raise Refused("The batch has not ended.", code="not_ready")
        pieces = self._archived(row, as_time(row["ended_at"]))
        first = next(pieces)  # a store that does not answer is told before the answer begins

        def whole() -> Iterator[bytes]:
            yield first
            yield from pieces

        resp.content_type = "application/zip"
        resp.set_header("Content-Disposition", f'attachment; filename="{batch_id}.zip"')
        resp.set_header("Cache-Control", "private, no-store")
        resp.stream = whole()

    def _archived(self, row: BatchRow, ended_at: datetime) -> Iterator[bytes]:
        archive, missing = Archive(ended_at), []
        for first in range(0, row["total"], _PAGE):
            for one in batches.members(self.parts.db, self.parts.documents, row, first, _PAGE):
                try:
                    if one["status"] != "completed" or one["artifact_id"] is None:
                        raise Permanent(one["error_message"] or "", code=one["error_code"] or one["status"])
                    chunks = self.parts.artifacts.read(one["artifact_id"])
                    begun = next(chunks, b"")
                except Permanent as error:
                    missing.append(f"{one['job_id']} {one['code']} {one['product_id']}: {error.code}\n")
                    continue
                yield from archive.add(_name(one), begun, chunks)
        if missing:
            yield from archive.add("missing.txt", "".join(missing).encode(), iter(()))
        yield archive.close()

    def _shown(self, row: BatchRow, first: int) -> batch_responses.BatchState:
        db = self.parts.db
        processing = min(row["open"], batches.processing(db, row)) if row["open"] else 0
        stands = [self.view.of(job) for job in batches.line(db, row)] if row["open"] else []
        following = first + _PAGE
        return shown(
            batch_responses.BatchState,
            row,
            status="open" if row["ended_at"] is None else "ended",
            counts=batch_responses.BatchCounts(
                row["total"], row["open"] - processing, processing, row["completed"], row["failed"], row["cancelled"]
            ),
            position_in_queue=stands[0][0] if stands else None,
            estimated_completion=max((estimate for _, estimate in stands if estimate), default=None),
            results=[result_of(one) for one in batches.members(db, self.parts.documents, row, first, _PAGE)],
            next_cursor=str(following) if following < row["total"] else None,
            webhook=webhook_of(db, row["batch_id"], row),
        )


def one_batch(db: Database, batch_id: str) -> BatchRow:
    """The batch's row. Raises Refused: batch_not_found."""
    row = batches.find(db, batch_id)
    if row is None:
        raise Refused(f"There is no batch {batch_id[:80]!r}.", code="batch_not_found")
    return row


def cancel(db: Database, batch_id: str) -> batch_responses.BatchCancelled:
    """Cancel the jobs of a batch that have not ended. Raises Refused: batch_not_found, already_ended."""
    row = one_batch(db, batch_id)
    if row["ended_at"] is not None:
        raise Refused("The batch has ended.", code="already_ended")
    done = db.transaction(lambda: batches.each(db, row, OPEN, lambda job_id: rounds.cancel(db, job_id)))
    counts = [done.count(outcome) for outcome in ("cancelled", "requested", "too_late")]
    return batch_responses.BatchCancelled(batch_id, *counts)


def replay(db: Database, batch_id: str, asked: requests.Replay, who: str) -> batch_responses.BatchReplayed:
    """Every failed job once more, in one transaction: the batch's next round can end only after the last of them.

    Raises Refused: batch_not_found, not_replayable.
    """
    row = one_batch(db, batch_id)

    def work() -> int:
        done = batches.each(db, row, ("failed",), lambda job_id: rounds.replay(db, job_id, by=who, why=asked.why))
        if not done:
            raise Refused("No job of the batch has failed.", code="not_replayable")
        # After its jobs: whoever ends one locks the job first, too.
        batches.redirect(db, batch_id, asked.callback, asked.failure_callback)
        return len(done)

    replayed = db.transaction(work)
    return batch_responses.BatchReplayed(batch_id, one_batch(db, batch_id)["round"], replayed)


def _name(one: Member) -> str:
    """A name for the file, unique by the job's id."""
    return f"{_ODD.sub('_', one['code'][:60])}-{_ODD.sub('_', one['product_id'][:60])}-{one['job_id']}.pdf"
