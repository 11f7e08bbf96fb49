"""The delivery's row and the SQL that claims it: a round's promise to record its end and tell one URL (DESIGN §2.10)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, final

import msgspec
from ulid import ULID

from schema.callbacks.urls import failure_url, host_key, host_of, is_resume_url, path_key
from schema.ports import End
from schema.prepared import prepare
from schema.rows import posts
from schema.rows.columns import (
    IS_OPEN,
    DeliveryEnd,
    DeliveryId,
    DeliveryRow,
    DeliveryStatus,
    HeldDelivery,
    HeldJob,
    PostKind,
    PostRow,
    Seconds,
)
from schema.rows.outbox import Outbox
from schema.sql.database import Database, transactional
from schema.sql.times import as_time

# What a start needs of its row: each further column costs the client as much as a statement.
_NEEDED = (
    "delivery_id, job_id, round, status, url, host, record, owed_at, budget_at, start_no, crashes, tries, recorded_at, "
    "post_kind"
)


def owe(db: Database, job: HeldJob, end: dict[str, Any]) -> None:
    """Write the delivery of a round's end, in the transaction that ends it.

    A job without a callback has one too: it writes the permanent record.
    """
    url = job["callback"]
    if end["status"] != "completed" and (url or job["failure_callback"]):
        url = failure_url(url or "", job["failure_callback"])
    record = {
        "job_id": job["job_id"],
        "code": job["code"],
        "product_id": job["product_id"],
        "round": job["round"],
        "requested_at": as_time(job["requested_at"]),
        "meta": msgspec.json.decode(job["meta"]) if job["meta"] else None,
        "file_name": job.get("file_name"),
        "batch_id": job.get("batch_id"),
        **end,
    }
    now = db.now()
    db.defer(
        "INSERT INTO deliveries (delivery_id, job_id, round, event, url, host, record, owed_at, turn, run_at) "
        f"VALUES (%s,%s,%s,%s,%s,%s,%s,{now},%s,{now})",
        (
            f"dlv_{ULID()}", job["job_id"], job["round"], end["status"], url, host_key(url) if url else "",
            msgspec.json.encode(record).decode(), job["turn"],
        ),
    )  # fmt: skip


def end_of(row: HeldDelivery) -> End:
    """The permanent record that a delivery carries."""
    record = msgspec.json.decode(row["record"])
    record["ended_at"] = as_time(row["owed_at"])
    return msgspec.convert(record, End)


def of_batch(row: HeldDelivery) -> bool:
    """Whether it tells the end of a batch's round, not of a job's."""
    return row["job_id"].startswith("bat_")


def find(db: Database, delivery_id: str, lock: str = "") -> DeliveryRow | None:
    """The row, or None; `lock` is `db.lock()` where the caller's transaction is to lock it."""
    return db.fetch_one(f"SELECT * FROM deliveries WHERE delivery_id=%s{lock}", (delivery_id,), of=DeliveryRow)


def of_job(db: Database, job_id: str) -> list[DeliveryRow]:
    """The job's deliveries, newest round first."""
    return db.fetch_all("SELECT * FROM deliveries WHERE job_id=%s ORDER BY round DESC", (job_id,), of=DeliveryRow)


@final
class ClaimedDelivery(HeldDelivery):
    """A delivery's row as its claim saw it, and as the claim changed it."""

    due: int  # flag
    age: Seconds  # from the beginning of its budget to the claim
    earlier_open: int  # deliveries of earlier rounds that have not ended
    request_id: str | None  # the job's
    traceparent: str | None  # the job's


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """The right to work on one start of a delivery; every write is guarded by its number."""

    row: ClaimedDelivery

    @property
    def delivery_id(self) -> DeliveryId:
        return self.row["delivery_id"]

    @property
    def start_no(self) -> int:
        return self.row["start_no"]


Unclaimed = Literal["unknown", "processing", "ended", "not_due", "taken", "earlier", "paused"]


