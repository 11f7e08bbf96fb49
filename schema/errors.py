"""What can go wrong, and what becomes of the job when it does.

The sentences are written once, in schema/http/problems.py, and are the same in API, callback, log and dead letter.
"""


class ReportqError(Exception):
    """The base: a stable `code` and a `detail` sentence for people; never a stack trace, never a secret."""

    code = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.fields = fields


class Transient(ReportqError):
    """May work on the next try: tried again with backoff, up to REPORTQ_RETRY_ATTEMPTS times."""

    code = "temporary_failure"


class DependencyDown(Transient):
    """A whole dependency did not answer, or answered 5xx: counted towards pausing it (DESIGN §2.14).

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
    """Will fail the same way for ever (report_not_found, invalid_data …): never tried again, a dead letter at once."""

    code = "permanent_failure"


class Refused(ReportqError):
    """A request that is wrong or comes at the wrong time; answered as problem+json with the status of its code."""

    code = "invalid_request"


class Stopped(ReportqError):
    """Ends an attempt though nothing is wrong with its report."""

    code = "stopped"


class LeaseLost(Stopped):
    """Another worker has the lease: this attempt must write nothing."""

    code = "lease_lost"


class Cancelled(Stopped):
    """The caller cancelled the job while it was processed."""

    code = "cancelled"


class Returned(Stopped):
    """Given back unfinished (graceful stop, pause), without costing a try."""

    code = "returned"
