"""What operators did: who, when, to what, why."""

import hashlib
from typing import TypedDict

from schema.environment.fitting import fit
from schema.sql.database import Database
from schema.sql.times import Moment

MOST_WHY = 4000  # characters of a reason; the column takes 65,535 bytes


class ActRow(TypedDict):
    """What an operator did (table `audit`)."""

    id: int
    at: Moment
    who: str
    act: str
    subject: str
    why: str | None


def note(db: Database, who: str, act: str, subject: str, why: str | None = None) -> None:
    """Write one act, in the transaction that performs it."""
    db.defer(
        f"INSERT INTO audit (at, who, act, subject, why) VALUES ({db.now()},%s,%s,%s,%s)",
        (fit(who, 128), act, fit(subject, 255), None if why is None else fit(why, MOST_WHY)),
    )


def of(db: Database, subject: str) -> list[ActRow]:
    """The acts upon one subject, newest first."""
    return db.fetch_all("SELECT * FROM audit WHERE subject=%s ORDER BY id DESC", (subject,), of=ActRow)


def subject_of(code: str) -> str:
    """A report code as the audit may name it: the audit outlives an erasure, so it holds only a hash."""
    return f"code sha256:{hashlib.sha256(code.encode()).hexdigest()[:16]}"
