"""The verdict, from outside: what SQL, MongoDB, Drive and the receiver's own log say of each accepted job.

The words are those of RabbitMQ's Jepsen tests: an operation is attempted, acknowledged or unconfirmed; what was
acknowledged and cannot be found is lost.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pymongo

from ops.servers.process import wait_until
from ops.stack import ENDED, Stack
from schema.rows.messages import QUEUES

Row = dict[str, Any]
STUCK = 60  # seconds after which a row that is due and not moved is not waited for any more
# How a delivery may have ended.
TOLD = ("delivered", "recorded", "not_sent", "superseded", "dead")


@dataclass
class Verdict:
    """Counts, and for each count that must be zero the jobs it speaks of."""

    accepted: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    unconfirmed: int = 0
    repeated_after_unknown: int = 0
    lost: list[str] = field(default_factory=list)
    duplicate_files: list[str] = field(default_factory=list)
    double_ends: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    posts_after_recorded_2xx: list[str] = field(default_factory=list)
    gauges_wrong: list[str] = field(default_factory=list)  # metrics unlike their rows; not of the last line

    ZEROS = ("lost", "duplicate_files", "double_ends", "untold", "posts_after_recorded_2xx")

    @property
    def good(self) -> bool:
        """Every zero is a zero, and the metrics tell the truth."""
        return not self.gauges_wrong and not any(getattr(self, name) for name in self.ZEROS)

    def line(self, faults: int, seed: int) -> str:
        """The last line of a run."""
        zeros = {name: len(getattr(self, name)) for name in self.ZEROS}
        return (
            f"accepted={self.accepted} completed={self.completed} failed={self.failed} cancelled={self.cancelled} "
            + " ".join(f"{name}={count}" for name, count in zeros.items())
            + f" repeated_after_unknown={self.repeated_after_unknown} faults={faults} seed={seed}"
        )


Rows = dict[str, list[Row]]
TABLES = {
    "jobs": "SELECT * FROM pdf_job_results", "attempts": "SELECT * FROM attempts ORDER BY number",
    "deliveries": "SELECT * FROM deliveries ORDER BY round", "letters": "SELECT * FROM dead_letters",
    "posts": "SELECT * FROM delivery_attempts ORDER BY number",
}  # fmt: skip


@dataclass
class Evidence:
    """Everything the judge looks at, read once after the system has come to rest."""

    jobs: dict[str, Row] = field(default_factory=dict)
    attempts: Rows = field(default_factory=dict)
    deliveries: Rows = field(default_factory=dict)
    posts: Rows = field(default_factory=dict)  # of delivery attempts, by delivery
    letters: Rows = field(default_factory=dict)
    results: dict[str, Row] = field(default_factory=dict)  # MongoDB, by job
    files: Rows = field(default_factory=dict)  # Drive, by job
    received: Rows = field(default_factory=dict)  # the receiver's log, by webhook-id
    unread: dict[str, int] = field(default_factory=dict)  # messages that nobody has taken or let go of, by queue
    batches: dict[str, Row] = field(default_factory=dict)


def collect(stack: Stack) -> Evidence:
    """Read SQL, MongoDB, Drive and the receiver's log."""
    batches = {row["batch_id"]: row for row in stack.sql("SELECT * FROM batches")}
    evidence = Evidence(unread=left_in_queues(stack), batches=batches)
    for post in stack.receiver.posts():
        told = {"time": post.time, "body": post.json(), "told": post.told}
        evidence.received.setdefault(post.header("webhook-id") or "", []).append(told)
    rows = {name: stack.sql(statement) for name, statement in TABLES.items()}
    with pymongo.MongoClient[Row](stack.mongo.url) as client:
        rows["results"] = list(client["workflow"]["reportq_results"].find())
    rows["files"] = []
    for file in stack.drive.files():
        labels = {entry["key"]: entry["value"] for entry in file.get("properties") or ()}
        rows["files"].append(file | {"job_id": labels.get("job_id", "")})
    add(evidence, rows)
    return evidence


def add(evidence: Evidence, rows: Mapping[str, list[Row]]) -> None:
    """What production's programs, or the embedded default beside them, have to show; all jobs are judged alike."""
    evidence.jobs |= {row["job_id"]: row for row in rows["jobs"]}
    evidence.results |= {row["_id"]: row for row in rows["results"]}
    for name in ("attempts", "deliveries", "posts", "letters", "files"):
        groups: Rows = getattr(evidence, name)
        for row in rows[name]:
            groups.setdefault(row["delivery_id" if name == "posts" else "job_id"], []).append(row)


