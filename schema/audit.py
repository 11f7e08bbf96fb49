"""What operators did: who, when, to what, why."""

from __future__ import annotations

import hashlib

from schema.database import Database, Row


def note(db: Database, who: str, act: str, subject: str, why: str | None = None) -> None:
    """Write one act, in the transaction that performs it."""
    db.defer(
        f"INSERT INTO audit (at, who, act, subject, why) VALUES ({db.now()},%s,%s,%s,%s)",
        (who[:128], act, subject[:255], why),
    )


def of(db: Database, subject: str) -> list[Row]:
    """The acts upon one subject, newest first."""
    return db.fetch_all("SELECT * FROM audit WHERE subject=%s ORDER BY id DESC", (subject,))


def subject_of(code: str) -> str:
    """How the audit, which outlives an erasure, names the report code that it must not name."""
    return f"code sha256:{hashlib.sha256(code.encode()).hexdigest()[:16]}"
