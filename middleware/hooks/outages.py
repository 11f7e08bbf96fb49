"""Outages: errors in a row that pause a dependency (DESIGN §2.14)."""

from __future__ import annotations

from schema.errors import DependencyDown
from schema.rows import pauses
from schema.settings import Settings
from schema.sql.database import Database

STREAK = 3  # Consecutive outage-like errors that pause a dependency …
OWNERS = 2  # … from so many jobs or deliveries, or from one of them over the outage window.


def note_outage(
    db: Database, settings: Settings, error: DependencyDown, member: tuple[str, int]
) -> list[tuple[str, int]] | None:
    """Count this error of `member` (row key, start number); returns the streak's members when it opens a pause."""
    certain = "at_once" in error.fields  # full, or a day's limit is spent: the next job would meet the same
    return pauses.note_failure(
        db,
        pauses.DEPENDENCY + error.dependency,
        member,
        streak=1 if certain else STREAK,
        owners=1 if certain else OWNERS,
        window=settings.outage_window,
        probe_every=float(str(error.fields.get("pause", settings.probe_every))),
        reason=error.detail,
        code=error.code,
    )
