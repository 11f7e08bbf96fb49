"""Three rows of `switches`, by the database's clock: who does the housekeeping, from when rescue is safe, a relay's
last look (DESIGN §2.6, §2.7).

While the database is away, live workers cannot beat. So rescue waits a whole lease after such a time.
That moment is kept in a row: a new process goes on waiting where the last one stopped, and does not begin anew.
"""

from schema.rows.switches import put_note
from schema.sql.database import Database

LEAST_TURN = 10.0  # seconds
LEADER, _RESCUE, RELAY = "leader", "rescue_from", "relay"


def turn(sweep: float) -> float:
    """Seconds for which a housekeeper is the leader, unless it renews its turn."""
    return max(LEAST_TURN, 3 * sweep)


def lead(db: Database, token: str, *, turn: float, lease: float) -> bool:
    """Become or stay the leader for `turn` seconds: one guarded UPDATE of one row.

    When there was no leader for a whole lease, the database may have been away: then rescue waits a lease.
    """
    row = db.fetch_one(f"SELECT value, {db.age('changed_at')} AS late FROM switches WHERE name='{LEADER}'")
    won = db.matched(
        f"UPDATE switches SET value=%s, changed_at={db.later(turn)} "
        f"WHERE name='{LEADER}' AND (value=%s OR changed_at <= {db.now()})",
        (token, token),
    )
    if not won and row is None:  # another process may be first
        insert = f"INSERT INTO switches (name, value, changed_at) VALUES ('{LEADER}',%s,{db.later(turn)})"
        won = db.insert(insert, (token,))
    if won and (row is None or (row["value"] != token and float(row["late"]) + turn > lease)):
        hold_back_rescue(db, lease)
    return won


def hold_back_rescue(db: Database, seconds: float) -> None:
    """Keep every leader from rescue for so many seconds."""
    put_note(db, _RESCUE, seconds=seconds)


def may_rescue(db: Database) -> bool:
    """Whether the workers have had a whole lease to beat in."""
    due = db.scalar(f"SELECT 1 AS yes FROM switches WHERE name='{_RESCUE}' AND changed_at <= {db.now()}")
    return due is not None


def note_look(db: Database, trouble: str, lasting: float) -> None:
    """A relay has just looked for due rows. `trouble` is what keeps it from publishing, for `lasting` seconds; or empty."""
    put_note(db, RELAY, f"{lasting:.0f} {trouble}" if trouble else "")
