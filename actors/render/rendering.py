"""The render actor: claim → source report → PDF → artifact → finish (DESIGN §2).

A job's attempt ends here when it succeeds: only here the link to its PDF is known. When it raises,
`middleware/hooks/retries.py` ends it; when its worker dies, `actors/housekeeping/rescue.py` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from middleware.hooks.lifecycle import Attempt, Attempts
from middleware.meters.worker import WorkerMeters
from schema.errors import LeaseLost, Permanent, Returned
from schema.life import rounds
from schema.ports import Artifacts, Documents, Renderer, RenderRequest
from schema.rows import jobs, leases, outbox, pauses
from schema.rows.columns import Stage
from schema.rows.jobs import Claim, NotClaimed
from schema.rows.messages import RENDER
from schema.rows.pauses import PauseBoard
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown, patiently
from schema.sql.times import as_time

log = structlog.get_logger()

# A job's progress (0–100) at the end of each stage, so that the bar never runs backwards.
LOADED, RENDERED, STORED = 5, 80, 95
_SHOW_EVERY = 0.5  # Seconds between writes of progress.
_NOTE_EVERY = 1.0  # Seconds between writes of one product's duration.
HARD_GRACE = 5.0  # Seconds between the soft limit and the end of the process.


@dataclass
class Rendering:
    """`render_pdf`, with what it needs."""

    settings: Settings
    db: Database
    documents: Documents
    artifacts: Artifacts
    renderer: Renderer
    attempts: Attempts
    board: PauseBoard
    meters: WorkerMeters
    worker_id: str
    wake: Callable[[], None]
    _warm: bool = False
    # Product → how many durations are not noted yet, their sum in seconds, and when one was noted last.
    _durations: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def __call__(self, job_id: str) -> None:
        """Do one start of a job, unless its row needs none."""
        # The message is not acked until the row could be asked for: the thread waits and asks again.
        held = patiently(lambda: self._claim(job_id))
        if isinstance(held, NotClaimed):
            log.debug("job.hint_forgotten", job_id=job_id, reason=held.reason)
            return
        began = time.monotonic()
        attempt = Attempt(leases.JOBS, held.row, began + self.settings.job_timeout + HARD_GRACE)
        self.attempts.begin(attempt)
        self.meters.started(held.row)
        log.info("job.claimed", job_id=job_id, round=held.round, attempt=held.start_no)

        pdf, saved = self._bytes(held, attempt)
        link = self._store(held, attempt, pdf, saved)
        if not patiently(lambda: self._finish(held, link, saved), self.settings.lease):
            raise LeaseLost("Another start of this job has taken over.")
        seconds = time.monotonic() - began
        self.attempts.end()
        self.wake()
        self.meters.ended(held.row, "completed", None)
        self._after(held, seconds)
        log.info("job.completed", job_id=job_id, round=held.round, attempt=held.start_no, seconds=round(seconds, 3))

    def _claim(self, job_id: str) -> Claim | NotClaimed:
        if self.board.blocking(RENDER) is not None:
            outbox.JOBS.unpublish(self.db, job_id)
            return NotClaimed("paused")
        return jobs.claim(
            self.db, job_id, worker_id=self.worker_id, lease=self.settings.lease, timeout=self.settings.job_timeout
        )

    def _bytes(self, held: Claim, attempt: Attempt) -> tuple[bytes, bool]:
        """The PDF, rendered now or kept from an earlier attempt of this round; and whether its bytes are kept."""
        if held.start_no > 1 and (kept := jobs.saved_rendered(self.db, held)) is not None:
            return kept, True
        began = time.monotonic()
        report = self._report(held)
        self._step("loading", began)
        began = time.monotonic()
        request = RenderRequest(held.row["product_id"], report, held.job_id, as_time(held.row["requested_at"]))
        pdf = self.renderer.render(request, self._show(held, attempt))
        self._step("rendering", began, bytes=len(pdf))
        if self.artifacts.dependency == "folder":
            return pdf, False  # storing is local and as quick as keeping
        jobs.save_rendered(self.db, held, pdf, self.settings.keep_rendered)
        return pdf, True

    def _step(self, stage: Stage, began: float, **more: int) -> None:
        """Count and log that one stage is done."""
        seconds = time.monotonic() - began
        self.meters.stage(stage, seconds)
        log.info("job.stage_done", stage=stage, seconds=round(seconds, 3), **more)

    def _report(self, held: Claim) -> dict[str, Any]:
        if held.row["inline_data"]:
            text = jobs.inline_report(self.db, held.job_id)
            report = msgspec.json.decode(text) if text else None
        else:
            report = self.documents.find_report(held.row["code"], held.row["product_id"])
        if not isinstance(report, dict):
            raise Permanent(
                f"There is no report with code {held.row['code']!r} for product {held.row['product_id']!r}.",
                code="report_not_found",
            )
        return report

    def _show(self, held: Claim, attempt: Attempt) -> Callable[[int], None]:
        """The renderer's progress callback: it checks for stop and lost lease, and writes progress now and then."""
        shown_at = time.monotonic()

        def show(percent: int) -> None:
            nonlocal shown_at
            if attempt.lost:
                raise LeaseLost("Another start of this job has taken over.")
            if self.attempts.stopping.is_set():
                raise Returned("The worker is being stopped.")
            now = time.monotonic()
            if now - shown_at >= _SHOW_EVERY:
                shown_at = now
                progress = LOADED + (RENDERED - LOADED) * max(0, min(100, percent)) // 100
                jobs.show_progress(self.db, held, "rendering", progress, self.settings.lease)

        return show

    def _store(self, held: Claim, attempt: Attempt, pdf: bytes, saved: bool) -> str:
        """Put the PDF into the store under the job's reserved id. From here on it is too late to cancel."""
        began = time.monotonic()
        artifact_id = held.row["artifact_id"] or self.artifacts.reserve()
        jobs.pass_upload_point(self.db, held, artifact_id, self.settings.lease)
        labels = {"job_id": held.job_id, "code": held.row["code"], "product_id": held.row["product_id"]}
        name = f"{held.row['product_id']}-{held.row['code']}.pdf"
        try:
            link = self.artifacts.put(artifact_id, name, pdf, replace=held.round > 1, labels=labels)
        except Permanent as error:
            if error.code != "artifact_gone":
                raise
            # A person deleted the file of an earlier round. Its id cannot be used again, so the job gets a new one.
            artifact_id = self.artifacts.reserve()
            jobs.pass_upload_point(self.db, held, artifact_id, self.settings.lease)
            link = self.artifacts.put(artifact_id, name, pdf, replace=False, labels=labels)
        self._step("uploading", began)
        return link or f"{self.settings.links_base}/api/jobs/{held.job_id}/download"

    def _finish(self, held: Claim, link: str, saved: bool) -> bool:
        return rounds.finish(self.db, held.row, "completed", outcome="completed", link=link, saved=saved)

    def _after(self, held: Claim, seconds: float) -> None:
        """Note the duration and the end of a streak of errors; both may be lost without harm."""
        try:
            if self._warm:  # the first report of a process also loads fonts and templates
                self._note_duration(held.row["product_id"], seconds)
            self._warm = True
            for scope in (pauses.DEPENDENCY + self.artifacts.dependency, pauses.DEPENDENCY + "mongodb"):
                if self.board.in_streak(scope):
                    pauses.note_success(self.db, scope)
        except DatabaseDown:
            log.warning("job.duration_not_noted", job_id=held.job_id)

    def _note_duration(self, product_id: str, seconds: float) -> None:
        """Write a product's mean duration at most once a second; a single report is noted at once."""
        count, total, noted_at = self._durations.get(product_id, (0, 0.0, float("-inf")))
        count, total = count + 1, total + seconds
        now = time.monotonic()
        if now - noted_at >= _NOTE_EVERY:
            jobs.note_duration(self.db, product_id, total / count, count)
            count, total, noted_at = 0, 0.0, now
        self._durations[product_id] = (count, total, noted_at)
