"""What the protocol's tests stand on: one runtime on a real database, its broker in the process, and time in SQL's hands.

Nothing runs by itself here: a test says when the relay looks, when a hint arrives and when a lease has run out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.middleware import SkipMessage
from ulid import ULID

from actors.housekeeping.leader import Housekeeper
from actors.process.runtime import Runtime, build
from middleware.rabbitmq.broker import encode
from schema.errors import ReportqError
from schema.ports import Answer, End, Message, Post, RenderRequest
from schema.rows import deliveries, jobs, letters
from schema.rows.jobs import NewJob
from schema.settings import Settings
from schema.sql.database import Database, Row

TABLES = (
    "pdf_job_results", "report_data", "attempts", "rendered", "deliveries", "delivery_attempts", "dead_letters", "pauses",
    "dependencies", "switches", "workers", "durations", "audit", "used_keys", "links", "report_documents",
    "report_results", "paces", "batches",
)  # fmt: skip


class Published:
    """A publisher that keeps hints instead of sending them."""

    def __init__(self) -> None:
        self.hints: list[Message] = []
        self.in_broker: dict[str, int] = {}
        self.before: Callable[[], None] = lambda: None
        self.confirms = True

    def publish(self, hints: Sequence[Message]) -> list[bool]:
        self.before()
        if self.confirms:
            self.hints.extend(hints)
        return [self.confirms] * len(hints)

    def ready(self, queue: str) -> int:
        return self.in_broker.get(queue, 0)

    def ping(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> list[Message]:
        taken, self.hints = self.hints, []
        return taken


class Files:
    """An artifact store in memory that counts what happens to each file."""

    dependency = "drive"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.puts = 0
        self.fail: list[ReportqError] = []
        self.after_put: Callable[[], None] = lambda: None

    def reserve(self) -> str:
        return f"file-{ULID()}"

    def put(self, artifact_id: str, filename: str, pdf: bytes, *, replace: bool, labels: Mapping[str, str]) -> str:
        self.puts += 1
        if self.fail:
            raise self.fail.pop(0)
        if replace or artifact_id not in self.files:
            self.files[artifact_id] = pdf
        self.after_put()
        return f"https://drive.example/{artifact_id}"

    def read(self, artifact_id: str) -> Iterator[bytes]:
        yield self.files[artifact_id]

    def delete(self, artifact_id: str) -> None:
        self.files.pop(artifact_id, None)

    def ping(self) -> None:
        if self.fail:
            raise self.fail[0]

    def close(self) -> None: ...


class Reports:
    """Documents in memory; a report exists for every code unless it was removed."""

    def __init__(self) -> None:
        self.missing: set[str | tuple[str, str]] = set()  # codes, or codes and products
        self.ends: list[End] = []
        self.fail: list[ReportqError] = []

    def find_report(self, code: str, product_id: str) -> dict[str, Any] | None:
        missing = code in self.missing or (code, product_id) in self.missing
        return None if missing else {"name": code, "of": product_id}

    def record_end(self, end: End) -> None:
        if self.fail:
            raise self.fail.pop(0)
        self.ends.append(end)

    def find_end(self, job_id: str) -> End | None:
        return next((end for end in reversed(self.ends) if end.job_id == job_id), None)

    def find_ends(self, code: str, **query: Any) -> list[End]:
        return [end for end in reversed(self.ends) if end.code == code]

    def ends_of(self, code: str, product_id: str | None) -> list[End]:
        return [end for end in self.ends if end.code == code and product_id in (None, end.product_id)]

    def forget(self, code: str, product_id: str | None) -> int:
        gone = self.ends_of(code, product_id)
        self.ends = [end for end in self.ends if end not in gone]
        return len(gone)

    def save_report(self, code: str, product_id: str, report: Mapping[str, Any]) -> None: ...

    def ping(self) -> None: ...

    def close(self) -> None: ...


class Pen:
    """A renderer that does what the test says."""

    def __init__(self) -> None:
        self.renders = 0
        self.template = "first"
        self.work: Callable[[RenderRequest, Callable[[int], None]], bytes] = lambda request, progress: b"%PDF-1"

    def render(self, request: RenderRequest, progress: Callable[[int], None] = lambda p: None) -> bytes:
        self.renders += 1
        return self.work(request, progress)

    def products(self) -> Sequence[str]:
        return ["p", "pEn"]

    def version(self, product_id: str) -> str:
        return self.template

    def original(self, product_id: str) -> str:
        return product_id.removesuffix("En")


class Mouth:
    """A sender that answers by a list, and keeps what was posted."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answers: list[Answer] = []
        self.before: Callable[[Post], None] = lambda post: None

    def send(self, post: Post) -> Answer:
        self.before(post)
        self.posts.append(post)
        return self.answers.pop(0) if self.answers else answer(200)

    def close(self) -> None: ...

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(post.body) for post in self.posts]


def answer(status: int | None, body: str = "{}", failure: str | None = None, **more: Any) -> Answer:
    """An answer of a receiver."""
    return Answer(status, failure, "application/json", body, more.get("retry_after"), 0.01, "")


