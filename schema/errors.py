"""What can go wrong, and what becomes of the job when it does.

    ReportqError                 one stable `code`, the sentence a person reads, fields
    ├── Transient                tried again with backoff, up to RETRY_ATTEMPTS times
    │   └── DependencyDown       the same, and counted towards pausing that dependency (DESIGN §2.14)
    │       └── RateLimited      it is there and asks us to slow down: no outage for whoever keeps a pace
    ├── Permanent                never tried again: dead letter at once
    ├── Refused                  the request itself is wrong or comes at the wrong time: a problem answer
    └── Stopped                  the attempt must end here, nothing is wrong with the report
        ├── LeaseLost            somebody else owns the job now: write nothing
        ├── Cancelled            the caller asked for it
        └── Returned             given back unfinished (graceful stop, pause): costs no try

The sentences are written once, in schema/http/problems.py, and are the same in API, callback, log and dead letter.
"""

from __future__ import annotations


class ReportqError(Exception):
    """The base: a stable `code` and a `detail` sentence for people; never a stack trace, never a secret."""

    code = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.fields = fields


class Transient(ReportqError):
    """May work on the next try."""

    code = "temporary_failure"


class DependencyDown(Transient):
    """A whole dependency did not answer, or answered 5xx.

    `dependency` is the pause scope's name: "drive", "mongodb", "folder". Fields: `at_once`, when the first error is enough
    for a pause, and `pause`, how many seconds nobody need ask.
    """

    code = "dependency_unavailable"

    def __init__(self, dependency: str, detail: str, *, code: str | None = None, **fields: object) -> None:
        super().__init__(detail, code=code or f"{dependency}_unavailable", **fields)
        self.dependency = dependency


class RateLimited(DependencyDown):
    """A dependency refuses because we ask too often. Its writers slow down (schema/rows/pace.py) and count no outage."""

    def __init__(self, dependency: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(dependency, detail)
        self.retry_after = retry_after  # seconds, when it says so


class Permanent(ReportqError):
    """Will fail the same way for ever: template_not_found, report_not_found, invalid_data, template_invalid."""

    code = "permanent_failure"


class Refused(ReportqError):
    """A request that cannot be served as it stands; answered as problem+json with the status of its code."""

    code = "invalid_request"


class Stopped(ReportqError):
    """Ends an attempt whose outcome is not a failure."""

    code = "stopped"


class LeaseLost(Stopped):
    """Another worker has the lease: this attempt must write nothing."""

    code = "lease_lost"


class Cancelled(Stopped):
    """The caller cancelled the job while it was processed."""

    code = "cancelled"


class Returned(Stopped):
    """Back to the queue without costing a try."""

    code = "returned"