def claim(db: Database, delivery_id: str, *, worker_id: str, lease: float, timeout: float) -> DeliveryClaim | Unclaimed:
    """Take a waiting, due delivery under a lease, or say why not."""
    row = db.fetch_one(
        f"SELECT {_NEEDED}, CASE WHEN run_at <= {db.now()} THEN 1 ELSE 0 END AS due, "
        f"{db.age('COALESCE(budget_at, owed_at)')} AS age, "
        "CASE WHEN round=1 THEN 0 ELSE (SELECT COUNT(*) FROM deliveries e WHERE e.job_id=d.job_id AND e.round<d.round "
        f"AND e.{IS_OPEN}) END AS earlier_open, "
        "(SELECT request_id FROM pdf_job_results j WHERE j.job_id=d.job_id) AS request_id, "
        "(SELECT traceparent FROM pdf_job_results j WHERE j.job_id=d.job_id) AS traceparent "
        "FROM deliveries d WHERE delivery_id=%s",
        (delivery_id,),
        of=ClaimedDelivery,
    )
    if row is None:
        return "unknown"
    if row["status"] != "queued":
        return "processing" if row["status"] == "processing" else "ended"
    if not row["due"]:
        return "not_due"
    if row["earlier_open"]:
        wait(db, row, seconds=1.0, from_status="queued")
        return "earlier"
    won = db.execute(
        f"UPDATE deliveries SET status='processing', start_no=start_no+1, worker_id=%s, lease_until={db.later(lease)}, "
        f"attempt_started_at={db.now()}, deadline_at={db.later(timeout)}, relay_token=NULL, relay_until=NULL "
        f"WHERE delivery_id=%s AND status='queued' AND start_no=%s AND run_at <= {db.now()}",
        (worker_id, delivery_id, row["start_no"]),
    )
    if not won:
        return "taken"
    row["start_no"] += 1
    row["status"] = "processing"
    return DeliveryClaim(row)


def _guard(row: HeldDelivery) -> tuple[str, tuple[Any, ...]]:
    return "delivery_id=%s AND start_no=%s AND status='processing'", (row["delivery_id"], row["start_no"])


def note_recorded(db: Database, held: DeliveryClaim) -> bool:
    """Note that the permanent record is written; False when that was noted before."""
    where, params = _guard(held.row)
    return db.matched(f"UPDATE deliveries SET recorded_at={db.now()} WHERE {where} AND recorded_at IS NULL", params)


@transactional
def begin_post(db: Database, held: DeliveryClaim, kind: PostKind = "scheduled") -> int | Literal["lost", "delivered"]:
    """Commit the attempt row `sending` before the POST leaves, and return its number.

    The same commit notes that the caller has written the permanent record. Without the lease: `lost`. After a recorded
    2xx: `delivered`, and nothing may be sent again.
    """
    # The row is locked first, so that no worker can write its 2xx between the look and the POST.
    where, params = _guard(held.row)
    noted = f"recorded_at=COALESCE(recorded_at, {db.now()})"
    if not db.execute(f"UPDATE deliveries SET tries=tries+1, {noted} WHERE {where}", params):
        return "lost"
    tried = posts.of(db, held.delivery_id)
    if any(forbids(held.row, attempt, kind) for attempt in tried):
        db.execute(f"UPDATE deliveries SET tries=tries-1 WHERE {where}", params)
        return "delivered"
    number = 1 + max((attempt["number"] for attempt in tried), default=0)
    db.defer(
        "INSERT INTO delivery_attempts (delivery_id, number, started_at, outcome, kind) "
        f"VALUES (%s,%s,{db.now()},'sending',%s)",
        (held.delivery_id, number, kind),
    )
    return number


def forbids(row: HeldDelivery, attempt: PostRow, kind: PostKind) -> bool:
    """Whether this attempt's recorded 2xx forbids another POST.

    It does, unless a forced resend is to repeat it. A forced resend stops at a forced 2xx that was written since its
    budget began. A worker that was stopped may write such a 2xx late.
    """
    if attempt["outcome"] != "delivered":
        return False
    told, budget = as_time(attempt["ended_at"]), as_time(row["budget_at"])
    return kind != "forced" or (attempt["kind"] == "forced" and (told is None or budget is None or told >= budget))


