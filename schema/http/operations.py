"""Every call of the API in one table: who may make it, what it takes, what it answers.

service/door/access.py takes the roles from this table, and /openapi.json is written from it. A test compares the table
with the routes of the running application, both ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schema.http import batch_responses, letter_responses, product_responses, requests, responses, state_responses
from schema.http.queries import BatchesQuery, BatchQuery, LettersQuery, ListQuery, SubmitQuery

JSON, PDF, PROBLEM = "application/json", "application/pdf", "application/problem+json"
ZIP = "application/zip"
# What any call with a role may be answered, besides its own.
ALWAYS = ("unauthorized", "forbidden", "host_refused", "rate_limited", "database_unavailable")
_BODY = ("invalid_json", "invalid_request", "body_too_large", "unsupported_media_type")
_HEADERS = ("Prefer", "Idempotency-Key", "traceparent")
_SUBMIT = (
    *_BODY, "callback_refused", "idempotency_key_reused", "invalid_header", "invalid_data", "backlog_full",
    "passwords_disabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Success:
    """One way a call succeeds."""

    description: str
    body: Any = None  # a struct, or a media type of bytes or text
    headers: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)  # operation id → pointer to its parameter in the body


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    id: str
    summary: str
    role: str | None  # read, submit, operate; None: needs no key
    answers: Mapping[int, Success]
    detail: str = ""
    body: Any = None  # a struct
    body_required: bool = True
    query: Any = None  # a struct
    headers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    example: Any = None  # a body to send
    tag: str = "jobs"
    negotiated: bool = field(default=False)  # text whose exact type depends on Accept


_FOLLOW = {"getJob": "/job_id", "downloadPdf": "/job_id", "cancelJob": "/job_id", "replayJob": "/job_id"}
_FOLLOW_BATCH = {f"{act}Batch": "/batch_id" for act in ("get", "download", "cancel", "replay")}
_ACCEPTED = Success(
    "The job is written and will be worked on, or was by an earlier request with this Idempotency-Key",
    responses.Accepted,
    ("Location", "Retry-After", "Idempotent-Replayed"),
    _FOLLOW,
)
_EXAMPLE = {
    "code": "rb5YrWGWJXOHoj6r",
    "productId": "minatBakatUmum",
    "priority": "normal",
    "callback": "https://n8n.example.com/webhook/pdf-complete",
    "meta": {"execution": 1234},
}

OPERATIONS: list[Operation] = [
    Operation("POST", "/api/reports/generate-async", "submitReport", "Ask for a report", "submit",
        {202: _ACCEPTED},
        detail="Answers at once; the callback tells the end. Send an Idempotency-Key to be safe against doubled requests.",
        body=requests.Submission, query=SubmitQuery, headers=_HEADERS, problems=_SUBMIT, example=_EXAMPLE,
        tag="reports"),
    Operation("POST", "/api/reports/generate", "generateReport", "Ask for a report and wait for the PDF", "submit",
        {
            200: Success("The PDF", PDF, ("Location", "Deprecation", "Sunset")),
            202: Success(
                "It takes longer: ask for the job", responses.Accepted,
                ("Location", "Retry-After", "Deprecation", "Sunset"), _FOLLOW,
            ),
        },
        detail="Waits at most 60 s, or `Prefer: wait=N`. Kept for simple use; `Prefer: respond-async`, many waiting "
        "callers, or the migration's share answer 202 at once. A failed job is answered 409 with its own code.",
        body=requests.Submission, query=SubmitQuery, headers=_HEADERS,
        problems=(*_SUBMIT, "sync_disabled", "job_failed", "job_cancelled", "artifact_gone", "storage_unavailable"),
        example=_EXAMPLE, tag="reports"),
    Operation("POST", "/api/reports/batch", "submitBatch", "Ask for many reports at once", "submit",
        {202: Success("All are written", responses.BatchAccepted, _ACCEPTED.headers, _FOLLOW_BATCH)},
        detail="All or nothing: one job that cannot be accepted refuses the batch, and names itself. The batch's own "
        "callback tells once that all have ended, besides or instead of one per job.",
        body=requests.Batch, query=SubmitQuery, headers=_HEADERS, problems=(*_SUBMIT, "batch_too_large"),
        example={
            "jobs": [_EXAMPLE, {"code": "K2", "productId": "minatBakatUmum", "priority": "low"}],
            "callback": "https://n8n.example.com/webhook/batch-complete", "meta": {"execution": 1234},
        },
        tag="reports"),
    Operation("GET", "/api/batches", "listBatches", "List batches, newest first", "read",
        {200: Success("One page", batch_responses.BatchPage)}, query=BatchesQuery, problems=("invalid_request",),
        tag="batches"),
    Operation("GET", "/api/batches/{batch_id}", "getBatch", "See how a batch stands", "read",
        {200: Success("The batch, with a page of its jobs", batch_responses.BatchState, ("Retry-After", "Preference-Applied"))},
        detail="Results come in the order of submission, 100 a page. With `Prefer: wait=N` the answer comes when all of its "
        "jobs have ended, or after N seconds (at most 60).",
        query=BatchQuery, headers=("Prefer",), tag="batches",
        problems=("batch_not_found", "invalid_request", "invalid_header", "storage_unavailable")),
    Operation("GET", "/api/batches/{batch_id}/download", "downloadBatch", "Get every PDF of a batch", "read",
        {200: Success("A ZIP archive; `missing.txt` in it names the jobs without a PDF", ZIP)},
        problems=("batch_not_found", "not_ready", "storage_unavailable"), tag="batches"),
    Operation("POST", "/api/batches/{batch_id}/cancel", "cancelBatch", "Cancel the jobs of a batch that have not ended", "submit",
        {
            200: Success("What was cancelled", batch_responses.BatchCancelled),
            202: Success("Some stop at their next checkpoint", batch_responses.BatchCancelled),
        },
        problems=("batch_not_found", "already_ended"), tag="batches"),
    Operation("POST", "/api/batches/{batch_id}/replay", "replayBatch", "Try the failed jobs of a batch again", "submit",
        {202: Success("They wait in a new round", batch_responses.BatchReplayed, ("Location", "Retry-After"))},
        detail="A batch that had ended is open again, and tells its next end once. `callback` is the batch's own; the jobs "
        "keep theirs.",
        body=requests.Replay, body_required=False, example={"why": "the data was corrected"}, tag="batches",
        problems=(*_BODY, "callback_refused", "batch_not_found", "not_replayable")),
    Operation("GET", "/api/products", "listProducts", "List what can be asked for", "read",
        {200: Success("Every product", product_responses.ProductList)}, tag="products"),
    Operation(
        "GET", "/api/products/{product_id}/schema", "getProductSchema", "Get the JSON Schema of a product's data", "read",
        {200: Success("JSON Schema 2020-12", dict[str, Any])},
        problems=("product_not_found", "template_invalid"), tag="products",
    ),
    Operation("POST", "/api/products/{product_id}/validate", "validateData", "Check data before it is sent", "submit",
        {200: Success("Whether it fits, and every place where it does not", product_responses.Checked)},
        detail="Nothing is queued. `?validate=true` or `Prefer: handling=strict` of a submission checks in the same way.",
        body=requests.Check, problems=(*_BODY, "product_not_found", "template_invalid"),
        example={"data": {"peserta": {"nama": "Ani"}}}, tag="products"),
    Operation(
        "POST", "/api/products/{product_id}/preview", "previewProduct", "See what a report of a product looks like", "submit",
        {200: Success("A PDF with a watermark on every page", PDF)},
        detail="Waits at most 60 s, or `Prefer: wait=N`. It is no report: nothing is stored, recorded or told.",
        body=requests.Preview, body_required=False, headers=("Prefer",),
        problems=(
            *_BODY, "invalid_header", "product_not_found", "template_invalid", "invalid_data", "backlog_full",
            "preview_not_ready", "preview_too_large", "job_failed",
        ),
        example={}, tag="products",
    ),
    Operation("GET", "/api/jobs", "listJobs", "List jobs, newest first", "read",
        {200: Success("One page", responses.JobPage)},
        detail="With `code` also jobs whose rows are gone, from the permanent record.",
        query=ListQuery, problems=("invalid_request", "storage_unavailable")),
    Operation("GET", "/api/jobs/{job_id}", "getJob", "See how a job stands", "read",
        {200: Success("The job", responses.Job, ("Retry-After", "Preference-Applied"))},
        detail="With `Prefer: wait=N` the answer comes when the job has ended, or after N seconds (at most 60).",
        headers=("Prefer",), problems=("job_not_found", "invalid_header", "storage_unavailable")),
    *(
        Operation(method, path, name, "Cancel a job", "submit",
            {
                200: Success("Cancelled", responses.CancelAnswer),
                202: Success("It stops at its next checkpoint", responses.CancelAnswer),
            },
            problems=("job_not_found", "too_late", "already_ended"))
        for method, path, name in (
            ("DELETE", "/api/jobs/{job_id}", "deleteJob"), ("POST", "/api/jobs/{job_id}/cancel", "cancelJob"),
        )
    ),
    Operation("POST", "/api/jobs/{job_id}/replay", "replayJob", "Try a failed or cancelled job again", "submit",
        {202: Success("A new round waits", responses.Accepted, ("Location", "Retry-After"))},
        body=requests.Replay, body_required=False,
        problems=(*_BODY, "callback_refused", "job_not_found", "not_replayable"),
        example={"callback": "https://n8n.example.com/webhook/pdf-complete", "why": "the data was corrected"}),
    Operation("GET", "/api/jobs/{job_id}/download", "downloadPdf", "Get the PDF", "read",
        {
            200: Success("The PDF", PDF),
            302: Success("Where the storage keeps it (REPORTQ_DOWNLOAD_REDIRECT)", headers=("Location",)),
        },
        detail="A failed job is answered 409 with its own code.",
        problems=("job_not_found", "not_ready", "job_failed", "job_cancelled", "artifact_gone", "storage_unavailable")),
    Operation("POST", "/api/jobs/{job_id}/links", "makeLink", "Make a link that opens the PDF without a key", "submit",
        {201: Success("The link, shown once", responses.LinkMade)},
        detail="For a reader. Its page shows a button; only the button counts as a use, since previews of links use GET.",
        body=requests.Link, body_required=False, example={"expires_in": 604800, "uses": 3},
        problems=(*_BODY, "job_not_found", "not_ready", "job_failed", "job_cancelled", "storage_unavailable")),
    Operation("DELETE", "/api/jobs/{job_id}/links/{link_id}", "revokeLink", "Revoke a link", "submit",
        {200: Success("It opens nothing any more", responses.Revoked)}, problems=("link_not_found",)),
    Operation("GET", "/l/{token}", "showLink", "The page of a link: a button", None,
        {
            200: Success("The page; it tells nothing of the report", "text/html"),
            404: Success("This can be no link", "text/html"),
        },
        problems=("rate_limited",)),
    Operation("POST", "/l/{token}", "openLink", "What the button of a link does", None,
        {200: Success("The PDF", PDF), 404: Success("The link opens nothing (any more)", "text/html")},
        problems=("rate_limited", "database_unavailable", "storage_unavailable")),
    Operation("GET", "/api/jobs/{job_id}/deliveries", "getDeliveries", "See every try of a job's callbacks", "read",
        {200: Success("Each round's callback", responses.DeliveryLog)},
        problems=("job_not_found",), tag="deliveries"),
    Operation(
        "POST", "/api/jobs/{job_id}/deliveries/{delivery_id}/resend", "resendDelivery", "Send a callback once more",
        "operate", {202: Success("It is on its way", responses.Resent)},
        detail="A delivered one needs `force`. Nothing is ever sent again to a resume URL that was used before.",
        body=requests.Resend, body_required=False, example={"force": False, "why": "the receiver was repaired"},
        problems=(*_BODY, "delivery_not_found", "needs_force", "not_resendable"), tag="deliveries",
    ),
    Operation("GET", "/api/dead-letters", "listDeadLetters", "See what gave up, grouped by cause", "read",
        {200: Success("Groups, or single letters", letter_responses.Letters)},
        query=LettersQuery, problems=("invalid_request",), tag="dead letters"),
    Operation("GET", "/api/dead-letters/{letter_id}", "getDeadLetter", "See one dead letter", "read",
        {200: Success("The letter", letter_responses.Letter)}, problems=("dead_letter_not_found",),
        tag="dead letters"),
    Operation("POST", "/api/dead-letters/replay", "replayDeadLetters", "Try dead letters again", "operate",
        {200: Success("What became of each", letter_responses.BulkSummary)},
        detail="By `ids`, or all that fit a `filter`; try `dry_run` first. Works for at most 20 s: repeat it until nothing "
        "remains.",
        body=requests.LettersAct, problems=_BODY, example={"filter": {"error": "report_not_found"}, "dry_run": True},
        tag="dead letters"),
    Operation(
        "POST", "/api/dead-letters/discard", "discardDeadLetters", "Close dead letters without trying again", "operate",
        {200: Success("What became of each", letter_responses.BulkSummary)},
        body=requests.LettersAct, problems=_BODY, example={"ids": ["dl_01JDCS7Q4W8Y3M6R5T2V9X0ZAB"], "why": "test"},
        tag="dead letters",
    ),
    Operation("GET", "/api/queues", "listQueues", "See how the queues stand", "read",
        {200: Success("Every queue", state_responses.QueueStates)}, tag="queues"),
    *(
        Operation("POST", f"/api/queues/{{name}}/{act}", f"{act}Queue", summary, "operate",
            {
                200: Success("How it stands then", state_responses.QueueState),
                202: Success("Something is still being worked on", state_responses.QueueState),
            },
            body=requests.Act, body_required=False, problems=(*_BODY, "queue_not_found"), tag="queues")
        for act, summary in (
            ("pause", "Start nothing more from a queue"), ("drain", "Pause a queue until nothing is worked on"),
            ("resume", "Let a queue go on"),
        )
    ),
    Operation("GET", "/api/me", "getMe", "Whose key is this, and what may it do?", "read",
        {200: Success("Name, role and limits", state_responses.Me)}, tag="health"),
    Operation("GET", "/api/overview", "getOverview", "How everything stands", "read",
        {200: Success("Waits, throughput, workers, pauses", state_responses.Overview)},
        detail="At most two seconds old, however often it is asked.", tag="health"),
    Operation("GET", "/livez", "isAlive", "Is the process alive?", None,
        {200: Success("It is", state_responses.Alive)}, tag="health"),
    Operation("GET", "/readyz", "isReady", "Can it accept jobs, and what is down?", None,
        {
            200: Success("Jobs are accepted; whatever is down is named", state_responses.Readiness),
            503: Success("Nothing is accepted: the database is down", state_responses.Readiness),
        },
        tag="health"),
    Operation("GET", "/metrics", "getMetrics", "Metrics for Prometheus", "read",
        {200: Success("Prometheus's text format, or OpenMetrics when asked for", "text/plain")},
        tag="health", negotiated=True),
    Operation("GET", "/openapi.json", "getDescription", "This description", None,
        {200: Success("OpenAPI 3.1", dict[str, Any])}, tag="health"),
]  # fmt: skip

_ROLES = {(operation.method, operation.path): operation.role for operation in OPERATIONS}


def role_of(method: str, template: str) -> str | None:
    """The role a call needs; None when any caller may make it. A call that is not in the table needs `operate`."""
    if method == "OPTIONS":
        return None
    known = _ROLES.get((method, template), "")
    if known != "":
        return known
    if _ROLES.get(("GET", template), "") is None:
        return None  # what needs no key for GET answers a wrong method with 405 to everybody
    return "read" if method in ("GET", "HEAD") else "operate"
