"""Which dead letters are meant, and how they are shown together: filters, groups by fingerprint, pages (DESIGN §7)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from schema.errors import Refused
from schema.rows.audit import subject_of
from schema.rows.columns import DiedLetter, JobId, JobStatus, LetterId, LetterRow
from schema.sql.database import Database, marks
from schema.sql.times import Moment, as_column, as_time

STATUSES = ("open", "replayed", "discarded")
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PAGE = 500  # letters read at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Letters of one status that fit everything given; empty sequences and None mean "any"."""

    status: str = "open"
    ids: Sequence[str] = ()
    job_ids: Sequence[str] = ()
    queue: str | None = None
    kind: str | None = None  # job | delivery | raw
    code: str | None = None
    product_id: str | None = None
    error: str | None = None  # the error's code
    fingerprint: str | None = None
    since: datetime | None = None  # died at this moment or later
    until: datetime | None = None  # … or earlier

    def where(self) -> tuple[str, list[Any]]:
        """SQL condition on `dead_letters d` and its parameters."""
        parts, params = ["d.status=%s"], [self.status]
        for column, value in (
            ("queue", self.queue), ("kind", self.kind), ("code", self.code), ("product_id", self.product_id),
            ("error_code", self.error), ("fingerprint", self.fingerprint),
        ):  # fmt: skip
            if value is not None:
                parts.append(f"d.{column}=%s")
                params.append(value)
        for column, values in (("dead_letter_id", self.ids), ("job_id", self.job_ids)):
            if values:
                parts.append(f"d.{column} IN ({marks(values)})")
                params.extend(values)
        for sign, moment in ((">=", self.since), ("<=", self.until)):
            if moment is not None:
                parts.append(f"d.last_failed_at {sign} %s")
                params.append(as_column(moment))
        return " AND ".join(parts), params

    @property
    def narrows(self) -> bool:
        """Whether it asks for less than every letter of its status."""
        words = (self.queue, self.kind, self.code, self.product_id, self.error, self.fingerprint, self.since)
        return bool(self.ids or self.job_ids) or any(word is not None for word in words)

    def shown(self) -> str:
        """The filter in one line, for the audit: the code, which may be a person's, only by its hash."""
        words = [f"{name}={getattr(self, name)}" for name in ("queue", "kind", "product_id", "error", "fingerprint")
                 if getattr(self, name) is not None]  # fmt: skip
        words += [subject_of(self.code)] if self.code is not None else []
        words += [f"{len(values)} {name}" for name, values in (("ids", self.ids), ("jobs", self.job_ids)) if values]
        words += [f"since={self.since.isoformat(timespec='seconds')}"] if self.since else []
        return " ".join(words) or "all"


class Appeared(TypedDict):
    """The first letter with a cause."""

    at: Moment
    version: str


class FoundGroup(TypedDict):
    """Letters that have the same cause; `groups` adds the last two."""

    fingerprint: str
    letters: int
    first_at: Moment
    last_at: Moment
    example: LetterRow  # the newest
    appeared: Appeared | None


class FoundLetter(DiedLetter):
    """A letter without its long columns, and how its job stands."""

    dead_letter_id: LetterId
    code: str | None
    product_id: str | None
    job_status: JobStatus | None
    requested_at: Moment | None


class NewerJob(TypedDict):
    """The newest completed job of a report."""

    job_id: JobId
    requested_at: Moment


