"""Puts a PDF into the store under its job's reserved id. From here on it is too late to cancel (DESIGN §2.12, §2.13)."""

from __future__ import annotations

from schema.errors import Permanent
from schema.ports import Artifacts
from schema.rows import jobs
from schema.rows.file_names import file_name
from schema.rows.jobs import Claim
from schema.settings import Settings
from schema.sql.database import Database


def put_pdf(db: Database, settings: Settings, artifacts: Artifacts, held: Claim, pdf: bytes) -> str:
    """Store the bytes; the link for people. Raises Cancelled, LeaseLost, and whatever the store raises."""

    def put(artifact_id: str, *, replace: bool) -> str | None:
        jobs.pass_upload_point(db, held, artifact_id, settings.lease)
        return artifacts.put(artifact_id, name, pdf, replace=replace, labels=labels)

    labels = {"job_id": held.job_id, "code": held.row["code"], "product_id": held.row["product_id"]}
    name = file_name(held.row, settings.file_name)
    try:
        link = put(held.row["artifact_id"] or artifacts.reserve(), replace=held.round > 1)
    except Permanent as error:
        if error.code != "artifact_gone":
            raise
        # A person deleted the file of an earlier round. Its id cannot be used again, so the job gets a new one.
        link = put(artifacts.reserve(), replace=False)
    return link or f"{settings.links_base}/api/jobs/{held.job_id}/download"
