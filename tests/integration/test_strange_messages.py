"""What people and programs put into RabbitMQ by hand stops no worker and loses no job (DESIGN §2.1, §7)."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pika
import pytest

from actors.housekeeping import letter_tidying
from actors.process.runtime import Runtime, build
from middleware.rabbitmq.broker import declare
from middleware.rabbitmq.incoming import Letter, meaning
from middleware.rabbitmq.letter_queue import LetterQueue
from ops.commands import findings
from ops.servers.mariadb import MariaDB
from ops.servers.process import wait_until
from ops.servers.rabbitmq import RabbitMQ
from schema.errors import Permanent
from schema.life import rounds
from schema.life.replays import discard_letter
from schema.rows import jobs, letters
from schema.rows.jobs import NewJob
from schema.settings import Settings
from schema.sql.database import Database
from schema.sql.migrate import migrate
from tests.protocol.kit import TABLES, Files, Mouth, Pen, Reports, answer

HOOK = "https://hooks.example/webhook/pdf-complete"
LETTER = {"dead_letter_id": "dl_nobody"}


def hint(**other: Any) -> dict[str, Any]:
    """A hint of a job, as it may be tampered with."""
    return {
        "queue_name": "pdf", "actor_name": "render_pdf", "args": ["pdf_1"], "kwargs": {}, "options": {},
        "message_id": "m", "message_timestamp": 1,
    } | other  # fmt: skip


def without(field: str) -> dict[str, Any]:
    made = hint()
    del made[field]
    return made


STRANGE: dict[str, Any] = {
    "nothing": b"",
    "not UTF-8": b"\xff\x00 garbage",
    "UTF-16": json.dumps(hint()).encode("utf-16"),
    "broken off": json.dumps(hint()).encode()[:-9],
    "an array": [],
    "a number": 7,
    "null": None,
    "nested too deeply": b"[" * 60_000,
    "nested too deeply in the options": b'{"options":' * 9_000,
    "a number of 100,000 digits": b'{"message_timestamp":' + b"9" * 100_000 + b"}",
    "an unknown actor": hint(actor_name="make_coffee"),
    "an actor that is no word": hint(actor_name=["render_pdf"]),
    "another queue": hint(queue_name="webhooks"),
    "a queue that does not exist": hint(queue_name="coffee"),
    "a queue that is no word": hint(queue_name=None),
    "options that are null": hint(options=None),
    "options that are a list": hint(options=[["eta", 1]]),
    "a letter that is no word": hint(options={"dead_letter_id": 7}),
    "a letter of 1,000 characters": hint(options={"dead_letter_id": "d" * 1000}),
    "a letter with half a character": hint(options={"dead_letter_id": "dl_\ud800"}),
    "an eta in 100 years": hint(options={"eta": 4_900_000_000_000}),
    "an eta that is null": hint(options={"eta": None}),
    "an eta that is no number": hint(options={"eta": "soon"}),
    "a target to pipe to": hint(options={"pipe_target": {"queue_name": "pdf"}}),
    "errors that it expects": hint(options={"throws": "everything"}),
    "retries that are no number": hint(options={"retries": "many", "max_retries": {}}),
    "no arguments": hint(args=[]),
    "two arguments": hint(args=["pdf_1", "pdf_2"]),
    "an argument that is no word": hint(args=[{"job": 1}]),
    "arguments that are null": hint(args=None),
    "named arguments": hint(kwargs={"job_id": "pdf_1"}),
    "named arguments that are a list": hint(kwargs=["job_id"]),
    "an id of 10,000 characters": hint(args=["p" * 10_000]),
    "an id with a zero byte": hint(args=["pdf\0"]),
    "an id with half a character": hint(args=["pdf_\ud800"]),
    "a moment that is null": hint(message_timestamp=None),
    "a message id that is a number": hint(message_id=7),
    "one field more": hint(surprise=True),
    "no actor": without("actor_name"),
    "no queue": without("queue_name"),
    "no options": without("options"),
    "no named arguments": without("kwargs"),
    "2 MB": b"x" * 2_000_000,
    "2 MB that can be decoded": hint(args=["p" * 2_000_000]),
}


class Desk:
    """The system on a real RabbitMQ: relay, housekeeping and both workers in this process, outside worlds in memory."""

    def __init__(self, rabbitmq: RabbitMQ, folder: Path, database: str = "") -> None:
        self.rabbitmq = rabbitmq
        self.db = Database(database or f"sqlite:///{folder}/reportq.db")
        migrate(self.db)
        self.reports, self.mouth = Reports(), Mouth()
        settings = Settings(
            broker_url=rabbitmq.amqp_url, run_dir=str(folder / "run"), sweep=0.2, switch_poll=0.05, relay_poll=0.05,
            webhook_allow="hooks.example", lost_hint_after=3600.0,
        )  # fmt: skip
        self.runtime: Runtime = build(
            settings, db=self.db, documents=self.reports, artifacts=Files(), renderer=Pen(), sender=self.mouth
        )
        self.workers = [
            dramatiq.Worker(self.runtime.broker, queues={queue}, worker_threads=2, worker_timeout=100)
            for queue in ("pdf", "webhooks")
        ]
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        publisher: Any = self.runtime.publisher
        publisher.call(lambda channel: declare(self.runtime.broker, channel))
        for worker in self.workers:
            worker.start()
            self.runtime._workers.append(worker)
        self.runtime.broker.emit_after("process_boot")
        self.runtime.start_relay()
        self.threads = [t for worker in self.workers for t in (*worker.workers, *worker.consumers.values())]

    def publish(self, queue: str, body: Any) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        with pika.BlockingConnection(pika.URLParameters(self.rabbitmq.admin_url)) as connection:
            connection.channel().basic_publish("", queue, raw)

    def submit(self, code: str = "K1", callback: str | None = None) -> str:
        job = NewJob(f"pdf_{code}_{len(self.reports.ends)}", code, "p", callback=callback)
        jobs.submit(self.db, job)
        self.runtime.wake()
        return job.job_id

    def ends(self, job_id: str, status: str = "completed", round_: int = 1) -> None:
        def ended() -> bool:
            row = jobs.find(self.db, job_id)
            return row is not None and (row["status"], row["round"]) == (status, round_)

        wait_until(ended, 30, f"{job_id} is {status}")

    def letters(self, kind: str, status: str = "open") -> list[dict[str, Any]]:
        return self.db.fetch_all(
            "SELECT * FROM dead_letters WHERE kind=%s AND status=%s ORDER BY dead_letter_id", (kind, status)
        )

    def copies(self, queue: str) -> list[str]:
        """The ids of the letters that lie in `.XQ`."""
        found = [meaning(message["payload"].encode()) for message in self.rabbitmq.get_messages(f"{queue}.XQ")]
        return sorted(copy.dead_letter_id for copy in found if isinstance(copy, Letter))

    def all_alive(self) -> bool:
        return all(thread.is_alive() for thread in self.threads)


@contextlib.contextmanager
def opened(rabbitmq: RabbitMQ, folder: Path, database: str = "") -> Iterator[Desk]:
    for name in list(rabbitmq.queues()):
        rabbitmq.api("DELETE", f"queues/%2F/{name}")
    made = Desk(rabbitmq, folder, database)
    for table in TABLES:
        made.db.execute(f"DELETE FROM {table}")
    made.start()
    try:
        yield made
    finally:
        made.runtime.stop()
        made.runtime.broker.close()


@pytest.fixture
def desk(rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[Desk]:
    with opened(rabbitmq, tmp_path) as made:
        yield made


def dead_job(desk: Desk, code: str = "NOWHERE") -> str:
    """A job that died, its copy in pdf.XQ."""
    desk.reports.missing.add(code)
    job_id = desk.submit(code)
    desk.ends(job_id, "failed")
    (letter,) = letters.open_of_job(desk.db, job_id)
    wait_until(lambda: letter["dead_letter_id"] in desk.copies("pdf"), 30, "its copy in .XQ")
    desk.reports.missing.discard(code)
    return job_id


def dead_callback(desk: Desk, code: str = "K1") -> str:
    """A job whose callback died, its copy in webhooks.XQ."""
    desk.mouth.answers = [answer(410)]
    job_id = desk.submit(code, HOOK)
    wait_until(lambda: len(desk.copies("webhooks")) == 1, 30, "its copy in .XQ")
    return job_id


def told(desk: Desk, job_id: str) -> None:
    sql = "SELECT status FROM deliveries WHERE job_id=%s"
    wait_until(lambda: desk.db.scalar(sql, (job_id,)) == "delivered", 30, "the callback")


def test_what_no_worker_can_take_gets_a_row_and_stops_nobody(desk: Desk) -> None:
    for queue in ("pdf", "webhooks", "pdf.DQ"):
        for body in STRANGE.values():
            desk.publish(queue, body)

    wait_until(lambda: len(desk.letters("raw")) == 3 * len(STRANGE), 60, "a row for each")
    job_id = desk.submit(callback=HOOK)
    desk.ends(job_id)
    told(desk, job_id)
    assert desk.all_alive()
    kept = {(letter["queue"], letters.raw_body(letter)) for letter in desk.letters("raw")}
    for body in STRANGE.values():
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        assert ("webhooks", raw[: letters.RAW_KEPT]) in kept
    codes = {letter["error_code"] for letter in desk.letters("raw")}
    assert codes == {"undecodable_message", "unknown_actor", "message_rejected", "message_too_large"}
    wait_until(lambda: len(desk.copies("pdf")) == 2 * len(STRANGE), 30, "their readable copies")


@pytest.mark.parametrize("destination", ["pdf", "webhooks", "pdf.DQ", "webhooks.DQ"])
def test_a_letter_is_replayed_from_whatever_queue_it_was_moved_to(desk: Desk, destination: str) -> None:
    job_id = dead_job(desk)
    desk.rabbitmq.move("pdf.XQ", destination)
    desk.ends(job_id, round_=2)

    other = dead_callback(desk, "K2")
    desk.rabbitmq.move("webhooks.XQ", destination)
    told(desk, other)

    assert desk.all_alive()
    assert [row["who"] for row in desk.db.fetch_all("SELECT who FROM audit")] == ["rabbitmq-ui"] * 2
    assert desk.letters("raw") == []


@pytest.mark.parametrize("wrong", [{"eta": 4_900_000_000_000}, {"pipe_target": 7}, {"retries": None}])
def test_a_letter_is_replayed_whatever_else_its_message_says(desk: Desk, wrong: dict[str, Any]) -> None:
    job_id = dead_job(desk)
    (letter,) = desk.copies("pdf")
    desk.publish("webhooks", {"queue_name": "coffee", "options": {"dead_letter_id": letter} | wrong})
    desk.ends(job_id, round_=2)
    assert desk.all_alive()


def test_letters_moved_to_the_other_letters_come_home_unplayed_and_are_swept_there(desk: Desk) -> None:
    job_id = dead_job(desk)
    dead_callback(desk, "K2")
    job_letter, callback_letter = desk.copies("pdf"), desk.copies("webhooks")
    desk.rabbitmq.move("pdf.XQ", "webhooks.XQ")
    wait_until(lambda: desk.copies("pdf") == job_letter, 40, "the job's letter is home")
    desk.rabbitmq.move("webhooks.XQ", "pdf.XQ")
    wait_until(lambda: desk.copies("webhooks") == callback_letter, 40, "the callback's letter is home")
    assert jobs.find(desk.db, job_id)["round"] == 1  # type: ignore[index]

    desk.rabbitmq.move("pdf.XQ", "webhooks.XQ")
    rounds.replay(desk.db, job_id, by="desk", dead_letter_id=job_letter[0])
    wait_until(lambda: desk.copies("pdf") == [] and desk.copies("webhooks") == callback_letter, 40, "it is swept")


@pytest.mark.parametrize("found_in", ["webhooks", "pdf.DQ", "webhooks.DQ", "pdf.XQ", "webhooks.XQ"])
def test_a_jobs_hint_in_a_wrong_queue_is_work_all_the_same(desk: Desk, found_in: str) -> None:
    """Its row was published: nobody would look at it until the hint is missed."""
    job = NewJob("pdf_strayed", "K1", "p")
    jobs.submit(desk.db, job)
    desk.db.execute(f"UPDATE pdf_job_results SET published_at={desk.db.now()} WHERE job_id=%s", (job.job_id,))
    desk.publish(found_in, hint(args=[job.job_id]))
    desk.ends(job.job_id)
    assert desk.all_alive()
    assert desk.letters("raw") == []


@pytest.mark.parametrize("found_in", ["pdf", "webhooks.DQ", "pdf.DQ", "webhooks.XQ"])
def test_a_callbacks_hint_in_a_wrong_queue_is_work_all_the_same(desk: Desk, found_in: str) -> None:
    desk.runtime.relay.stopping.set()
    next(thread for thread in desk.runtime.threads if thread.name == "relay").join(20)
    job_id = desk.submit(callback=HOOK)
    desk.publish("pdf", hint(args=[job_id]))
    desk.ends(job_id)
    delivery_id = desk.db.scalar("SELECT delivery_id FROM deliveries WHERE job_id=%s", (job_id,))
    desk.db.execute(f"UPDATE deliveries SET published_at={desk.db.now()} WHERE delivery_id=%s", (delivery_id,))
    desk.publish(found_in, hint(queue_name="webhooks", actor_name="deliver_webhook", args=[delivery_id]))

    def due() -> bool:
        row = desk.db.fetch_one("SELECT status, published_at FROM deliveries WHERE delivery_id=%s", (delivery_id,))
        assert row is not None
        return row["status"] == "delivered" or row["published_at"] is None

    wait_until(due, 30, "it is delivered, or due again")
    assert desk.all_alive()


def test_letters_and_hints_of_nothing_are_forgotten(desk: Desk) -> None:
    for queue in ("pdf", "webhooks", "pdf.DQ"):
        desk.publish(queue, hint(options=LETTER))
        desk.publish(queue, hint())
        desk.publish(queue, hint(queue_name="webhooks", actor_name="deliver_webhook", args=["dlv_1"]))
    wait_until(lambda: all(desk.rabbitmq.waiting(q) == 0 for q in ("pdf", "webhooks", "pdf.DQ")), 30, "all are taken")
    desk.ends(desk.submit())
    assert desk.all_alive()
    assert desk.db.scalar("SELECT COUNT(*) FROM dead_letters") == 0


def test_only_the_head_of_a_message_too_large_is_kept_and_it_is_not_sent_again(desk: Desk) -> None:
    desk.publish("pdf", b"y" * 300_000)
    wait_until(lambda: len(desk.copies("pdf")) == 1, 30, "its copy")
    (letter,) = desk.letters("raw")
    assert "300,000 bytes" in letter["error_message"]
    assert f"{letters.RAW_KEPT:,}" in letter["error_message"]

    desk.rabbitmq.move("pdf.XQ", "pdf")

    wait_until(lambda: desk.rabbitmq.waiting("pdf") == 0, 30, "it is taken")
    wait_until(lambda: desk.copies("pdf") == [letter["dead_letter_id"]], 30, "the open letter has its copy again")
    assert [row["status"] for row in desk.db.fetch_all("SELECT status FROM dead_letters")] == ["open"]


def test_what_comes_while_the_database_is_away_waits_and_is_lost_by_nobody(
    rabbitmq: RabbitMQ, mariadb: MariaDB, tmp_path: Path
) -> None:
    with opened(rabbitmq, tmp_path, mariadb.url) as desk:
        job_id = dead_job(desk)
        (letter,) = desk.copies("pdf")
        mariadb.kill()
        try:
            for body in (b"garbage", hint(options={"dead_letter_id": letter})):
                desk.publish("webhooks", body)
            wait_until(lambda: rabbitmq.waiting("webhooks.XQ") == 1, 30, "the stranger is set aside")
            assert (
                rabbitmq.waiting("webhooks") == 0
            )  # the letter is held, unacked, by a worker that asks again and again
        finally:
            mariadb.start()
        desk.ends(job_id, round_=2)
        wait_until(lambda: len(desk.letters("raw")) == 1, 30, "the stranger has its row")
        assert desk.all_alive()


def test_letters_moved_to_a_queue_that_nobody_serves_are_said_to_be_missing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """RabbitMQ makes the queue that a person has misspelt; the rows stay open, and the letters may be moved once more."""
    monkeypatch.setattr(letter_tidying, "MISSING_AFTER", 1.0)
    job_id = dead_job(desk)
    desk.rabbitmq.move("pdf.XQ", "pfd")
    told = ""

    def missed() -> bool:
        nonlocal told
        told += capsys.readouterr().out
        return "dead_letters.copies_missing" in told

    wait_until(missed, 40, "it is told")
    (finding,) = findings._letters(desk.runtime)
    assert "1 open letter of pdf" in finding.said
    desk.rabbitmq.move("pfd", "pdf")
    desk.ends(job_id, round_=2)


def test_a_report_that_dies_for_good_is_one_letter(desk: Desk) -> None:
    """The desk itself, untouched: what is read here is what we write."""

    def broken(*_: Any) -> bytes:
        raise Permanent("It is broken: “\N{PILE OF POO}”.", code="invalid_data")

    desk.runtime.renderer.work = broken  # type: ignore[attr-defined]
    job_id = desk.submit()
    desk.ends(job_id, "failed")
    wait_until(lambda: len(desk.copies("pdf")) == 1, 30, "its copy")
    assert desk.letters("raw") == []


def test_a_slow_message_is_not_taken_for_the_end_of_the_queue(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that saw nothing must neither count strangers as known, nor call the copies that it sought gone."""
    with monkeypatch.context() as slow:
        slow.setattr(LetterQueue, "_chunk", lambda *_: [])  # nothing comes within its patience
        for _ in range(3):
            desk.publish("webhooks.XQ", b"garbage")
        looked = LetterQueue(desk.runtime.publisher, desk.db, "webhooks")  # type: ignore[arg-type]
        wait_until(lambda: looked.depth() == 3, 30, "three strangers")
        assert not looked.turn(set(), whole=True).whole
        assert not looked.turn({"dl_SOUGHT"}).whole
    wait_until(lambda: len(desk.letters("raw")) == 3, 60, "a row for each")


