"""The words of the metrics' labels, and what priorities promise."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from schema.callbacks import answers
from schema.rows.verdict import KINDS

PRIORITIES = ("high", "normal", "low")
QUEUES = ("pdf", "webhooks")
# Error codes that are shown as zero before they happen; others appear with their first event.
JOB_CODES = (
    "drive_unavailable", "folder_unavailable", "internal_error", "invalid_data", "mongodb_unavailable",
    "report_not_found", "template_not_found", "timeout", "worker_died",
)  # fmt: skip
CALLBACK_CODES = tuple(sorted({rule.code for rule in answers.TABLE if rule.code}))
STAGES = ("loading", "rendering", "uploading")
ATTEMPT_OUTCOMES = ("completed", "failed", "timeout", "returned", "crashed")
ROUND_ENDS = ("completed", "failed", "cancelled")
SUBMISSION_RESULTS = ("accepted", "refused", "over_rate", "limited", "unavailable")
CANARY_RESULTS = ("succeeded", "not_accepted", "too_late", "failed", "no_callback", "bad_signature", "no_pdf")
ANSWERS = (
    "2xx", "3xx", "4xx", "409", "429", "5xx", "connect", "timeout", "tls", "refused_address", "reset", "too_large",
)  # fmt: skip
VERDICTS = ("delivered", "again", "stop")
FACTS = tuple(KINDS)
SEVERITIES: Mapping[str, int] = MappingProxyType({"info": 1, "warn": 2, "bad": 3})
DEPENDENCIES = ("database", "documents", "artifacts", "broker")
REPLAYS = ("job", "callback")
# A callback is given up after an answer, when owed for too long, when it cannot be prepared, or after three dead workers.
GIVEN_UP_CODES = (*CALLBACK_CODES, "internal_error", "invalid_data", "webhook_too_old", "worker_died")
# Seconds a priority promises from submission to end (the plan's service levels); each is an edge of a bucket in the table.
TARGETS: Mapping[str, int] = MappingProxyType({"high": 30, "normal": 120, "low": 900})

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def code_label(code: str | None) -> str:
    """An error code as a label. The class name of a foreign exception becomes internal_error.

    Without that, each library would add words to the label.
    """
    if not code:
        return ""
    if code == "TimeLimitExceeded":
        return "timeout"
    return code if _CODE.fullmatch(code) else "internal_error"