def moment_of(text: str, now: datetime) -> datetime:
    """A moment as people write it: RFC 3339, or how long ago (`90s`, `30m`, `2h`, `1d`); raises Refused."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])
        return as_time(text.strip())
    except (ValueError, OverflowError):
        raise Refused(
            f"{text[:40]!r} is no moment: write 2h, 30m, 1d or 2026-05-01T08:00:00Z.", code="invalid_request"
        ) from None


def count(db: Database, wanted: LetterFilter) -> int:
    """How many letters match."""
    where, params = wanted.where()
    return db.count(f"SELECT COUNT(*) FROM dead_letters d WHERE {where}", params)


def sizes(db: Database, wanted: LetterFilter) -> dict[str, int]:
    """Fingerprint → how many letters match."""
    where, params = wanted.where()
    return db.tally(
        f"SELECT d.fingerprint, COUNT(*) AS letters FROM dead_letters d WHERE {where} GROUP BY d.fingerprint", params
    )


def groups(db: Database, wanted: LetterFilter, limit: int = 100) -> list[FoundGroup]:
    """Letters that have the same cause, the most frequent first.

    They are counted on an index alone, unless `code` or `product_id` narrow them. So only what differs from letter to
    letter is counted: the newest letter of a group tells the rest.
    """
    where, params = wanted.where()
    found = db.fetch_all(
        "SELECT d.fingerprint, COUNT(*) AS letters, MIN(d.last_failed_at) AS first_at, MAX(d.last_failed_at) AS last_at "
        f"FROM dead_letters d WHERE {where} GROUP BY d.fingerprint "
        "ORDER BY letters DESC, last_at DESC, d.fingerprint LIMIT %s",
        (*params, limit),
        of=FoundGroup,
    )
    for group in found:
        newest = db.fetch_one(
            f"SELECT d.* FROM dead_letters d WHERE {where} AND d.fingerprint=%s "
            "ORDER BY d.last_failed_at DESC, d.dead_letter_id DESC LIMIT 1",
            (*params, group["fingerprint"]),
            of=LetterRow,
        )
        group["appeared"] = db.fetch_one(
            "SELECT last_failed_at AS at, version FROM dead_letters WHERE fingerprint=%s ORDER BY last_failed_at LIMIT 1",
            (group["fingerprint"],),
            of=Appeared,
        )
        if newest is not None:
            group["example"] = newest
    return [group for group in found if "example" in group]  # without those that were resolved meanwhile


def _in_order(db: Database, wanted: LetterFilter) -> tuple[str, list[Any], str]:
    """What `where` gives, and SQL that names the index of open letters by id; nothing for named or resolved ones."""
    where, params = wanted.where()
    if wanted.status != "open" or wanted.ids or wanted.job_ids:
        return where, params, ""
    index = "idx_dead_resolved" if wanted.fingerprint is None else "idx_dead_alike"
    return f"{where} AND d.resolved_at IS NULL", params, db.by(index)


def page(db: Database, wanted: LetterFilter, limit: int = 50, before: str | None = None) -> list[LetterRow]:
    """Single letters, newest first; `before` is the last id of the page that was read."""
    where, params, index = _in_order(db, wanted)
    if before is not None:
        where, params = f"{where} AND d.dead_letter_id < %s", [*params, before]
    return db.fetch_all(
        f"SELECT d.* FROM dead_letters d{index} WHERE {where} ORDER BY d.dead_letter_id DESC LIMIT %s",
        (*params, limit),
        of=LetterRow,
    )


def each(db: Database, wanted: LetterFilter) -> Iterator[FoundLetter]:
    """Every match, oldest first, without the long columns; with `job_status` and `requested_at` of its job.

    Letters that appear meanwhile come too, unless `until` bounds them.
    """
    where, params, index = _in_order(db, wanted)
    last = ""
    while True:
        rows = db.fetch_all(
            "SELECT d.dead_letter_id, d.kind, d.queue, d.job_id, d.delivery_id, d.round, d.code, d.product_id, d.error_code, "
            f"d.fingerprint, d.last_failed_at, j.status AS job_status, j.requested_at FROM dead_letters d{index} "
            f"LEFT JOIN pdf_job_results j ON j.job_id=d.job_id WHERE {where} AND d.dead_letter_id > %s "
            "ORDER BY d.dead_letter_id LIMIT %s",
            (*params, last, _PAGE),
            of=FoundLetter,
        )
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1]["dead_letter_id"]


def lately_replayed(db: Database, mark: str, seconds: float = 600.0, limit: int = 20) -> list[DiedLetter]:
    """Letters of a fingerprint that were replayed in the last `seconds`, oldest first: a forecast for the others."""
    return db.fetch_all(
        "SELECT kind, queue, job_id, delivery_id, round, error_code, fingerprint, last_failed_at FROM dead_letters "
        f"WHERE status='replayed' AND fingerprint=%s AND resolved_at >= {db.later(-seconds)} "
        "ORDER BY resolved_at, dead_letter_id LIMIT %s",
        (mark, limit),
        of=DiedLetter,
    )


def newer_completed(db: Database, code: str | None, product_id: str | None) -> NewerJob | None:
    """The newest completed job of a report: replaying an older one may be pointless."""
    if code is None or product_id is None:
        return None
    return db.fetch_one(
        "SELECT job_id, requested_at FROM pdf_job_results WHERE code=%s AND product_id=%s AND status='completed' "
        "ORDER BY requested_at DESC LIMIT 1",
        (code, product_id),
        of=NewerJob,
    )