def judge(evidence: Evidence, accepted: Iterable[str], unconfirmed: int = 0, batches: Iterable[str] = ()) -> Verdict:
    """Weigh the evidence; `batches` were accepted, too.

    Rows of unconfirmed submissions are judged like the others, but not counted as accepted.
    """
    verdict = Verdict(unconfirmed=unconfirmed)
    promised = set(accepted)
    verdict.accepted = len(promised)
    ends = Counter(evidence.jobs[job_id]["status"] for job_id in promised if job_id in evidence.jobs)
    verdict.completed, verdict.failed, verdict.cancelled = (ends[status] for status in ENDED)
    for job_id in sorted(promised | set(evidence.jobs)):
        _judge_job(verdict, evidence, job_id)
    for batch_id in sorted({*batches, *evidence.batches}):
        _judge_batch(verdict, evidence, batch_id)
    for deliveries in evidence.deliveries.values():
        for delivery in deliveries:
            _judge_posts(verdict, evidence, delivery)
    verdict.lost += [f"{count} messages in queue {queue} that nobody takes" for queue, count in evidence.unread.items()]
    for job_id, files in evidence.files.items():
        if job_id not in evidence.jobs:
            verdict.duplicate_files.append(f"{len(files)} files of no job ({job_id or 'without label'})")
    return verdict


def _judge_job(verdict: Verdict, evidence: Evidence, job_id: str) -> None:
    job = evidence.jobs.get(job_id)
    if job is None:
        verdict.lost.append(f"{job_id}: accepted, and no row")
        return
    status, rounds = job["status"], int(job["round"])
    if status not in ENDED:
        verdict.lost.append(f"{job_id}: still {status} (round {rounds}, published_at {job['published_at']})")
    files = evidence.files.get(job_id, [])
    if len(files) > 1:
        verdict.duplicate_files.append(f"{job_id}: {len(files)} files in Drive")
    if status == "completed":
        _judge_file(verdict, job, files)
    _judge_ends(verdict, evidence, job)
    _judge_told(verdict, evidence, job)
    kept = evidence.results.get(job_id)
    if status in ENDED and (kept is None or kept["status"] != status or int(kept["round"]) != rounds):
        found = f"{kept['status']} of round {kept['round']}" if kept else "none"
        verdict.lost.append(f"{job_id}: {status} in round {rounds}, permanent record: {found}")


def _judge_file(verdict: Verdict, job: Row, files: list[Row]) -> None:
    """A completed job has its file, whole, under the id and link that callers were given."""
    whole = [file for file in files if file["id"] == job["artifact_id"] and int(file.get("fileSize", 0)) > 0]
    if not whole:
        verdict.lost.append(f"{job['job_id']}: completed without its file ({len(files)} others)")
    elif whole[0].get("link", whole[0]["id"]) not in (job["google_drive_link"] or ""):
        verdict.lost.append(f"{job['job_id']}: the link {job['google_drive_link']} is not its file's")


def _judge_ends(verdict: Verdict, evidence: Evidence, job: Row) -> None:
    """Each round has one end: by its attempts, its deliveries, its letters, and by what callers were told."""
    job_id = job["job_id"]
    per_round = Counter(row["round"] for row in evidence.attempts.get(job_id, []) if row["outcome"] == "completed")
    told = Counter(row["round"] for row in evidence.deliveries.get(job_id, []))
    buried = Counter(row["round"] for row in evidence.letters.get(job_id, []) if row["kind"] == "job")
    for round_ in range(1, int(job["round"]) + 1):
        events = {row["event"] for row in evidence.deliveries.get(job_id, []) if row["round"] == round_}
        name = f"{job_id} round {round_}"
        heard = {post["body"].get("status") for post in evidence.received.get(f"msg_{job_id}_{round_}", [])}
        if per_round[round_] > 1 or told[round_] > 1 or buried[round_] > 1 or len(heard) > 1:
            counts = f"{per_round[round_]} completions, {told[round_]} deliveries, {buried[round_]} letters"
            verdict.double_ends.append(f"{name}: {counts}, told {sorted(map(str, heard))}")
        elif heard and heard != events:
            verdict.double_ends.append(f"{name}: ended {sorted(events)}, told {sorted(map(str, heard))}")
        elif per_round[round_] and events != {"completed"}:
            verdict.double_ends.append(f"{name}: an attempt completed, ended {sorted(events)}")
        if "failed" in events and not buried[round_]:
            verdict.lost.append(f"{name}: failed without a dead letter")
    last = [row["event"] for row in evidence.deliveries.get(job_id, []) if row["round"] == job["round"]]
    if job["status"] in ENDED and last and last != [job["status"]]:
        verdict.double_ends.append(f"{job_id}: row {job['status']}, delivery of {last}")


def _judge_told(verdict: Verdict, evidence: Evidence, job: Row) -> None:
    """Each ended round is told: delivered and received, or stopped with a reason."""
    job_id, rounds = job["job_id"], int(job["round"])
    by_round = {row["round"]: row for row in evidence.deliveries.get(job_id, [])}
    owed = rounds if job["status"] in ENDED else rounds - 1
    for round_ in range(1, owed + 1):
        row = by_round.get(round_)
        name, received = f"{job_id} round {round_}", evidence.received.get(f"msg_{job_id}_{round_}", [])
        if row is None:
            verdict.untold.append(f"{name}: ended without a delivery")
        elif row["status"] not in TOLD:
            verdict.untold.append(f"{name}: still {row['status']}, tried {row['tries']} times")
        elif row["status"] == "delivered" and not received:
            verdict.untold.append(f"{name}: delivered, but nobody received it")
        elif row["status"] == "delivered" and not any(post.get("told", True) for post in received):
            verdict.untold.append(f"{name}: delivered, but never answered by a 2xx that meant it")
        elif row["status"] in ("dead", "not_sent") and not row["error_code"]:
            verdict.untold.append(f"{name}: {row['status']} without a reason")
        elif row["status"] == "recorded" and row["url"]:
            verdict.untold.append(f"{name}: only recorded, although it had a callback")
        elif row["status"] == "superseded" and round_ == rounds:
            verdict.untold.append(f"{name}: superseded, and no newer round tells")


