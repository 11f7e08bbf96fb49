"""What one attempt at a job may take of a render process: memory, and time."""

import resource
import threading
from dataclasses import dataclass
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import TimeLimit

from middleware.hooks.lifecycle import Attempt, Attempts
from schema.rows import leases
from schema.rows.messages import RENDER

log = structlog.get_logger()

_MB = 2**20


@dataclass(eq=False)
class MemoryLimit(dramatiq.Middleware):
    """Sets RLIMIT_DATA (heap and private mappings, not shared libraries or files) once the renderer is loaded.

    Beyond REPORTQ_WORKER_MEMORY an allocation fails: a MemoryError ends the attempt, or a C library ends the process. Either
    way it costs this job an attempt, and no other job. Without it, the kernel kills some process, perhaps the database.
    """

    megabytes: int

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        if not self.megabytes or (worker.consumer_whitelist and RENDER not in worker.consumer_whitelist):
            return
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = self.megabytes * _MB
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
        log.info("worker.memory_limited", megabytes=wanted // _MB)


class RenderTimeLimit(TimeLimit):
    """The soft time limit of a render: an exception in a thread that takes too long, counted from its claim.

    It cannot interrupt C code; the heartbeats' timer ends the process then. Dramatiq's own middleware raises the exception.
    An in-process worker must start its thread, because only the `dramatiq` command emits `process_boot`. A callback's time
    is bounded by its own timeouts.
    """

    def __init__(self, attempts: Attempts, seconds: float) -> None:
        super().__init__(time_limit=seconds * 1000, interval=250)
        attempts.begun = self.begin

    def begin(self, attempt: Attempt) -> None:
        """Start this thread's time."""
        if attempt.leased is leases.JOBS:
            self.manager.add_timeout(threading.get_ident(), self.time_limit)  # type: ignore[no-untyped-call]

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Start no time yet: a thread may wait long for the database, and must not lose its message by that."""
