"""What the API is handed: it needs the database to accept jobs, and no broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from schema.callbacks.allow_list import AllowList
from schema.ports import Artifacts, Documents
from schema.settings import Settings
from schema.sql.database import Database


@dataclass(frozen=True)
class ApiParts:
    """What the API works with."""

    settings: Settings
    db: Database
    documents: Documents
    artifacts: Artifacts
    wake: Callable[[], None]
    broker_ping: Callable[[], None]
    stopping: Callable[[], bool] = lambda: False  # whether work in this very process ends

    @cached_property
    def allow(self) -> AllowList:
        """Where callbacks may go beyond the public internet."""
        return AllowList.parse(self.settings.webhook_allow)
