"""The stored PDF, streamed; or, when asked for, where the storage keeps it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import falcon

from schema.errors import Permanent, Refused
from schema.rows.file_names import disposition, file_name
from schema.rows.jobs import find
from service.routes.route import Route, no_job

Row = Mapping[str, Any]  # of a job, or its permanent record


class Downloads(Route):
    """GET /api/jobs/{job_id}/download, and what the synchronous endpoint answers."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, job_id: str) -> None:
        """The PDF, or 302 to the storage when REPORTQ_DOWNLOAD_REDIRECT is set."""
        row = find(self.parts.db, job_id)
        self.serve(resp, job_id, row, redirect=self.parts.settings.download_redirect)

    def stored(self, resp: falcon.Response, job_id: str, row: Row | None) -> Row:
        """The row, or the permanent record, of a job that has a PDF.

        Refused: a failed job's own code, job_cancelled, not_ready, job_not_found.
        """
        if row is None:
            end = self.parts.documents.find_end(job_id)
            if end is None:
                raise no_job(job_id)
            row = asdict(end)
        if row["status"] == "failed":
            # Whatever it failed of, there is a job and no PDF: nothing is wrong with this request or with the service.
            raise Refused(row["error_message"] or "The job failed.", code=row["error_code"] or "job_failed", status=409)
        if row["status"] == "cancelled":
            raise Refused("The job was cancelled; there is no PDF.", code="job_cancelled")
        if row["status"] != "completed" or row["artifact_id"] is None:
            resp.set_header("Retry-After", "2")
            raise Refused(f"The job is {row['status']}.", code="not_ready")
        return row

    def serve(
        self, resp: falcon.Response, job_id: str, row: Row | None, *, redirect: bool = False, kind: str = "inline"
    ) -> None:
        """Stream the PDF of a completed job (`row`, or the permanent record of a cleaned one) into the answer.

        Refused: what `stored` refuses, artifact_gone.
        """
        row = self.stored(resp, job_id, row)
        link = row["google_drive_link"] or ""
        if redirect and self.parts.artifacts.dependency == "drive" and link.startswith("https://"):
            resp.status = falcon.HTTP_302
            resp.location = link
            return
        try:
            chunks = self.parts.artifacts.read(row["artifact_id"])
        except Permanent as error:
            raise Refused(error.detail, code="artifact_gone") from None
        resp.status = falcon.HTTP_200
        resp.content_type = "application/pdf"
        resp.set_header("Content-Disposition", disposition(file_name(row, self.parts.settings.file_name), kind))
        resp.set_header("Cache-Control", "private, no-store")
        resp.stream = chunks
