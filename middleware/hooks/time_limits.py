"""The soft time limit of a render: an exception in a thread that takes too long, counted from its claim.

It cannot interrupt C code; the heartbeats' timer ends the process then. Dramatiq's own middleware raises the exception.
An in-process worker must start its thread, because only the `dramatiq` command emits `process_boot`.
"""

from __future__ import annotations

import threading
from typing import Any

from dramatiq.middleware import TimeLimit

from middleware.hooks.lifecycle import Attempt, Attempts
from schema.rows import leases


class RenderTimeLimit(TimeLimit):
    """Limits attempts of jobs only: a callback's time is bounded by its own timeouts."""

    def __init__(self, attempts: Attempts, seconds: float) -> None:
        super().__init__(time_limit=seconds * 1000, interval=250)
        attempts.begun = self.begin

    def begin(self, attempt: Attempt) -> None:
        """Start this thread's time."""
        if attempt.leased is leases.JOBS:
            self.manager.add_timeout(threading.get_ident(), self.time_limit)  # type: ignore[no-untyped-call]

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Start no time yet: a thread may wait long for the database, and must not lose its message by that."""
