"""What a callback says, and the headers by which its caller finds it in its own log."""

from __future__ import annotations

import msgspec

from schema.http import traces
from schema.http.webhooks import ReportCancelled, ReportCompleted, ReportFailed
from schema.ports import End
from schema.rows.deliveries import ClaimedDelivery
from schema.sql.times import moment


def callback_body(end: End) -> bytes:
    """The body of a callback."""
    at = moment(end.ended_at)
    if end.status == "completed":
        done = ReportCompleted("report.completed", end.job_id, "completed", end.google_drive_link or "", at, end.meta)
        return msgspec.json.encode(done)
    error = end.error_message or "The job was cancelled."
    told = (error, end.error_code or "cancelled", at, end.retry_count, end.meta)
    if end.status == "failed":
        return msgspec.json.encode(ReportFailed("report.failed", end.job_id, "failed", *told))
    return msgspec.json.encode(ReportCancelled("report.cancelled", end.job_id, "cancelled", *told))


def correlation(row: ClaimedDelivery) -> dict[str, str]:
    """The caller's own request id and trace, which stand in its log and in ours."""
    headers = {"x-request-id": row["request_id"]} if row["request_id"] else {}
    if row["traceparent"]:
        headers["traceparent"] = traces.child(row["traceparent"])
    return headers
