"""Every stable code with its status, title and the step that puts it right: written once, shown everywhere.

The same code stands in API answers (RFC 9457), callbacks, logs, metrics and dead letters.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_BASE = "/docs/problems#"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a code means to the person who reads it."""

    status: int  # the HTTP status when it is an answer; of job errors: of the download
    title: str
    next_step: str


CATALOGUE: dict[str, Problem] = {
    # the request
    "invalid_json": Problem(400, "The body is not valid JSON", "Send one JSON object, encoded as UTF-8."),
    "invalid_request": Problem(
        422, "Some fields cannot be used", "Correct the fields named in `errors` and send the request again."
    ),
    "callback_refused": Problem(
        422,
        "The callback URL cannot be used",
        "Use an http(s) URL with a public host, or have an operator list the host in REPORTQ_WEBHOOK_ALLOW.",
    ),
    "body_too_large": Problem(413, "The body is too large", "Send less, or keep the report in MongoDB and send its code."),
    "unsupported_media_type": Problem(415, "The body is not JSON", "Send Content-Type: application/json."),
    "idempotency_key_reused": Problem(
        422, "This Idempotency-Key was used with another body", "Use a new key for a new request."
    ),
    "invalid_header": Problem(400, "A header cannot be used", "Correct the header named in `detail`."),
    "batch_too_large": Problem(422, "The batch has too many jobs", "Send it in several batches, each with its own key."),
    "sync_disabled": Problem(
        410, "The synchronous endpoint is switched off", "POST the same body to /api/reports/generate-async."
    ),
    # who asks
    "unauthorized": Problem(401, "A key is needed", "Send Authorization: Bearer <key> or X-API-Key: <key>."),
    "forbidden": Problem(403, "The key may not do this", "Use a key with the role named in `detail`."),
    "rate_limited": Problem(429, "This key asks too often", "Send the same request again after Retry-After."),
    "host_refused": Problem(
        403, "Not asked from here", "Call http://127.0.0.1 or http://localhost directly, without a web page in between."
    ),
    # what is asked for
    "not_found": Problem(404, "There is nothing at this path", "See /openapi.json for the paths."),
    "method_not_allowed": Problem(405, "This path does not take that method", "Use a method named in the Allow header."),
    "job_not_found": Problem(404, "No such job", "Check the job_id; ended jobs are kept for a limited time."),
    "not_ready": Problem(409, "The PDF is not ready", "Ask for the job's status, or wait for its callback."),
    "job_failed": Problem(409, "The job failed, so there is no PDF", "Read `error`, put it right, and replay the job."),
    "job_cancelled": Problem(409, "The job was cancelled, so there is no PDF", "Replay the job, or submit it again."),
    "too_late": Problem(409, "Too late to cancel", "The PDF is being stored; wait for the job to end."),
    "already_ended": Problem(409, "The job has ended", "Nothing is left to cancel."),
    "queue_not_found": Problem(404, "No such queue", "See GET /api/queues for the names."),
    "dead_letter_not_found": Problem(404, "No such dead letter", "See GET /api/dead-letters for those that are open."),
    "delivery_not_found": Problem(404, "No such delivery", "See GET /api/jobs/{job_id}/deliveries for the job's own."),
    "not_resendable": Problem(
        409, "This callback cannot be sent again", "Ask for the job's status, or replay the job with a new callback."
    ),
    "needs_force": Problem(
        409, "The callback was delivered already", "Send force: true if the receiver may be told twice."
    ),
    "not_replayable": Problem(
        409, "Only failed or cancelled jobs can be replayed", "Wait until the job has ended, or submit a new one."
    ),
    "artifact_gone": Problem(410, "The stored PDF is gone", "Submit the job again to make a new one."),
    "still_at_work": Problem(409, "A worker is still at it", "Try again in a minute."),
    "backup_failed": Problem(500, "The backup was not made", "Put right what the tool says, and run it again."),
    # the service
    "database_unavailable": Problem(503, "The database does not answer", "Send the same request again after Retry-After."),
    "backlog_full": Problem(429, "Too many jobs are waiting", "Send the same request again after Retry-After."),
    "storage_unavailable": Problem(503, "The PDF store does not answer", "Send the same request again after Retry-After."),
    "internal_error": Problem(500, "Something went wrong here", "Send it again; if it stays, tell an operator the request id."),
    # why a job failed
    "template_not_found": Problem(
        409, "There is no template for this product", "Check productId, or add a template folder for the product."
    ),
    "template_invalid": Problem(409, "The product's template is wrong", "Run `ops/reportq templates check` and correct it."),
    "invalid_data": Problem(409, "The report's data does not fit the template", "Correct the data at the path named."),
    "report_not_found": Problem(
        409, "There is no such report", "Check code and productId, or send the report's content in `data`."
    ),
    "timeout": Problem(409, "The report took too long", "Replay it; if it stays, raise REPORTQ_JOB_TIMEOUT."),
    "worker_died": Problem(
        409, "The report killed its worker three times", "Look at its data and at the worker's memory before replaying."
    ),
    "out_of_memory": Problem(
        409, "The report needs too much memory", "Look at its data, or raise REPORTQ_WORKER_MEMORY, then replay it."
    ),
    "drive_unavailable": Problem(409, "Google Drive did not answer", "Replay the job once Drive answers again."),
    "drive_quota_exceeded": Problem(
        409, "Google Drive is full", "Free space or use a shared drive, then replay the job."
    ),
    "drive_permission_denied": Problem(
        409, "Google Drive refused the upload", "Give the service account write access to the folder, then replay."
    ),
    "drive_folder_not_found": Problem(
        409, "The Drive folder does not exist", "Correct REPORTQ_ARTIFACTS_URL or share the folder, then replay."
    ),
    "drive_credentials_invalid": Problem(
        409, "Google does not accept the service account", "Renew REPORTQ_GDRIVE_CREDENTIALS, then replay."
    ),
    "mongodb_unavailable": Problem(409, "MongoDB did not answer", "Replay the job once MongoDB answers again."),
    "resume_url_used": Problem(
        409, "The resume URL was used up by an earlier round", "Ask for the status, or replay with a new callback."
    ),
    # what only the broker's dead-letter queue held
    "undecodable_message": Problem(
        409, "A message that cannot be decoded", "Find out who publishes to this queue, then discard the letter."
    ),
    "unknown_actor": Problem(
        409, "A message for an actor that does not exist", "Send it again once a worker that knows the actor runs."
    ),
    "message_rejected": Problem(
        409, "A message that a worker rejected", "Look at the worker's log; rows are the truth, so it may be discarded."
    ),
    "folder_unavailable": Problem(409, "The PDF folder cannot be written", "Free disk space or permissions, then replay."),
}  # fmt: skip


def problem_of(code: str) -> Problem:
    """The entry of a code; codes of callbacks and unknown ones have a general one."""
    return CATALOGUE.get(code, Problem(409, code.replace("_", " ").capitalize(), "See the job's dead letter."))
