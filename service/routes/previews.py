"""Previews: what a product's report looks like, drawn by a worker while the caller waits (DESIGN §2.16)."""

from dataclasses import dataclass

import falcon
import msgspec
import structlog
from ulid import ULID

from schema.errors import Refused
from schema.http import queries, requests
from schema.life import previews
from schema.rows import jobs
from schema.rows.file_names import disposition
from service.estimates import QueueView
from service.routes.products import require_fitting, template_of
from service.routes.route import Route
from service.waiters import WaiterBoard

log = structlog.get_logger()


@dataclass(eq=False)
class Previews(Route):
    """POST /api/products/{product_id}/preview."""

    view: QueueView
    waiters: WaiterBoard

    def on_post(self, req: falcon.Request, resp: falcon.Response, product_id: str) -> None:
        """200 with the PDF; 409 with the code of its failure, or preview_not_ready when it takes longer than the wait."""
        longest = self.parts.settings.longest_wait
        wait = queries.preference(req.get_header("Prefer"), longest).wait
        job_id = self._submit(req, product_id)
        waited = self.waiters.wait(job_id, longest if wait is None else wait)
        row, pdf = previews.take(self.parts.db, job_id)
        if row is not None and row["status"] == "failed":
            raise Refused(
                row["error_message"] or "The preview failed.", code=row["error_code"] or "job_failed", status=409
            )
        if pdf is None:
            resp.set_header("Retry-After", "2")
            detail = "It took too long and was cancelled." if waited else "Too many callers wait here."
            raise Refused(detail, code="preview_not_ready")
        resp.data = pdf
        resp.content_type = "application/pdf"
        resp.set_header("Content-Disposition", disposition(f"preview-{product_id}.pdf", "inline"))
        resp.set_header("Cache-Control", "private, no-store")

    def _submit(self, req: falcon.Request, product_id: str) -> str:
        """Write the job; its id. Data that does not fit is refused before."""
        from actors.pdf.product.templates import sample_of

        template = template_of(self.parts, product_id)
        data = self.asked(req, requests.Preview, optional=True).data
        if data is None and (data := sample_of(template)) is None:
            raise Refused("This product has no sample: send `data`.", code="invalid_data")
        require_fitting(self.parts, {"": requests.Submission(code="", product_id=product_id, data=data)})
        self.view.admit()
        job = jobs.NewJob(
            job_id=f"{jobs.PREVIEW}{ULID()}",
            code="",
            product_id=product_id,
            priority=jobs.HIGHEST,
            inline=msgspec.json.encode(data),
            owner=req.context.owner,
            request_id=req.context.request_id,
            traceparent=queries.traceparent(req.get_header("traceparent")),
        )
        jobs.submit(self.parts.db, job)
        self.parts.wake()
        log.info("preview.submitted", job_id=job.job_id, product_id=product_id, request_id=job.request_id)
        return job.job_id