def _judge_batch(verdict: Verdict, evidence: Evidence, batch_id: str) -> None:
    """Each of its rounds has one end, told like a job's; its counts are its jobs', in the row and in what was told."""
    batch = evidence.batches.get(batch_id)
    if batch is None:
        verdict.lost.append(f"{batch_id}: accepted, and no row")
        return
    states = Counter(job["status"] for job in evidence.jobs.values() if job.get("batch_id") == batch_id)
    counts = {status: int(batch[status]) for status in ENDED}
    if states.total() != batch["total"] or any(states[status] != n for status, n in counts.items()):
        verdict.lost.append(f"{batch_id}: {batch['total']} jobs, counted {counts}, rows {dict(states)}")
    if batch["open"] or batch["ended_at"] is None:
        verdict.lost.append(f"{batch_id}: round {batch['round']} has not ended, {batch['open']} open")
    owed = Counter(row["round"] for row in evidence.deliveries.get(batch_id, []))
    if any(n > 1 or round_ > batch["round"] for round_, n in owed.items()):
        verdict.double_ends.append(f"{batch_id}: ends by round {dict(owed)}, and its round is {batch['round']}")
    if batch["callback"]:
        ended = batch["ended_at"] is not None
        _judge_told(verdict, evidence, {**batch, "job_id": batch_id, "status": ENDED[0] if ended else "queued"})
    for round_ in range(1, int(batch["round"]) + 1):
        bodies = [post["body"] for post in evidence.received.get(f"msg_{batch_id}_{round_}", [])]
        heard = [body["counts"] for body in bodies]
        for told in heard:
            same = round_ < batch["round"] or all(told[status] == n for status, n in counts.items())
            if told != heard[0] or not same or sum(told[status] for status in ENDED) != batch["total"]:
                verdict.double_ends.append(f"{batch_id} round {round_}: told {heard}, counted {counts}")


def _judge_posts(verdict: Verdict, evidence: Evidence, delivery: Row) -> None:
    """No POST arrives after a recorded 2xx, none leaves without its row; repeats after unknown outcomes are counted."""
    tried = evidence.posts.get(delivery["delivery_id"], [])
    name = f"msg_{delivery['job_id']}_{delivery['round']}"
    arrived = evidence.received.get(name, [])
    verdict.repeated_after_unknown += sum(earlier["outcome"] == "unknown" for earlier in tried[:-1])
    good = [row for row in tried if row["outcome"] == "delivered" and row["ended_at"] is not None]
    if good:
        recorded = _seconds(good[0]["ended_at"])
        late = [post for post in arrived if post["time"] > recorded]
        if late or len(good) > 1:
            verdict.posts_after_recorded_2xx.append(f"{name}: {len(late)} late, {len(good)} recorded as delivered")
    if len(arrived) > len(tried):
        verdict.posts_after_recorded_2xx.append(f"{name}: {len(arrived)} arrived, {len(tried)} were written down first")


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


def at_rest(stack: Stack) -> tuple[dict[str, int], int]:
    """What still waits or is worked on, by table and status, and how much of it may yet move by itself. Such rows
    became due, or their lease ran out, less than STUCK seconds ago, or will."""
    left: dict[str, int] = {}
    moving = 0
    for table in ("pdf_job_results", "deliveries"):
        rows = stack.sql(
            "SELECT status, COUNT(*) AS n, SUM(CASE WHEN status='queued' THEN run_at ELSE lease_until END "
            f"> TIMESTAMPADD(SECOND, -{STUCK}, UTC_TIMESTAMP(6))) AS moving FROM {table} "
            "WHERE status IN ('queued','processing') GROUP BY status"
        )
        left |= {f"{table} {row['status']}": int(row["n"]) for row in rows}
        moving += sum(int(row["moving"] or 0) for row in rows)
    return left, moving


def left_in_queues(stack: Stack, patience: float = 15.0) -> dict[str, int]:
    """Messages that nobody has taken, or has taken and never let go of, once all is at rest."""
    found: dict[str, int] = {}

    def none() -> bool:
        queues = stack.rabbitmq.queues()
        found.clear()
        found.update({queue: int(queues[queue].get("messages") or 0) for queue in QUEUES})
        return not any(found.values())

    with contextlib.suppress(TimeoutError):
        wait_until(none, patience, "empty queues")
    return {queue: count for queue, count in found.items() if count}