@dataclass
class World:
    """One runtime and the hands that move it."""

    db: Database
    runtime: Runtime
    published: Published
    files: Files
    reports: Reports
    pen: Pen
    mouth: Mouth
    uploads: bool = True  # uploaders store at once what a worker hands over
    _numbers: list[int] = field(default_factory=lambda: [0])

    def submit(self, code: str = "K1", *, priority: int = 5, callback: str | None = None, **more: Any) -> str:
        """A new job's id."""
        job = NewJob(f"pdf_{ULID()}", code, "p", priority=priority, callback=callback, **more)
        jobs.submit(self.db, job)
        return job.job_id

    def job(self, job_id: str) -> Row:
        row = jobs.find(self.db, job_id)
        assert row is not None
        return row

    def relay(self) -> list[Message]:
        """Let the relay look once; the hints it published."""
        self.runtime.board.active(fresh=True)
        self.runtime.relay.step()
        return self.published.take()

    def hint(self, hint: Message | str, queue: str = "pdf") -> None:
        """A message arrives at a worker, through the whole middleware."""
        if isinstance(hint, str):
            actor = {"pdf": "render_pdf", "webhooks": "deliver_webhook"}[queue]
            hint = Message(queue, actor, hint)
        message: Any = dramatiq.Message.decode(encode(hint))
        broker = self.runtime.broker
        try:
            broker.emit_before("process_message", message)
            broker.get_actor(hint.actor)(*message.args)
        except SkipMessage:
            broker.emit_after("skip_message", message)
        except BaseException as error:
            broker.emit_after("process_message", message, exception=error)
        else:
            broker.emit_after("process_message", message, result=None)
        if self.uploads:
            self.store()

    def store(self) -> int:
        """Let an uploader store what waits for the store; how many there were."""
        self.runtime.board.active(fresh=True)
        stored = 0
        while self.runtime.storing.step():
            stored += 1
        return stored

    def run(self) -> None:
        """Relay and deliver until nothing is due any more."""
        for _ in range(50):
            hints = [hint for hint in self.relay() if "dead_letter_id" not in hint.options]
            if not hints:
                return
            for hint in hints:
                self.hint(hint)
        raise AssertionError("the work never ends")

    def pass_time(self, seconds: float) -> None:
        """Everything that waits or holds a lease does so `seconds` longer ago."""
        moments = {
            "pdf_job_results": ("run_at", "lease_until", "deadline_at", "requested_at", "relay_until", "published_at"),
            "deliveries": ("run_at", "lease_until", "deadline_at", "owed_at", "relay_until"),
            "delivery_attempts": ("started_at",),
            "pauses": ("until",),
            "dependencies": ("first_failed_at",),
            "dead_letters": ("run_at", "relay_until"),
            "workers": ("seen_at",),
            "switches": ("changed_at",),
            "rendered": ("store_at",),
        }
        for table, columns in moments.items():
            if self.db.dialect == "mysql":
                sets = ", ".join(f"{c}=TIMESTAMPADD(MICROSECOND,{round(-seconds * 1e6)},{c})" for c in columns)
            else:
                sets = ", ".join(f"{c}=strftime('%Y-%m-%d %H:%M:%f',{c},'{-seconds:+.3f} seconds')" for c in columns)
            self.db.execute(f"UPDATE {table} SET {sets}")

    def rescue(self) -> int:
        return self.runtime.housekeeper.rescue.step()

    def attempts(self, job_id: str) -> list[str]:
        return [row["outcome"] for row in jobs.attempts_of(self.db, job_id)]

    def delivery(self, job_id: str, round_: int = 1) -> Row:
        return next(row for row in deliveries.of_job(self.db, job_id) if row["round"] == round_)

    def letters(self, job_id: str) -> list[Row]:
        return letters.open_of_job(self.db, job_id)


def every_duty(keeper: Housekeeper) -> None:
    """Each duty of housekeeping once, if this is the leader."""
    keeper.sweep()
    keeper.ask_around()
    keeper.tell()


def make_world(db: Database, folder: Path, **settings: Any) -> World:
    """A runtime with quick clocks whose outside worlds are the test's."""

    def empty() -> None:
        for table in TABLES:
            db.execute(f"DELETE FROM {table}")

    db.transaction(empty)
    published, files, reports, pen, mouth = Published(), Files(), Reports(), Pen(), Mouth()
    chosen: dict[str, Any] = {
        "run_dir": str(folder / "run"), "retry_backoff": 5.0, "switch_poll": 0.05, "broker_url": "amqp://unused",
        "max_queue_size": 100, "webhook_allow": "hooks.example", "lease": 20.0, "drive_writes": 1000.0,
    }  # fmt: skip
    chosen |= settings
    ordered_here = chosen.pop("ordered_here", False)
    if ordered_here:
        chosen["queue_type"] = "quorum"
    runtime = build(
        Settings(**chosen), db=db, documents=reports, artifacts=files, renderer=pen, sender=mouth, publisher=published
    )
    return World(db, runtime, published, files, reports, pen, mouth)
