"""What callbacks say, as structs: the callback's body is encoded from them, and /openapi.json describes them.

`ops/webhooks/` holds their JSON Schemas as files, one for each event; `python -m ops.webhooks.build` writes them.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from schema.http.responses import JobId, Moment
from schema.prepared import prepare

Echo = Annotated[Any, Meta(description="The `meta` of the request, as it came; null without one")]
Retries = Annotated[int, Meta(ge=0, description="Retries in this round")]


class ReportCompleted(Struct):
    """The PDF is stored."""

    type: Literal["report.completed"]
    job_id: JobId
    status: Literal["completed"]
    google_drive_link: Annotated[str, Meta(description="Where the PDF is: in Drive, at this API, or behind a link")]
    completed_at: Moment
    meta: Echo


class ReportFailed(Struct):
    """The job failed for good; it can be replayed."""

    type: Literal["report.failed"]
    job_id: JobId
    status: Literal["failed"]
    error: Annotated[str, Meta(description="What happened, as a sentence")]
    error_code: Annotated[str, Meta(description="Stable; see /docs/problems")]
    failed_at: Moment
    retry_count: Retries
    meta: Echo


class ReportCancelled(Struct):
    """The job was cancelled before its PDF was stored."""

    type: Literal["report.cancelled"]
    job_id: JobId
    status: Literal["cancelled"]
    error: Annotated[str, Meta(description="That the job was cancelled, as a sentence")]
    error_code: str
    cancelled_at: Moment
    retry_count: Retries
    meta: Echo


_JOB, _AT, _META = "pdf_01JDCS7Q4W8Y3M6R5T2V9X0ZAB", "2026-11-23T18:00:03.250Z", {"execution": 1234}
# Each event's body, as an example of its struct.
EVENTS: tuple[Struct, ...] = (
    ReportCompleted(
        "report.completed", _JOB, "completed", "https://drive.google.com/file/d/1a2B3c/view", _AT, _META
    ),
    ReportFailed(
        "report.failed", _JOB, "failed", "There is no report with code 'K1' for product 'minatBakatUmum'.",
        "report_not_found", _AT, 0, _META,
    ),
    ReportCancelled(
        "report.cancelled", _JOB, "cancelled", "The job was cancelled.", "cancelled", _AT, 0, _META
    ),
)  # fmt: skip
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")  # Standard Webhooks; the last one only with a secret

prepare(__name__)
