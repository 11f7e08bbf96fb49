"""What the API is handed: it needs the database to accept jobs, and no broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from schema.callbacks.allow_list import AllowList
from schema.ports import Artifacts, Documents
from schema.settings import Settings
from schema.sql.database import Database

if TYPE_CHECKING:
    from actors.pdf.product.templates import Templates
    from middleware.tracing.spans import Tracing


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
    tracing: Tracing | None = None

    @cached_property
    def allow(self) -> AllowList:
        """Where callbacks may go beyond the public internet."""
        return AllowList.parse(self.settings.webhook_allow)

    @cached_property
    def templates(self) -> Templates:
        """The products' templates, without fonts; loaded by the first who asks for one."""
        from actors.pdf.product.templates import Templates

        return Templates([Path(folder) for folder in self.settings.templates_dir.split(":") if folder])
