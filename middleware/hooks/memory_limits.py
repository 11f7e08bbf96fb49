"""Limits a render process's memory (REPORTQ_WORKER_MEMORY), so that one huge report cannot starve its host.

Beyond the limit an allocation fails: a MemoryError ends the attempt, or a C library ends the process. Either way it costs
this job an attempt, and no other job. Without it, the kernel kills some process, perhaps the database.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Any

import dramatiq
import structlog

from schema.rows.messages import RENDER

log = structlog.get_logger()

_MB = 2**20


@dataclass(eq=False)
class MemoryLimit(dramatiq.Middleware):
    """Sets RLIMIT_DATA (heap and private mappings, not shared libraries or files) once the renderer is loaded."""

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
