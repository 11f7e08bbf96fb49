"""What callbacks say, and the headers by which their callers find them in their own logs."""

from typing import Any

import msgspec

from schema.http import traces
from schema.http.batch_responses import BatchResult, result_of
from schema.http.webhooks import ReportCancelled, ReportCompleted, ReportFailed
from schema.ports import Documents, End
from schema.rows import batches
from schema.rows.columns import HeldDelivery
from schema.rows.deliveries import ClaimedDelivery
from schema.sql.database import Database
from schema.sql.times import moment

MOST = 256 * 1024  # bytes of a batch's body with results in it
_LEAST = 128  # bytes of the shortest result


def callback_body(end: End) -> bytes:
    """The body of a job's callback."""
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


def batch_body(db: Database, documents: Documents, row: HeldDelivery, links_base: str) -> bytes | None:
    """A batch's callback: counts and, as long as they fit, the result of every job; else where they are.

    None when the batch was opened again since. Raises DependencyDown when a job's record cannot be asked.
    """
    batch = batches.find(db, row["job_id"])
    results: list[BatchResult] | None = None
    if batch is not None and batch["total"] * _LEAST <= MOST:
        results = [result_of(one) for one in batches.members(db, documents, batch, 0, batch["total"])]
        batch = batches.find(db, row["job_id"])  # after its jobs: in the same round still, they all had ended
    if batch is None or batch["round"] != row["round"] or batch["ended_at"] is None:
        return None
    counts = {name: batch[name] for name in ("total", "completed", "failed", "cancelled")}
    body: dict[str, Any] = {
        "type": "batch.completed",
        "batch_id": batch["batch_id"],
        "status": "completed",
        "round": batch["round"],
        "counts": counts,
        "ended_at": moment(batch["ended_at"]),
        "meta": msgspec.json.decode(batch["meta"]) if batch["meta"] else None,
    }  # fmt: skip
    if results is not None and len(whole := msgspec.json.encode(body | {"results": results})) <= MOST:
        return whole
    return msgspec.json.encode(body | {"results_url": f"{links_base}/api/batches/{batch['batch_id']}"})
