"""API keys: who may call, with which role, how often. A key is shown once and kept as its SHA-256.

A fast hash is right here: a key is 256 random bits, so there is nothing to guess that a slow hash would protect.
"""

import hashlib
import secrets
from dataclasses import dataclass

from ulid import ULID

from schema.environment.secret_lists import parse_api_keys
from schema.rows import audit
from schema.rows.columns import KeyRow
from schema.settings import Settings, SettingsError
from schema.sql.cached import Cached
from schema.sql.database import Database, transactional

ROLES = ("read", "submit", "operate")  # each may do what the one before may
PREFIX = "rq_"
_EVERY = 3.0  # Seconds between reads, within which a revoked key stops working.
_PATIENCE = 0.8  # Seconds that a request waits for a read: then the keys of before count.
_FIRST = 1.6  # Seconds that a new process's first request waits: it opens a connection, perhaps to a busy server.
_UNKNOWN_EVERY = 0.5  # Seconds: an unknown key may just have been made, but guesses must not become queries.


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key was sent."""

    name: str
    role: str
    key_id: str
    rate: int  # requests a minute; 0: no limit

    def may(self, role: str) -> bool:
        """Whether this caller's role covers `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class _Ring:
    callers: dict[str, Caller]  # hash → caller
    any_made: bool  # revoked ones included


class KeyRing:
    """The keys of REPORTQ_API_KEYS and of the table, the table's as last read."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._rate = settings.rate_limit
        self._fixed = {
            hash_of(key): Caller(name, role, f"env:{name}", self._rate)
            for name, role, key in parse_api_keys(settings.api_keys)
        }
        self._ring = Cached(self._read, _EVERY, patience=_PATIENCE, first=_FIRST, db=db)

    def find(self, key: str) -> Caller | None:
        """The caller of a key, or None."""
        if not key:
            return None
        hashed = hash_of(key)
        known = self._fixed.get(hashed) or self._ring.get().callers.get(hashed)
        return known or self._ring.get(within=_UNKNOWN_EVERY).callers.get(hashed)

    @property
    def in_use(self) -> bool:
        """Whether keys are needed: one is configured, or was ever made. Revoking the last one opens nothing."""
        return bool(self._fixed) or self._ring.get().any_made

    def _read(self) -> _Ring:
        rows = everything(self._db)
        return _Ring(
            {
                row["hash"]: Caller(
                    row["name"], row["role"], row["key_id"], self._rate if row["rate"] is None else row["rate"]
                )
                for row in rows
                if row["revoked_at"] is None
            },
            bool(rows),
        )


def hash_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make(db: Database, name: str, role: str, *, by: str, rate: int | None = None) -> tuple[str, str]:
    """A new key: (key_id, the key itself, which is kept nowhere). Several keys may share a name while one replaces
    another; the name is the owner of jobs and idempotency keys."""
    if role not in ROLES:
        raise ValueError(f"{role!r} is not a role; the roles are {', '.join(ROLES)}.")
    if not name or len(name) > 64 or not name.isprintable() or ":" in name or "," in name:
        raise ValueError("A key's name has 1 to 64 printable characters, without ':' and ','.")
    if rate is not None and rate < 0:
        raise ValueError("A rate is a number of requests a minute; 0 means no limit.")
    key_id, key = f"key_{ULID()}", PREFIX + secrets.token_urlsafe(32)

    def work() -> None:
        db.execute(
            f"INSERT INTO api_keys (key_id, name, role, hash, rate, created_at) VALUES (%s,%s,%s,%s,%s,{db.now()})",
            (key_id, name, role, hash_of(key), rate),
        )
        audit.note(db, by, "key made", key_id, f"{name} ({role})")

    db.transaction(work)
    return key_id, key


@transactional
def revoke(db: Database, named: str, *, by: str, why: str | None = None) -> list[str]:
    """Make the key of an id, or all keys of a name, useless for good, within 3 s everywhere; the ids of those it was."""
    rows = [row for row in everything(db) if named in (row["key_id"], row["name"]) and row["revoked_at"] is None]
    for row in rows:
        db.execute(f"UPDATE api_keys SET revoked_at={db.now()} WHERE key_id=%s", (row["key_id"],))
        audit.note(db, by, "key revoked", row["key_id"], why)
    return [row["key_id"] for row in rows]


@transactional
def forget_all(db: Database, *, by: str, why: str | None = None) -> int:
    """Remove every key that was ever made, so that none is needed any more; how many."""
    count = db.execute("DELETE FROM api_keys")
    audit.note(db, by, "auth disabled", f"{count} keys", why)
    return count


def everything(db: Database) -> list[KeyRow]:
    """Every key that was ever made, oldest first."""
    return db.fetch_all("SELECT * FROM api_keys ORDER BY key_id", of=KeyRow)


def require_keys(db: Database, settings: Settings) -> None:
    """Raise SettingsError when other machines could reach an API that asks for no key."""
    if (settings.loopback and settings.public_is_loopback) or KeyRing(db, settings).in_use:
        return
    made = "`ops/reportq keys make NAME --role operate`, or with REPORTQ_API_KEYS"
    if not settings.loopback:
        raise SettingsError(
            "REPORTQ_HOST",
            f"{settings.host}, while there are no API keys",
            f"127.0.0.1; or beyond loopback after {made}",
        )
    raise SettingsError(
        "REPORTQ_PUBLIC_URL",
        f"{settings.public_url}, while there are no API keys (behind a proxy every caller would be an operator)",
        f"nothing or a URL of loopback; or another after {made}",
    )