def overtaken(db: Database, row: HeldDelivery) -> bool:
    """Whether the job (or a job of the batch) was replayed since: then a newer round's delivery replaces this one.

    Locks the job's or the batch's row in a transaction.
    """
    lock = db.lock() if db.in_transaction() else ""
    where = "batches WHERE batch_id" if of_batch(row) else "pdf_job_results WHERE job_id"
    round_ = db.scalar(f"SELECT round FROM {where}=%s{lock}", (row["job_id"],))
    return round_ is not None and int(round_) > row["round"]


def end(
    db: Database,
    row: HeldDelivery,
    status: DeliveryEnd,
    *,
    code: str | None = None,
    hint: str | None = None,
    last_status: int | None = None,
) -> bool:
    """End the delivery, once; False when the lease is lost."""
    where, params = _guard(row)
    return db.matched(
        f"UPDATE deliveries SET status=%s, ended_at={db.now()}, error_code=%s, hint=%s, "
        f"last_status=COALESCE(%s, last_status), lease_until=NULL WHERE {where}",
        (status, code, hint, last_status, *params),
    )


@transactional
def wait(
    db: Database,
    row: HeldDelivery,
    *,
    seconds: float,
    from_status: DeliveryStatus = "processing",
    last_status: int | None = None,
    hint: str | None = None,
    crashed: bool = False,
) -> bool:
    """Back to waiting, due in `seconds`; guarded by the start number. `crashed` counts a start that broke.

    A delivery whose job was replayed meanwhile is superseded instead: the newer round tells, and must not wait for it.
    """
    # The job's row is locked before the delivery's, as a replay does: one of the two sees what the other has done.
    status, ended = ("superseded", db.now()) if overtaken(db, row) else ("queued", "NULL")
    return db.matched(
        f"UPDATE deliveries SET status='{status}', ended_at={ended}, run_at={db.later(seconds)}, {Outbox.BACK}, "
        "lease_until=NULL, last_status=COALESCE(%s, last_status), hint=%s, crashes=crashes+%s "
        "WHERE delivery_id=%s AND start_no=%s AND status=%s",
        (last_status, hint, int(crashed), row["delivery_id"], row["start_no"], from_status),
    )


def supersede(db: Database, job_id: str) -> None:
    """Close waiting deliveries of earlier rounds: the replay has its own. One that is being posted ends by itself."""
    db.execute(
        f"UPDATE deliveries SET status='superseded', ended_at={db.now()} WHERE job_id=%s AND status='queued'", (job_id,)
    )


def in_flight_by_host(db: Database) -> dict[str, int]:
    """How many deliveries of each host are published or being posted."""
    rows = db.fetch_all(
        "SELECT host, COUNT(*) AS n FROM deliveries WHERE status='queued' AND published_at IS NOT NULL GROUP BY host "
        "UNION ALL SELECT host, COUNT(*) AS n FROM deliveries WHERE status='processing' GROUP BY host"
    )
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["host"]] = counts.get(row["host"], 0) + int(row["n"])
    return counts


def slow_by_lane(db: Database, seconds: float) -> Counter[str]:
    """Lane → how many of its deliveries are at work for so long, most of it waiting for an answer."""
    rows = db.fetch_all(
        f"SELECT host, url FROM deliveries WHERE status='processing' AND attempt_started_at <= {db.later(-seconds)}"
    )
    return Counter(f"{host_of(row['host'])}#{path_key(row['url'])}" for row in rows if row["url"])


def resume_url_used(db: Database, row: HeldDelivery) -> bool:
    """Whether this resume URL has already been answered 2xx in an earlier round: it must not be posted again."""
    if not row["url"] or row["round"] == 1 or not is_resume_url(row["url"]):
        return False
    earlier = db.column(
        # Attempts are asked, not deliveries: a worker without a lease may have noted its 2xx on a superseded delivery.
        "SELECT e.url FROM deliveries e JOIN delivery_attempts a ON a.delivery_id=e.delivery_id "
        "WHERE e.job_id=%s AND e.round<%s AND a.outcome='delivered'",
        (row["job_id"], row["round"]),
    )
    return row["url"] in earlier


prepare(__name__, End)  # its rows' records are decoded as one
