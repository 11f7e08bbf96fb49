"""Strict SQL refuses what is too long for its column: whatever the environment gives fits, or is cut where it is made."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from ulid import ULID

from middleware.hooks.heartbeats import Heartbeats
from ops.commands.terminal import _operator
from ops.servers.mariadb import MariaDB
from schema import VERSION
from schema.callbacks import answers
from schema.callbacks.urls import host_key
from schema.environment.fitting import fit
from schema.environment.secret_lists import parse_api_keys
from schema.errors import Refused
from schema.http.problems import CATALOGUE
from schema.http.requests import Name, Submission, read
from schema.life import queues
from schema.metrics import labels
from schema.rows import audit, jobs, letters, passwords, workers
from schema.rows.keys import ROLES
from schema.sql.database import Database
from schema.sql.migrate import migrate
from tests.protocol.kit import World, make_world

LONG = "ip-10-0-123-234." + "a" * 400 + ".compute.internal"
_ULID = len(str(ULID()))
_HASH = 64
_SEALED = len(passwords.sealed(["A" * 43 + "="], "x" * 127))  # the bound of a password: the same test
_NAME = 255  # the API's own bound of a name: test_the_apis_bounds_are_the_columns
_OWNER = 64  # the bound of a key's name: the same test
_CODES = max(len(word) for word in (*labels.JOB_CODES, *labels.GIVEN_UP_CODES, *CATALOGUE))
_WORDS = 16  # closed lists of ours, each word at most so long: delivered, superseded, scheduled, returned …
_LEASE = {"relay_token": _ULID, "worker_id": 40 + 1 + 7 + 1 + 6 + len("/webhooks")}
# Table → column → the longest text that anybody writes. A column without a line here has a writer nobody has looked at.
CENSUS: dict[str, dict[str, int]] = {
    "pdf_job_results": {
        "job_id": 4 + _ULID, "code": _NAME, "product_id": _NAME, "stage": len("rendering"), "artifact_id": 100,
        "error_code": _CODES, "owner": _OWNER, "idempotency_key": _HASH, "fingerprint": _HASH, "request_id": 64,
        "file_name": _NAME, "traceparent": 64, "batch_id": 4 + _ULID,
        "template_version": 12, "sealed_password": _SEALED, **_LEASE,
    },
    "batches": {"batch_id": 4 + _ULID, "owner": _OWNER},
    "report_data": {"job_id": 4 + _ULID},
    "attempts": {
        "job_id": 4 + _ULID, "outcome": _WORDS, "error_code": _CODES, "worker_id": _LEASE["worker_id"],
    },
    "rendered": {"job_id": 4 + _ULID},
    "deliveries": {
        "delivery_id": 4 + _ULID, "job_id": 4 + _ULID, "event": _WORDS, "host": 200 + 17, "post_kind": _WORDS,
        "error_code": _CODES, **_LEASE,
    },
    "delivery_attempts": {
        "delivery_id": 4 + _ULID, "outcome": _WORDS, "kind": _WORDS, "failure": max(len(word) for word in labels.ANSWERS),
        "verdict": max(len(rule.answer) for rule in answers.TABLE),
    },
    "dead_letters": {
        "dead_letter_id": 3 + _ULID, "queue": len("webhooks"), "kind": _WORDS, "job_id": 4 + _ULID,
        "delivery_id": 4 + _ULID, "code": _NAME, "product_id": _NAME, "error_code": _CODES, "fingerprint": 16,
        "version": len(VERSION), "resolved_by": 128, "relay_token": _ULID,
    },
    "pauses": {"scope": len("host:") + 200 + 17, "set_by": 128, "code": _CODES},
    "dependencies": {"scope": len("gateway:") + 200},
    "paces": {"scope": len("drive")},
    "switches": {"name": len("rollout_percent")},
    "workers": {
        "worker_id": _LEASE["worker_id"], "kind": len("webhooks"), "host": 255, "version": len(VERSION),
    },
    "durations": {"product_id": _NAME},
    "api_keys": {"key_id": 4 + _ULID, "name": _OWNER, "role": max(len(role) for role in ROLES), "hash": _HASH},
    "audit": {"who": 128, "act": len("bulk_discard"), "subject": 255},
    "used_keys": {"idempotency_key": _HASH, "fingerprint": _HASH, "job_id": 4 + _ULID, "status": len("completed")},
    "links": {"link_id": 4 + _ULID, "job_id": 4 + _ULID, "hash": _HASH},
    "report_documents": {"code": _NAME, "product_id": _NAME, "requested_at": 27},
    "report_results": {"job_id": 4 + _ULID, "code": _NAME, "product_id": _NAME, "requested_at": 27},
}  # fmt: skip


@pytest.fixture
def strict(mariadb: MariaDB) -> Iterator[Database]:
    database = Database(mariadb.url)
    migrate(database)
    yield database
    database.close()


def test_every_column_of_a_fixed_width_has_writers_that_fit(strict: Database) -> None:
    found: dict[str, dict[str, int]] = {}
    for row in strict.fetch_all(
        "SELECT table_name AS t, column_name AS c, character_maximum_length AS n FROM information_schema.columns "
        "WHERE table_schema=DATABASE() AND data_type IN ('varchar','char') AND table_name <> 'schema_migration'"
    ):
        found.setdefault(row["t"], {})[row["c"]] = int(row["n"])
    assert {table: set(columns) for table, columns in found.items()} == {t: set(c) for t, c in CENSUS.items()}
    for table, columns in CENSUS.items():
        for column, longest in columns.items():
            assert longest <= found[table][column], f"{table}.{column}: {longest} of {found[table][column]}"


def test_the_apis_bounds_are_the_columns(strict: Database) -> None:
    fields: Any = get_type_hints(Submission, include_extras=True)
    for name in ("code", "product_id"):
        assert all(bound in fields[name].__metadata__ for bound in Name.__metadata__)
    with pytest.raises(Refused, match="at most 127 characters"):
        read(b'{"code":"K","productId":"p","password":"%s"}' % (b"x" * 128), Submission)
    with pytest.raises(ValueError, match="at most 64"):
        parse_api_keys(f"{'k' * 65}:submit:{'x' * 20}")
    assert len(host_key(f"http://{'a.' * 200}lan:65535/")) <= 200
    assert len(host_key("http://[" + "1234:" * 7 + "1234]:65535/")) <= 200


def test_a_cut_text_keeps_its_head_and_stays_apart_from_others() -> None:
    one, other = fit(LONG + "1", 64), fit(LONG + "2", 64)
    assert len(one) == len(other) == 64
    assert one != other
    assert one.startswith("ip-10-0-123-234.")
    assert fit("short", 64) == "short"
    assert fit("\ud800é\x00", 64) == "?é?"


class Uname:
    nodename = LONG


@pytest.fixture
def world(strict: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """On a host with a name as the environment may give one."""
    monkeypatch.setattr(os, "uname", Uname)
    monkeypatch.setattr(socket, "gethostname", lambda: LONG)
    monkeypatch.setattr(os, "getpid", lambda: 4_194_304)
    made = make_world(strict, tmp_path)
    yield made
    made.runtime.wake.close()


def test_a_host_with_a_long_name_works(world: World) -> None:
    job_id = world.submit(callback="https://hooks.example/webhook/x")
    world.run()
    assert world.job(job_id)["status"] == "completed"
    assert world.delivery(job_id)["status"] == "delivered"
    parts = world.runtime
    beats = Heartbeats(world.db, parts.attempts, worker_id=parts.worker_id, every=60, lease=20, guard_process=False)

    class Worker:
        consumer_whitelist = None
        worker_threads = 4

    beats.after_worker_boot(None, Worker())
    try:
        assert {row["kind"] for row in workers.live(world.db, 60)} == {"pdf", "webhooks"}
    finally:
        beats.after_worker_shutdown(None, Worker())
    assert workers.live(world.db, 60) == []


def test_an_operator_with_a_long_name_may_do_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "u" * 300)
    who = _operator()
    assert len(who) <= 128
    for by in (who, "k" * 300):
        queues.pause(world.db, "pdf", by=by, why="because " * 5000)
        queues.resume(world.db, "pdf", by=by)
        audit.note(world.db, by, "bulk_replay", "filter " * 100, "why " * 30000)
        letter = f"dl_{ULID()}"
        assert letters.bury_raw(world.db, "pdf", letter, b"{}", "undecodable_message", "It is none of ours.")
        assert letters.resolve(world.db, letter, "discarded", by)

    def nameless() -> str:
        raise KeyError("uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert _operator().startswith(f"cli:uid{os.getuid()}@")


def test_names_as_long_as_the_api_takes_them_reach_every_table(world: World) -> None:
    name = "ẁ" * 255
    job_id = f"pdf_{ULID()}"
    jobs.submit(world.db, jobs.NewJob(job_id, name, name, owner="ö" * 64, request_id="r" * 64))
    world.reports.missing.add(name)
    world.run()
    assert world.job(job_id)["error_code"] == "template_not_found"
    assert world.letters(job_id)[0]["code"] == name
