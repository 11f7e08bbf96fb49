"""The doctor finds what is wrong and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ops.servers.process import free_port
from ops.stack import ROOT
from schema.sql.database import Database
from schema.sql.migrate import migrate
from tests.observability.conftest import Live


def examined(environ: Mapping[str, str], *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "doctor", "--json", "--wait", "30", *options],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def states(said: dict[str, Any]) -> dict[str, str]:
    return {finding["name"]: finding["state"] for finding in said["findings"]}


def told(said: dict[str, Any], name: str) -> dict[str, str]:
    found: dict[str, str] = next(finding for finding in said["findings"] if finding["name"] == name)
    return found


def test_a_system_that_works_is_called_healthy_and_its_store_is_left_as_it_was(live: Live) -> None:
    def left() -> list[Any]:
        return [file for file in live.stack.drive.files() if "doctor" in json.dumps(file)]

    code, said = examined(live.stack.environment)
    assert (code, said["healthy"]) == (0, True), said
    for name in ("database", "documents", "PDF store", "broker", "templates", "workers of pdf", "workers of webhooks"):
        assert states(said)[name] == "good", said
    assert "made, read and deleted" in told(said, "PDF store")["said"]
    assert left() == []


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("REPORTQ_DATABASE_URL", "mysql://reportq:no@127.0.0.1:{port}/reportq", "database"),
        ("REPORTQ_DOCUMENTS_URL", "mongodb://127.0.0.1:{port}/workflow", "documents"),
        ("REPORTQ_BROKER_URL", "amqp://reportq:no@127.0.0.1:{port}/%2F", "broker"),
        ("REPORTQ_GDRIVE_API_ROOT", "http://127.0.0.1:{port}", "PDF store"),
    ],
)
def test_what_does_not_answer_is_named_with_what_to_do(live: Live, variable: str, value: str, name: str) -> None:
    environ = {**live.stack.environment, variable: value.format(port=free_port())}
    code, said = examined(environ)
    assert (code, said["healthy"]) == (1, False)
    assert told(said, name)["state"] == "bad"
    assert told(said, name)["what_to_do"], said
    others = {n: state for n, state in states(said).items() if n in ("database", "documents", "PDF store", "broker")}
    others.pop(name)
    assert set(others.values()) == {"good"}, said
    assert "reportq:no@" not in json.dumps(said)


@pytest.mark.parametrize(
    ("variable", "change", "name", "sentence"),
    [
        ("REPORTQ_DATABASE_URL", (":", ":sesame"), "database", "user name or password"),
        ("REPORTQ_DATABASE_URL", ("/reportq", "/sesame"), "database", "Access denied|no database|lacks rights"),
        ("REPORTQ_DATABASE_URL", ("/reportq", "/reportq?ssl-mode=VERIFY_IDENTITY"), "database", "TLS|not trusted"),
        ("REPORTQ_DOCUMENTS_URL", (":", ":sesame"), "documents", "user name, password or rights"),
        ("REPORTQ_BROKER_URL", (":", ":sesame"), "broker", "user name or password"),
        ("REPORTQ_BROKER_URL", ("%2F", "sesame"), "broker", "virtual host"),
        ("REPORTQ_BROKER_URL", ("amqp:", "amqps:"), "broker", "TLS with RabbitMQ failed"),
    ],
)
def test_what_is_wrong_with_a_server_is_told(
    live: Live, variable: str, change: tuple[str, str], name: str, sentence: str
) -> None:
    scheme, _, rest = live.stack.environment[variable].partition("//")
    url = f"{scheme}//{rest.replace(*change, 1)}" if change[0] != "amqp:" else f"amqps://{rest}"
    code, said = examined({**live.stack.environment, variable: url})
    assert (code, told(said, name)["state"]) == (1, "bad"), said
    assert re.search(sentence, told(said, name)["said"]), said
    assert "sesame" not in json.dumps(said)


def test_a_queue_that_others_have_declared_is_found(live: Live) -> None:
    code, said = examined({**live.stack.environment, "REPORTQ_QUEUE_TYPE": "quorum"})
    assert code == 1
    assert "declared with other arguments" in told(said, "broker")["said"]


def test_the_embedded_default_is_examined_too(tmp_path: Path) -> None:
    environ = {
        "REPORTQ_DATABASE_URL": f"sqlite:///{tmp_path / 'r.db'}",
        "REPORTQ_RUN_DIR": str(tmp_path / "run"),
        "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path / 'artifacts'}",
    }
    code, said = examined(environ)
    assert code == 1
    assert told(said, "database")["state"] == "bad"  # never started: no file yet, and looking makes none
    assert not (tmp_path / "r.db").exists()
    assert states(said)["PDF store"] == "good"
    assert list((tmp_path / "artifacts").rglob("*.pdf")) == []


def test_queues_that_nobody_works_on_do_not_work(tmp_path: Path) -> None:
    environ = {
        "REPORTQ_DATABASE_URL": f"sqlite:///{tmp_path / 'r.db'}",
        "REPORTQ_RUN_DIR": str(tmp_path / "run"),
        "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path / 'artifacts'}",
    }
    db = Database(environ["REPORTQ_DATABASE_URL"])
    migrate(db)
    db.close()
    code, said = examined(environ)
    assert (code, said["healthy"]) == (1, False)
    for queue in ("pdf", "webhooks"):
        assert told(said, f"workers of {queue}")["state"] == "bad"
        assert "Start the API" in told(said, f"workers of {queue}")["what_to_do"]


def test_only_the_missing_workers_are_to_be_started(live: Live) -> None:
    live.stack.programs.end("webhook")
    try:
        code, said = examined(live.stack.environment)
    finally:
        live.stack.programs.begin("webhook")
    assert code == 1
    assert told(said, "workers of pdf")["state"] == "good"
    advice = told(said, "workers of webhooks")["what_to_do"]
    assert advice.startswith("ops/processes start webhook, or")


def test_a_wrong_setting_ends_with_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "doctor"],
        env={"PATH": os.environ["PATH"], "REPORTQ_LEASE": "never"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "REPORTQ_LEASE" in done.stderr
    assert "Traceback" not in done.stderr
