"""How much memory a render process may take (REPORTQ_WORKER_MEMORY), so that one monstrous report cannot starve its host.

Beyond it an allocation fails in that process: a MemoryError ends the attempt, or a C library the process; either way it
costs an attempt and no other job. Without it the kernel's out-of-memory killer chooses, perhaps the database.
"""

from __future__ import annotations

import resource
from typing import Any

import dramatiq
import structlog

from schema.rows.messages import RENDER

log = structlog.get_logger()

_MB = 2**20


class MemoryLimit(dramatiq.Middleware):
    """Sets RLIMIT_DATA (heap and private mappings, not shared libraries or files) once the renderer is loaded."""

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        if not self._megabytes or (worker.consumer_whitelist and RENDER not in worker.consumer_whitelist):
            return
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = self._megabytes * _MB
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
        log.info("worker.memory_limited", megabytes=wanted // _MB)
