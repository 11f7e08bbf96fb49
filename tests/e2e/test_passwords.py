"""A PDF's password on real servers, by every way that orders one: it opens the file, and nothing else tells it."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import pymongo
import pytest
from pypdf import PasswordType, PdfReader

from ops import sql_dump
from ops.sample_report import SAMPLE
from ops.servers.process import wait_until
from ops.stack import ROOT, Stack
from schema.sql.database import Database

pytestmark = pytest.mark.timeout(300)
WORD, OTHER = "sesame-4711", "sesame-0815"
KEY = base64.b64encode(os.urandom(32)).decode()
DATA = json.loads(SAMPLE.read_text())
BODY = {"code": "PW1", "productId": "minatBakatUmum", "data": DATA, "password": WORD}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """On Drive's double, where the drawn bytes wait for an uploader."""
    settings = {"REPORTQ_PASSWORD_KEYS": KEY, "REPORTQ_RETRY_BACKOFF": "0.1"}
    with Stack(tmp_path_factory.mktemp("passwords"), render_workers=1, settings=settings) as running:
        yield running


def opens(pdf: bytes, word: str = WORD) -> bool:
    """Whether the word opens the file, which is locked for everybody else; read to its end."""
    for wrong in ("", WORD.upper(), *({WORD, OTHER} - {word})):
        assert PdfReader(io.BytesIO(pdf)).decrypt(wrong) == PasswordType.NOT_DECRYPTED
    reader = PdfReader(io.BytesIO(pdf))
    return reader.decrypt(word) != PasswordType.NOT_DECRYPTED and bool([page.extract_text() for page in reader.pages])


def pdf_of(stack: Stack, job_id: str) -> bytes:
    return stack.call("GET", f"/api/jobs/{job_id}/download").content


def told(stack: Stack, job_id: str) -> None:
    wait_until(lambda: stack.job(job_id)["webhook"]["state"] == "delivered", 60, "it is told")


def test_it_opens_the_file_and_nothing_else_tells_it(stack: Stack) -> None:
    hook = stack.receiver.url("/webhook/locked")
    job_id = stack.submit(**BODY, callback=hook)
    assert stack.wait_ended(job_id)["status"] == "completed"
    assert opens(pdf_of(stack, job_id))

    waited = stack.call("POST", "/api/reports/generate", json=BODY, headers={"Prefer": "wait=60"}, timeout=90)
    assert (waited.status_code, opens(waited.content)) == (200, True)

    missing = {**BODY, "code": "PW-nowhere", "data": None}
    jobs = [BODY, {**BODY, "password": OTHER}, {**BODY, "password": None}, missing]
    batch = stack.call("POST", "/api/reports/batch", json={"jobs": jobs}).json()
    failed = batch["jobs"][3]["job_id"]
    for one in batch["jobs"]:
        stack.wait_ended(one["job_id"])
    zipped = zipfile.ZipFile(io.BytesIO(stack.call("GET", f"/api/batches/{batch['batch_id']}/download").content))
    found = {name.rpartition("-")[2]: zipped.read(name) for name in zipped.namelist()}
    first, second, third = (found[f"{one['job_id']}.pdf"] for one in batch["jobs"][:3])
    assert (opens(first), opens(second, OTHER), PdfReader(io.BytesIO(third)).is_encrypted) == (True, True, False)

    wait_until(lambda: bool(stack.rabbitmq.get_messages("pdf.XQ")), 30, "its copy in .XQ")
    told(stack, job_id)
    shown = seen(stack, failed)
    assert all(failed in shown[name] for name in ("rows", "records", "pdf.XQ", "jobs show --json"))
    words = {WORD, OTHER, base64.b64encode(WORD.encode()).decode()}
    assert {name for name, text in shown.items() if any(word in text for word in words)} == set()
    sealed = "SELECT job_id FROM pdf_job_results WHERE sealed_password IS NOT NULL"
    assert [row["job_id"] for row in stack.sql(sealed)] == [failed]

    stack.save_report("PW-nowhere", "minatBakatUmum", DATA)
    assert stack.call("POST", f"/api/jobs/{failed}/replay", json={"callback": hook}).status_code == 202
    assert stack.wait_ended(failed)["status"] == "completed"
    assert opens(pdf_of(stack, failed))
    told(stack, failed)
    assert stack.sql(sealed) == []
    assert WORD not in "".join(str(post.body) for post in stack.receiver.posts())


def seen(stack: Stack, job_id: str) -> dict[str, str]:
    """Whatever a person could look at."""
    rows, db = io.BytesIO(), Database(stack.mariadb.url)
    sql_dump.write(db, rows)
    db.close()
    with pymongo.MongoClient(stack.mongo.url) as client:  # type: ignore[var-annotated]
        records = [*client["workflow"]["reportq_results"].find({}), *client["workflow"]["psikotes_v2"].find({})]
    paths = ("/api/jobs", f"/api/jobs/{job_id}", "/api/dead-letters", "/api/overview", "/metrics", "/openapi.json")
    commands = (
        ("jobs", "show", job_id), ("jobs", "show", job_id, "--json"), ("dead-letters", "list", "--letters", "--json"),
        ("config", "show"),
    )  # fmt: skip
    return {
        "rows": rows.getvalue().decode("latin-1"),
        "records": str(records),
        "pdf.XQ": json.dumps(stack.rabbitmq.get_messages("pdf.XQ")),
        "posts": "".join(str(post) for post in stack.receiver.posts()),
        **{path: stack.call("GET", path).text for path in paths},
        **{" ".join(word for word in words if word != job_id): command(stack, *words) for words in commands},
        **{f"log of {name}": stack.log(name) for name in stack.names()},
    }


def command(stack: Stack, *arguments: str) -> str:
    """What `ops/reportq …` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments], cwd=ROOT, env={**os.environ, **stack.environment},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout + done.stderr
