"""The render actor: claim → source report → PDF → kept for the uploaders (DESIGN §2).

With a folder, or with bytes that are too many to keep, it stores the PDF and ends the round by itself. When it raises,
`middleware/hooks/retries.py` ends the attempt; when its worker dies, `actors/housekeeping/rescue.py` does.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from actors.actor import Actor
from actors.render.storing import HARD_GRACE, Storing
from middleware.hooks.lifecycle import Attempt
from schema.errors import LeaseLost, Permanent, Returned
from schema.life import previews
from schema.ports import Documents, Renderer, RenderRequest
from schema.rows import durations, jobs, leases, outbox, passwords, rendered
from schema.rows.columns import Stage
from schema.rows.messages import RENDER
from schema.sql.database import DatabaseDown, patiently
from schema.sql.times import as_time

log = structlog.get_logger()

# A job's progress (0–100) at the end of each stage, so that the bar never runs backwards.
LOADED, RENDERED = 5, 80
_SHOW_EVERY = 0.5  # Seconds between writes of progress.
_NOTE_EVERY = 1.0  # Seconds between writes of one product's duration.


@dataclass
class Rendering(Actor):
    """`render_pdf`, with what it needs."""

    documents: Documents
    renderer: Renderer
    storing: Storing
    backlog: rendered.StoreBacklog
    _warm: bool = False
    # Product → how many durations are not noted yet, their sum in seconds, and when one was noted last.
    _durations: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def __call__(self, job_id: str) -> None:
        """Do one start of a job, unless its row needs none."""
        # The message is not acked until the row could be asked for: the thread waits and asks again.
        held = patiently(lambda: self._claim(job_id))
        if not isinstance(held, jobs.Claim):
            log.debug("job.hint_forgotten", job_id=job_id, reason=held)
            return
        began = time.monotonic()
        attempt = Attempt(leases.JOBS, held.row, began + self.settings.job_timeout + HARD_GRACE)
        self.attempts.begin(attempt)
        self.meters.started(held.row)
        log.info("job.claimed", job_id=job_id, round=held.round, attempt=held.start_no)

        pdf, kept = self._bytes(held, attempt)
        if jobs.is_preview(job_id):
            self._finish_preview(held, pdf)
            return
        if self.storing.takes(pdf):
            rendered.hand_over(self.db, held, None if kept else pdf)
            self.attempts.end()
            self.meters.handed_over()
            self.storing.notify()
        else:
            link = self.storing.upload(held, pdf)
            self.storing.finish(held, link, time.monotonic() - began, saved=kept)
        if not kept:
            self._note(held.row["product_id"], time.monotonic() - began)

    def _finish_preview(self, held: jobs.Claim, pdf: bytes) -> None:
        """End a preview: its PDF is kept for whoever waits, and stored nowhere."""
        if len(pdf) > rendered.MOST_KEPT:
            raise Permanent(f"The preview has {len(pdf):,} bytes, too many to be kept.", code="preview_too_large")
        if not patiently(lambda: previews.finish(self.db, held, pdf), self.settings.lease):
            raise LeaseLost("Another start of this preview has taken over.")
        self.attempts.end()
        log.info("preview.completed", job_id=held.job_id, bytes=len(pdf))

    def _claim(self, job_id: str) -> jobs.Claim | jobs.Unclaimed:
        if self.board.blocking(RENDER) is not None:
            outbox.JOBS.unpublish(self.db, job_id)
            return "paused"
        s, high_only = self.settings, self.backlog.full()
        held = jobs.claim(
            self.db, job_id, worker_id=self.worker_id, lease=s.lease, timeout=s.job_timeout, high_only=high_only
        )
        if held == "held_back":
            outbox.JOBS.unpublish(self.db, job_id)
        return held

    def _bytes(self, held: jobs.Claim, attempt: Attempt) -> tuple[bytes, bool]:
        """The PDF, rendered now or kept from an earlier attempt of this round; and whether it was kept."""
        if held.start_no > 1 and (kept := rendered.saved(self.db, held)) is not None:
            return kept, True
        began = time.monotonic()
        report = self._report(held)
        self._step("loading", began)
        began = time.monotonic()
        drawn, version = held.row["template_version"], self.renderer.version(held.row["product_id"])
        if drawn not in (None, version):
            log.warning("job.template_changed", job_id=held.job_id, before=drawn, now=version)
        held.row["template_version"] = version
        asked_at, preview = as_time(held.row["requested_at"]), jobs.is_preview(held.job_id)
        locked = held.row["sealed_password"]
        password = None if locked is None else passwords.opened(self.settings.sealing_keys, locked)
        request = RenderRequest(held.row["product_id"], report, held.job_id, asked_at, preview, password)
        pdf = self.renderer.render(request, self._show(held, attempt))
        self._step("rendering", began, bytes=len(pdf))
        return pdf, False

    def _step(self, stage: Stage, began: float, **more: int) -> None:
        """Count and log that one stage is done."""
        seconds = time.monotonic() - began
        self.meters.stage(stage, seconds)
        log.info("job.stage_done", stage=stage, seconds=round(seconds, 3), **more)

    def _report(self, held: jobs.Claim) -> dict[str, Any]:
        code, product = held.row["code"], held.row["product_id"]
        if held.row["inline_data"]:
            text = jobs.inline_report(self.db, held.job_id)
            report = msgspec.json.decode(text) if text else None
        else:
            report = self.documents.find_report(code, product)
        if not isinstance(report, dict) and product not in self.renderer.products():
            raise Permanent(f"There is no product {product[:80]!r}.", code="template_not_found")
        if not held.row["inline_data"] and report is None and (original := self.renderer.original(product)) != product:
            report = self.documents.find_report(code, original)
        if not isinstance(report, dict):
            raise Permanent(f"There is no report with code {code!r} for product {product!r}.", code="report_not_found")
        return report

    def _show(self, held: jobs.Claim, attempt: Attempt) -> Callable[[int], None]:
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

    def _note(self, product_id: str, seconds: float) -> None:
        """Write how long a product's reports take, at most once a second; it may be lost without harm."""
        if not self._warm:  # the first report of a process also loads fonts and templates
            self._warm = True
            return
        count, total, noted_at = self._durations.get(product_id, (0, 0.0, float("-inf")))
        count, total = count + 1, total + seconds
        now = time.monotonic()
        if now - noted_at >= _NOTE_EVERY:
            try:
                durations.note(self.db, product_id, total / count, count)
            except DatabaseDown:
                log.warning("job.duration_not_noted", product_id=product_id)
                return
            count, total, noted_at = 0, 0.0, now
        self._durations[product_id] = (count, total, noted_at)
