"""What a callback says, and the headers by which its caller finds it in its own log."""

from __future__ import annotations

from typing import Any

import msgspec

from schema.http import traces
from schema.ports import End
from schema.rows.deliveries import ClaimedDelivery


def callback_body(end: End) -> bytes:
    """The body of a callback."""
    moment = end.ended_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body: dict[str, Any] = {"type": f"report.{end.status}", "job_id": end.job_id, "status": end.status}
    if end.status == "completed":
        body |= {"google_drive_link": end.google_drive_link, "completed_at": moment}
    else:
        error = end.error_message or "The job was cancelled."
        body |= {"error": error, "error_code": end.error_code or "cancelled"}
        body |= {"failed_at" if end.status == "failed" else "cancelled_at": moment, "retry_count": end.retry_count}
    return msgspec.json.encode(body | {"meta": end.meta})


def correlation(row: ClaimedDelivery) -> dict[str, str]:
    """The caller's own request id and trace, which stand in its log and in ours."""
    headers = {"x-request-id": row["request_id"]} if row["request_id"] else {}
    if row["traceparent"]:
        headers["traceparent"] = traces.child(row["traceparent"])
    return headers
