"""Switches that operators turn while everything runs. Every API process reads their rows every few seconds."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from schema.rows import audit
from schema.settings import Settings
from schema.sql.database import Database, put
from schema.sql.times import as_time

PERCENT, SYNC = "rollout_percent", "sync_enabled"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far the migration from the synchronous to the asynchronous endpoint has come."""

    percent: int  # The share of codes, 0–100, whose synchronous requests get 202 at once.
    sync_enabled: bool  # Whether the synchronous endpoint is open at all.
    complete_since: datetime | None = None  # Since when the share is 100 %; None when it is less.

    def answers_at_once(self, code: str) -> bool:
        """Whether this code belongs to the share. Its answer stays the same, and a code stays in when the share grows."""
        place = int.from_bytes(hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()[:8], "big") % 100
        return place < self.percent


def put_note(db: Database, name: str, value: str = "", *, seconds: float = 0.0) -> None:
    """Write what a process notes for others under this name, with the moment `seconds` from now."""
    at = db.later(seconds)
    put(
        db,
        f"UPDATE switches SET value=%s, changed_at={at} WHERE name=%s",
        (value, name),
        f"INSERT INTO switches (name, value, changed_at) VALUES (%s,%s,{at})",
        (name, value),
    )


def stored(db: Database, settings: Settings) -> Rollout:
    """The rows, or the settings' starting values. A share of 100 % that the settings gave counts from the installation."""
    rows = db.fetch_all("SELECT name, value, changed_at FROM switches WHERE name IN (%s, %s)", (PERCENT, SYNC))
    values = {row["name"]: row["value"] for row in rows}
    percent, since = int(values.get(PERCENT, settings.rollout_percent)), None
    if percent == 100:
        turned = [row["changed_at"] for row in rows if row["name"] == PERCENT]
        since = as_time(turned[0] if turned else db.scalar("SELECT MIN(applied) FROM schema_migration"))
    return Rollout(percent, values.get(SYNC, "on" if settings.sync_enabled else "off") == "on", since)


def set_rollout(db: Database, *, by: str, percent: int | None = None, sync_enabled: bool | None = None) -> None:
    """Write what is given, in one transaction with its audit entry. ValueError for a share outside 0–100."""
    if percent is not None and not 0 <= percent <= 100:
        raise ValueError(f"{percent} is not a share from 0 to 100.")
    chosen = {}
    if percent is not None:
        chosen[PERCENT] = str(percent)
    if sync_enabled is not None:
        chosen[SYNC] = "on" if sync_enabled else "off"

    def work() -> None:
        for name, value in chosen.items():
            put_note(db, name, value)
            audit.note(db, by, "switch", name, value)

    db.transaction(work)
