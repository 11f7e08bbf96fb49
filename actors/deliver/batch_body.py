"""What a batch's callback says: counts and, as long as they fit, the result of every job; else where they are."""

from __future__ import annotations

from typing import Any

import msgspec

from schema.http.batch_responses import BatchResult, result_of
from schema.ports import Documents
from schema.rows import batches
from schema.rows.columns import HeldDelivery
from schema.sql.database import Database
from schema.sql.times import moment

MOST = 256 * 1024  # bytes of a body with results in it
_LEAST = 128  # bytes of the shortest result


def batch_body(db: Database, documents: Documents, row: HeldDelivery, links_base: str) -> bytes | None:
    """The body; None when the batch was opened again since. Raises DependencyDown when a job's record cannot be asked."""
    batch = batches.find(db, row["job_id"])
    results: list[BatchResult] | None = None
    if batch is not None and batch["total"] * _LEAST <= MOST:
        results = [result_of(one) for one in batches.members(db, documents, batch, 0, batch["total"])]
        batch = batches.find(db, row["job_id"])  # after its jobs: in the same round still, they all had ended
    if batch is None or batch["round"] != row["round"] or batch["ended_at"] is None:
        return None
    body: dict[str, Any] = {
        "type": "batch.completed",
        "batch_id": batch["batch_id"],
        "status": "completed",
        "round": batch["round"],
        "counts": {
            "total": batch["total"], "completed": batch["completed"], "failed": batch["failed"],
            "cancelled": batch["cancelled"],
        },
        "ended_at": moment(batch["ended_at"]),
        "meta": msgspec.json.decode(batch["meta"]) if batch["meta"] else None,
    }  # fmt: skip
    if results is not None and len(whole := msgspec.json.encode(body | {"results": results})) <= MOST:
        return whole
    return msgspec.json.encode(body | {"results_url": f"{links_base}/api/batches/{batch['batch_id']}"})