def test_a_message_that_comes_during_a_look_is_looked_at_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look knows those that it met; one that is moved in behind them is no old acquaintance."""
    dead_callback(desk)
    met = LetterQueue._sorted

    def late(*args: Any) -> Any:
        monkeypatch.undo()
        desk.publish("webhooks.XQ", b"garbage")
        return met(*args)

    monkeypatch.setattr(LetterQueue, "_sorted", late)
    wait_until(lambda: len(desk.letters("raw")) == 1, 60, "its row")


def test_a_look_begins_anew_where_a_search_has_passed_strangers(desk: Desk) -> None:
    desk.runtime.housekeeper.stopping.set()
    for thread in desk.runtime.threads:
        if thread.name.startswith("housekeeper"):
            thread.join(30)
    for _ in range(3):
        desk.publish("webhooks.XQ", b"garbage")
    looked = LetterQueue(desk.runtime.publisher, desk.db, "webhooks")  # type: ignore[arg-type]
    wait_until(lambda: looked.depth() == 3, 30, "three strangers")
    looked._ahead = 1  # a search for a copy ended here, because its time was over
    assert looked.turn(set(), whole=True).whole
    assert len(desk.letters("raw")) == 3


def most_memory() -> int:
    """MB that this process has taken at most since this was last asked."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


