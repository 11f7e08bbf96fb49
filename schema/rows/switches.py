"""Switches that operators turn while everything runs: rows, read every few seconds by every API process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import peewee

from schema.rows import audit
from schema.settings import Settings
from schema.sql.cached import Cached
from schema.sql.database import Database

PERCENT, SYNC = "rollout_percent", "sync_enabled"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far the migration from the synchronous to the asynchronous endpoint has come."""

    percent: int  # 0–100: the share of codes whose synchronous requests are answered 202 at once
    sync_enabled: bool  # whether the synchronous endpoint is served at all

    def answers_at_once(self, code: str) -> bool:
        """Whether this code belongs to the share; the same code always does, and stays in when the share grows."""
        place = int.from_bytes(hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()[:8], "big") % 100
        return place < self.percent


class RolloutBoard:
    """The switches as this process last read them; the settings' values where nobody has turned one."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._rows = Cached(lambda: stored(db, settings), settings.switch_poll)

    def now(self) -> Rollout:
        """What holds at the moment, at most REPORTQ_SWITCH_POLL seconds late."""
        return self._rows.get()


def stored(db: Database, settings: Settings) -> Rollout:
    """The rows, or the settings' starting values."""
    rows = db.fetch_all("SELECT name, value FROM switches WHERE name IN (%s, %s)", (PERCENT, SYNC))
    values = {row["name"]: row["value"] for row in rows}
    return Rollout(
        percent=int(values.get(PERCENT, settings.rollout_percent)),
        sync_enabled=values.get(SYNC, "on" if settings.sync_enabled else "off") == "on",
    )


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
            _put(db, name, value)
            audit.note(db, by, "switch", name, value)

    db.transaction(work)


def _put(db: Database, name: str, value: str) -> None:
    update = f"UPDATE switches SET value=%s, changed_at={db.now()} WHERE name=%s"
    if db.execute(update, (value, name)):
        return
    try:
        db.execute(f"INSERT INTO switches (name, value, changed_at) VALUES (%s,%s,{db.now()})", (name, value))
    except peewee.IntegrityError:
        db.execute(update, (value, name))  # another operator was first
