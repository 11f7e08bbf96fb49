"""Links for readers who have no key: each opens one job's PDF until it expires, is used up or is revoked.

The token in the URL is 256 random bits. Its SHA-256 is kept, and the token nowhere: whoever reads the table opens nothing.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from ulid import ULID

from schema.rows.columns import JobId, LinkRow
from schema.rows.keys import hash_of
from schema.sql.database import Database, marks
from schema.sql.times import as_column

_BATCH = 500


def make(db: Database, job_id: str, *, seconds: float, uses: int | None = None) -> tuple[str, str, datetime]:
    """A new link: (link_id, token, when it expires). `uses` downloads; None: as many as wanted."""
    link_id, token = f"lnk_{ULID()}", secrets.token_urlsafe(32)
    expires_at = db.clock() + timedelta(seconds=seconds)
    db.execute(
        "INSERT INTO links (link_id, job_id, hash, uses_left, expires_at) VALUES (%s,%s,%s,%s,%s)",
        (link_id, job_id, hash_of(token), uses, as_column(expires_at)),
    )
    return link_id, token, expires_at


def spend(db: Database, token: str) -> LinkRow | None:
    """Count one download and return the link, or None when it opens nothing (any more)."""
    row = db.fetch_one(f"SELECT * FROM links WHERE hash=%s AND expires_at > {db.now()}", (hash_of(token),), of=LinkRow)
    if row is None or row["uses_left"] is None:
        return row
    won = db.execute("UPDATE links SET uses_left=uses_left-1 WHERE link_id=%s AND uses_left > 0", (row["link_id"],))
    return row if won else None


def give_back(db: Database, row: LinkRow) -> None:
    """The download that was counted could not be served."""
    db.execute("UPDATE links SET uses_left=uses_left+1 WHERE link_id=%s AND uses_left IS NOT NULL", (row["link_id"],))


def revoke(db: Database, job_id: str, link_id: str) -> bool:
    """Make a link useless at once; False when the job has no such link (any more)."""
    return db.matched("DELETE FROM links WHERE link_id=%s AND job_id=%s", (link_id, job_id))


def forget(db: Database, job_ids: Sequence[JobId]) -> None:
    """Remove the links of these jobs: erasing a person."""
    if job_ids:
        db.execute(f"DELETE FROM links WHERE job_id IN ({marks(job_ids)})", job_ids)


def remove_old(db: Database) -> None:
    """Remove a page of the links that have expired."""
    old = db.column(
        f"SELECT link_id FROM links WHERE expires_at <= {db.now()} ORDER BY expires_at, link_id LIMIT %s", (_BATCH,)
    )
    if old:
        db.execute(f"DELETE FROM links WHERE link_id IN ({marks(old)})", old)