SEND = """
import sys, pika
with pika.BlockingConnection(pika.URLParameters(sys.argv[1])) as connection:
    channel = connection.channel()
    for _ in range(12):
        channel.basic_publish("", sys.argv[2], b"z" * 40_000_000)
"""


@pytest.mark.parametrize("queue", ["webhooks", "webhooks.XQ"])
def test_messages_of_40_mb_take_the_memory_of_one_and_keep_no_other_from_being_looked_at(
    desk: Desk, queue: str
) -> None:
    job_id = dead_callback(desk)
    (copy,) = desk.copies("webhooks")
    rescue_from = desk.db.scalar("SELECT changed_at FROM switches WHERE name='rescue_from'")
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # as in production; pytest would keep what a traceback holds
    most_memory()
    before = most_memory()
    subprocess.run([sys.executable, "-c", SEND, desk.rabbitmq.admin_url, queue], check=True, timeout=60)

    wait_until(lambda: len(desk.letters("raw")) == 12, 90, "a row for each")

    assert most_memory() - before < 6 * 40  # three of one message, in the worker and in the relay
    wait_until(lambda: len(desk.copies("webhooks")) == 13, 30, "their readable copies")
    discard_letter(desk.db, copy, by="desk")
    wait_until(lambda: copy not in desk.copies("webhooks"), 30, "a resolved copy leaves as ever")
    desk.ends(job_id)
    assert desk.all_alive()
    assert desk.db.scalar("SELECT changed_at FROM switches WHERE name='rescue_from'") == rescue_from
