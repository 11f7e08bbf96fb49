"""Every stable code with its status (429, 409, …), its title and the next step: written once, shown everywhere.

The same code stands in API answers (RFC 9457), callbacks, logs, metrics and dead letters. The sentence about one case
(`detail`) is written where the error is raised.
"""

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
    "invalid_request": Problem(422, "The request cannot be used as it is",
        "Correct what `detail` and `errors` name, and send the request again."),
    "callback_refused": Problem(422, "The callback URL cannot be used",
        "Correct the URL as `detail` says; a private host must be listed in REPORTQ_WEBHOOK_ALLOW by an operator."),
    "body_too_large": Problem(413, "The body is too large", "Send less, or keep the report in MongoDB and send its code."),
    "unsupported_media_type": Problem(415, "The body is not JSON", "Send Content-Type: application/json."),
    "idempotency_key_reused": Problem(422, "This Idempotency-Key was used with another body",
        "Use a new key for a new request."),
    "idempotency_key_taken": Problem(409, "This Idempotency-Key was used before", "Use the job that it made."),
    "invalid_header": Problem(400, "A header cannot be used", "Correct the header named in `detail`."),
    "batch_too_large": Problem(422, "The batch has too many jobs", "Send it in several batches, each with its own key."),
    "sync_disabled": Problem(410, "The synchronous endpoint is switched off",
        "POST the same body to /api/reports/generate-async."),
    "passwords_disabled": Problem(422, "This reportq takes no passwords",
        "Leave `password` out, or have an operator set REPORTQ_PASSWORD_KEYS."),
    # who asks
    "unauthorized": Problem(401, "A key is needed", "Send Authorization: Bearer <key> or X-API-Key: <key>."),
    "forbidden": Problem(403, "The key may not do this", "Use a key with the role named in `detail`."),
    "rate_limited": Problem(429, "This key asks too often", "Send the same request again after Retry-After."),
    "host_refused": Problem(403, "The call does not come from this machine",
        "Call http://127.0.0.1 or http://localhost, not from a web page; or send a key (`ops/reportq keys make NAME`)."),
    # what is asked for
    "not_found": Problem(404, "There is nothing at this path", "See /openapi.json for the paths."),
    "method_not_allowed": Problem(405, "This path does not take that method", "Use a method named in the Allow header."),
    "job_not_found": Problem(404, "No such job", "Check the job_id; ended jobs are kept for a limited time."),
    "batch_not_found": Problem(404, "No such batch", "Check the batch_id; ended batches are kept for a limited time."),
    "not_ready": Problem(409, "The PDF is not ready", "Ask for the job's status, or wait for its callback."),
    "job_failed": Problem(409, "The job failed, so there is no PDF", "Read `error`, correct the cause, and replay the job."),
    "job_cancelled": Problem(409, "The job was cancelled, so there is no PDF", "Replay the job, or submit it again."),
    "too_late": Problem(409, "It is too late to cancel", "The PDF is being stored; wait for the job to end."),
    "already_ended": Problem(409, "The job has ended", "Nothing is left to cancel."),
    "product_not_found": Problem(404, "No such product", "See GET /api/products for the products that there are."),
    "preview_not_ready": Problem(409, "The preview was not made in time", "Ask again in a few seconds."),
    "preview_too_large": Problem(409, "The preview is too large", "Send less data, or submit the report as a job."),
    "link_not_found": Problem(404, "No such link", "It was revoked before, has expired, or belongs to another job."),
    "queue_not_found": Problem(404, "No such queue", "See GET /api/queues for the names."),
    "dead_letter_not_found": Problem(404, "No such dead letter", "See GET /api/dead-letters for those that are open."),
    "delivery_not_found": Problem(404, "No such delivery", "See GET /api/jobs/{job_id}/deliveries for the job's own."),
    "not_resendable": Problem(409, "This callback cannot be sent again",
        "Ask for the job's status, or replay the job with a new callback."),
    "needs_force": Problem(409, "The callback was delivered already",
        "Send force: true if the receiver may be told twice."),
    "not_replayable": Problem(409, "Only failed or cancelled jobs can be replayed",
        "Wait until the job has ended, or submit a new one."),
    "artifact_gone": Problem(410, "The stored PDF is gone", "Submit the job again to make a new one."),
    "still_at_work": Problem(409, "A worker still works on it", "Try again in a minute."),
    "already_running": Problem(409, "Another process uses this folder",
        "Stop it first, or give this one a REPORTQ_RUN_DIR of its own."),
    "database_unfit": Problem(500, "The database server lacks what reportq needs",
        "Do what the sentence says, then start again."),
    "backup_failed": Problem(500, "The backup failed", "Correct what it names, and run it again."),
    # the service
    "database_unavailable": Problem(503, "The database does not answer", "Send the same request again after Retry-After."),
    "database_busy": Problem(503, "Too many requests want the same rows", "Send the same request again after Retry-After."),
    "backlog_full": Problem(429, "Too many jobs are waiting", "Send the same request again after Retry-After."),
    "storage_unavailable": Problem(503, "The PDF store does not answer", "Send the same request again after Retry-After."),
    "internal_error": Problem(500, "Something went wrong here", "Send it again; if that fails, tell an operator the request id."),
    # why a job failed
    "template_not_found": Problem(409, "There is no template for this product",
        "Check productId, or add a template folder for the product."),
    "password_unreadable": Problem(409, "The PDF's password cannot be read",
        "Give the workers every key of REPORTQ_PASSWORD_KEYS that the API has or had, then replay."),
    "template_invalid": Problem(409, "The product's template is wrong", "Run `ops/reportq templates check` and correct it."),
    "invalid_data": Problem(422, "The report's data does not fit the template", "Correct the data at the path named."),
    "report_not_found": Problem(409, "There is no such report",
        "Check code and productId, or send the report's content in `data`."),
    "timeout": Problem(409, "The report took too long", "Replay it; if that fails, raise REPORTQ_JOB_TIMEOUT."),
    "worker_died": Problem(409, "The worker died three times while it made the report",
        "Look at its data and at the worker's memory before replaying."),
    "out_of_memory": Problem(409, "The report needs too much memory",
        "Look at its data, or raise REPORTQ_WORKER_MEMORY, then replay it."),
    "drive_unavailable": Problem(409, "Google Drive did not answer", "Replay the job once Drive answers again."),
    "drive_quota_exceeded": Problem(409, "Google Drive is full",
        "Free space or use a shared drive: jobs wait for room. Replay a job that failed meanwhile."),
    "drive_daily_limit": Problem(409, "Google Drive's limit for the day is spent",
        "Wait until midnight, Pacific time, or have the limit raised."),
    "drive_permission_denied": Problem(409, "Google Drive refused the upload",
        "Give the service account write access to the folder, then replay."),
    "drive_folder_not_found": Problem(409, "The Drive folder does not exist",
        "Correct REPORTQ_ARTIFACTS_URL or share the folder, then replay."),
    "drive_credentials_invalid": Problem(409, "Google does not accept the service account",
        "Renew REPORTQ_GDRIVE_CREDENTIALS, then replay."),
    "drive_request_refused": Problem(409, "Google Drive refused the request as malformed",
        "Read its answer in `detail`, and report it as a fault of reportq."),
    "drive_content_mismatch": Problem(409, "Google Drive stored only a part of the PDF on every try",
        "Replay the job; if that fails, look at Google's status page."),
    "drive_upload_interrupted": Problem(409, "The upload to Google Drive broke off on every try",
        "Look at the network between here and Google, then replay."),
    "folder_unavailable": Problem(409, "The PDF folder cannot be written",
        "Repair its disk, mount or permissions, then replay."),
    "folder_full": Problem(409, "The disk of the PDF folder is full", "Free space or move REPORTQ_ARTIFACTS_URL, then replay."),
    "artifact_id_invalid": Problem(409, "The job's row names an impossible file",
        "Submit the report again; find out who changed the job's row."),
    "mongodb_unavailable": Problem(409, "MongoDB did not answer", "Replay the job once MongoDB answers again."),
    "mongodb_access_refused": Problem(409, "MongoDB refused reportq's user or the user's rights",
        "Correct REPORTQ_DOCUMENTS_URL or grant the rights, then replay."),
    "broker_unavailable": Problem(503, "RabbitMQ did not answer",
        "Nothing is lost: waiting jobs are published once RabbitMQ answers again."),
    "dependency_unavailable": Problem(409, "Something the job needs did not answer",
        "See what /readyz names as down, then replay the job."),
    "temporary_failure": Problem(409, "It failed on every try",
        "Read the error, correct what it names, then replay."),
    "permanent_failure": Problem(409, "It would fail in the same way each time",
        "Correct what the error names, then replay."),
    # how an attempt can end without a failure of the report
    "cancelled": Problem(409, "The job was cancelled while it was worked on", "Replay it if the report is wanted after all."),
    "returned": Problem(409, "The attempt was given back unfinished",
        "Nothing to do: it counts as no try, and the job goes on by itself."),
    "lease_lost": Problem(409, "Another worker has taken over", "Nothing to do: that worker ends the job."),
    "stopped": Problem(409, "The attempt was stopped", "Nothing to do: the job goes on by itself."),
    # why a callback was given up
    "resume_url_used": Problem(409, "The resume URL was used up by an earlier round",
        "Ask for the status, or replay with a new callback."),
    "webhook_never_waited": Problem(409, "The n8n execution never reached its Wait node",
        "Put the Wait node right after the submission, then resend."),
    "webhook_execution_finished": Problem(409, "The n8n execution had ended before the callback came",
        "Raise the Wait node's time limit above what a job takes; ask for this job by its id."),
    "webhook_resume_url_changed": Problem(409, "n8n does not accept the signature in the resume URL",
        "Pass {{ $execution.resumeUrl }} as callback unchanged, with nothing appended."),
    "webhook_unauthorized": Problem(409, "The callback URL asks for credentials",
        "Have an operator list the header in REPORTQ_WEBHOOK_HEADERS; or set the Webhook node's authentication to None and "
        "verify the webhook-signature header instead. Then resend."),
    "webhook_gone": Problem(409, "The receiver says that this URL is gone for good",
        "Replay the job with the workflow's current URL as callback."),
    "webhook_wrong_method": Problem(409, "The node listens for another method than POST",
        "Set HTTP Method to POST in the Wait or Webhook node (GET is n8n's default), then resend."),
    "webhook_test_url": Problem(409, "A test URL takes one call only",
        "Replay with the production URL of a published workflow as callback."),
    "webhook_workflow_inactive": Problem(409, "No active workflow listens at this URL",
        "Publish (activate) the workflow and check its path, then resend."),
    "webhook_not_listening": Problem(409, "Nothing waits for a POST at this URL",
        "Check that the workflow is active and its Wait node listens for POST, then resend."),
    "webhook_exhausted": Problem(409, "The receiver did not take the callback for hours",
        "Check that it runs and is reachable from here, then resend."),
    "webhook_too_old": Problem(409, "The callback was owed for too long",
        "Ask for the job's status, or resend once the receiver is back."),
    "webhook_address_refused": Problem(409, "The receiver's address is private, local or reserved",
        "If you trust it, have an operator list host or network, with port, in REPORTQ_WEBHOOK_ALLOW. Then resend."),
    "webhook_redirected": Problem(409, "The callback URL redirects, which callbacks do not follow",
        "Replay with the final URL as callback (often https)."),
    "webhook_forbidden": Problem(409, "The receiver forbids the call",
        "In n8n's Webhook node switch off Ignore Bots and check IP Allowlist, then resend."),
    "webhook_conflict": Problem(409, "The receiver says that the callback comes at the wrong time",
        "Read its answer in the delivery log, then resend."),
    "webhook_rejected": Problem(409, "The receiver does not accept this callback",
        "Read its answer in the delivery log, correct it, and resend."),
    # what only the broker's dead-letter queue held
    "undecodable_message": Problem(409, "A message that cannot be decoded",
        "Find out who publishes to this queue, then discard the letter."),
    "unknown_actor": Problem(409, "A message for an actor that does not exist",
        "Send it again once a worker that knows the actor runs."),
    "message_rejected": Problem(409, "A message that reportq did not send",
        "Find out who sent it, then discard the letter."),
    "message_too_large": Problem(409, "A message that is larger than any of reportq's",
        "Find out who publishes to this queue, then discard the letter."),
}  # fmt: skip


_UNFORESEEN = "Read the traceback of the dead letter, correct the cause, then replay."


def problem_of(code: str) -> Problem:
    """The entry of a code; a code that is not in the catalogue gets a general one."""
    return CATALOGUE.get(code) or Problem(409, code.replace("_", " ").capitalize(), _UNFORESEEN)
