"""Troubles of Google Drive on demand: which operation, what happens, how often."""

from dataclasses import asdict, dataclass
from typing import Any

from ops.servers.loopback_http import Waiting

# `insert` is an insert in one request, or the start of an upload session, whose bytes come by `upload`.
OPERATIONS = (
    "token", "about", "generateIds", "insert", "upload", "update", "get", "download", "list", "delete", "trash",
    "permissions",
)  # fmt: skip

# kind → status, reason, sentence: what Google answers, as googleapiclient and PyDrive2 read it
REFUSALS = {
    "rate_limit": (403, "userRateLimitExceeded", "User Rate Limit Exceeded"),
    "too_many_requests": (429, "rateLimitExceeded", "Rate Limit Exceeded"),
    "quota": (403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded."),
    "daily_limit": (403, "dailyLimitExceeded", "Daily Limit Exceeded"),
    "forbidden": (403, "insufficientFilePermissions", "The user does not have sufficient permissions for this file."),
    "not_found": (404, "notFound", "File not found."),
    "server_error": (500, "backendError", "Backend Error"),
    "unauthorized": (401, "authError", "Invalid Credentials"),
}
KINDS = (
    *REFUSALS,
    "html",  # 502 with an HTML page.
    "hang",  # Accept, read, and say nothing until cleared; then drop.
    "drop",  # Close before anything was done.
    "lost_answer",  # Do it, then close without an answer.
    "delay",  # Wait `seconds`, then do it.
)


@dataclass
class Fault:
    """One rule; `times` None means until cleared."""

    operation: str
    kind: str
    times: int | None = None
    seconds: float = 0.0
    met: int = 0


class Faults(Waiting):
    """The rules in force, in the order they were added; the first that fits an operation is used."""

    def __init__(self) -> None:
        super().__init__()
        self._rules: list[Fault] = []
        self.hanging: dict[str, int] = {}

    def add(self, rule: dict[str, Any]) -> None:
        fault = Fault(**rule)
        if fault.operation not in (*OPERATIONS, "*") or fault.kind not in KINDS:
            raise ValueError(f"operation is one of {OPERATIONS} or *, kind one of {KINDS}")
        with self.changed:
            self._rules.append(fault)

    def clear(self, operation: str = "*") -> None:
        """Forget the rules of an operation (all by default) and let go of what hangs."""
        with self.changed:
            self._rules = [rule for rule in self._rules if operation not in ("*", rule.operation)]
            self.let_go()

    def take(self, operation: str) -> Fault | None:
        """The fault that this request meets, counted."""
        with self.changed:
            for rule in self._rules:
                if rule.operation in (operation, "*") and (rule.times is None or rule.met < rule.times):
                    rule.met += 1
                    return rule
        return None

    def hang(self, operation: str) -> None:
        """Block until `clear`, at most ten minutes."""
        with self.changed:
            self.hanging[operation] = self.hanging.get(operation, 0) + 1
            self.wait(600)
            self.hanging[operation] -= 1

    def shown(self) -> list[dict[str, Any]]:
        with self.changed:
            return [asdict(rule) for rule in self._rules]
