"""The command line where it needs no database, or has none: what a person reads, and with which exit code."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import cli
from ops.commands import config, doctor, findings, options, terminal
from ops.servers.process import free_port
from schema.http.problems import CATALOGUE
from schema.settings import Settings
from schema.sql.database import Database
from schema.sql.migrate import migrate
from tests.command_line import Command, command_line

READING = [
    "jobs list", "jobs show pdf_x", "batches list", "batches show bat_x", "dead-letters list", "dead-letters show dl_x",
    "queues list", "queues pause pdf", "webhooks log pdf_x", "webhooks resend-failed --since 1h", "rollout show", "keys list",
    "erase --code K1 --dry-run",
]  # fmt: skip
ID = "pdf_01M87EXAMPLEEXAMPLEEXAMPLE1"
LETTER = "dl_01M87EXAMPLEEXAMPLEEXAMPLE1"
MARK = "d9d5df42f0a1b2c3d4e5f60718293a4b"


@pytest.fixture
def reportq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process: exit code and what it printed."""
    monkeypatch.setenv("REPORTQ_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("REPORTQ_ARTIFACTS_URL", f"file:{tmp_path / 'artifacts'}")
    return command_line(monkeypatch, capsys)


# -- the database is away ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READING)
def test_a_server_that_is_away_is_one_sentence(reportq: Command, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    port = free_port()
    monkeypatch.setenv("REPORTQ_DATABASE_URL", f"mysql://root:hunter2@127.0.0.1:{port}/reportq")
    code, shown = reportq(*command.split())
    assert code == 4
    assert shown.startswith(f"The database cannot be used: mysql://root:…@127.0.0.1:{port}/reportq: ")
    assert len(shown.splitlines()) == 1
    assert "hunter2" not in shown


def test_a_server_that_says_nothing_is_one_sentence(reportq: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a frozen one does: the kernel takes the connection, nobody speaks."""
    monkeypatch.setattr(terminal, "Database", functools.partial(Database, io_timeout=0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("REPORTQ_DATABASE_URL", f"mysql://root:x@127.0.0.1:{silent.getsockname()[1]}/reportq")
        code, shown = reportq("jobs", "list")
    assert code == 4
    assert shown.startswith("The database cannot be used: ")
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_while_everything_is_frozen_the_verdict_is_told(tmp_path: Path, command: str) -> None:
    """As SIGSTOP leaves servers: the kernel takes each connection, and nobody ever speaks."""

    def told(*options: str) -> tuple[int, str]:
        with contextlib.ExitStack() as held:
            ports = [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
            environ = {
                "PATH": os.environ["PATH"],
                "REPORTQ_RUN_DIR": str(tmp_path / "run"),
                "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path / 'artifacts'}",
                "REPORTQ_DATABASE_URL": f"mysql://root:hunter2@127.0.0.1:{ports[0]}/reportq",
                "REPORTQ_DOCUMENTS_URL": f"mongodb://127.0.0.1:{ports[1]}/workflow",
                "REPORTQ_BROKER_URL": f"amqp://127.0.0.1:{ports[2]}",
            }
            done = subprocess.run(
                [sys.executable, "-m", "ops.cli", command, *options],
                env=environ, capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
        assert "hunter2" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    code, shown = told("--json")
    assert code == (4 if command == "status" else 1)
    verdict = json.loads(shown)["verdict"]
    assert (verdict["state"], verdict["facts"][0]["key"]) == ("bad", "database_down")
    subjects = {fact.get("subject") for fact in verdict["facts"]}
    assert subjects == {"database", "documents", "broker"}, "what has not answered is not up"
    plain = told()[1]
    assert "Not working" in plain
    assert "Everything works" not in plain


def test_a_malformed_url_is_refused_without_its_password(reportq: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTQ_DATABASE_URL", "mysql://root:hun/ter2@127.0.0.1/reportq")
    code, shown = reportq("status")
    assert code == 4
    assert "REPORTQ_DATABASE_URL" in shown
    assert "hun" not in shown


@pytest.mark.parametrize("command", [*READING, "status", "doctor", "config check", "backup make {folder}"])
def test_nothing_makes_a_database_but_the_service(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "nowhere" / "x.db"
    monkeypatch.setenv("REPORTQ_DATABASE_URL", f"sqlite:///{file}")
    code, shown = reportq(*command.format(folder=tmp_path / "backup").split())
    assert code == (1 if command in ("doctor", "config check") else 4)
    assert f"There is no file {file}: start the service once" in shown
    assert not file.parent.exists()


def test_a_file_that_is_no_database_is_one_sentence(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "x.db"
    file.write_text("These are not the pages of a database. " * 100)
    monkeypatch.setenv("REPORTQ_DATABASE_URL", f"sqlite:///{file}")
    code, shown = reportq("jobs", "list")
    assert code == 4
    assert shown.startswith(f"The database cannot be used: sqlite:///{file}: ")
    assert len(shown.splitlines()) == 1


# -- what is asked of the settings ------------------------------------------------------------------------------


def test_doctor_finds_whatever_config_check_finds(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'r.db'}"
    db = Database(url)
    migrate(db)
    db.close()
    monkeypatch.setenv("REPORTQ_DATABASE_URL", url)
    monkeypatch.setenv("REPORTQ_HOST", "0.0.0.0")
    monkeypatch.setenv("REPORTQ_WEBHOOK_ALLOW", "10.0.0.0/99")
    checked, found = reportq("config", "check", "--json")
    examined, said = reportq("doctor", "--json")
    assert (checked, examined) == (1, 1)
    faults = {name: fault for name, fault in json.loads(found).items() if fault != "fine"}
    assert set(faults) == {"REPORTQ_WEBHOOK_ALLOW", "keys"}
    bad = {finding["said"]: finding for finding in json.loads(said)["findings"] if finding["state"] == "bad"}
    assert set(faults.values()) <= set(bad)
    assert "keys make" in bad[faults["keys"]]["what_to_do"]
    assert "Everything works" not in reportq("doctor")[1]


def test_doctor_says_that_no_proxy_may_stand_in_front_while_there_are_no_keys(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'r.db'}"
    db = Database(url)
    migrate(db)
    db.close()
    monkeypatch.setenv("REPORTQ_DATABASE_URL", url)

    def told() -> dict[str, str]:
        found: list[dict[str, str]] = json.loads(reportq("doctor", "--json")[1])["findings"]
        return next(finding for finding in found if finding["name"] == "keys")

    assert told()["state"] == "good"
    assert "No proxy may stand in front" in told()["said"]
    monkeypatch.setenv("REPORTQ_PROFILE", "production")
    assert told()["state"] == "warning"
    monkeypatch.setenv("REPORTQ_PUBLIC_URL", "https://reports.example/pdf")
    assert told()["state"] == "bad"
    assert "behind a proxy every caller would be an operator" in told()["said"]
    monkeypatch.setenv("REPORTQ_API_KEYS", "ops:operate:a-very-long-key-1")
    assert told()["said"] == "every call of the API needs one"


def test_doctor_says_how_to_start_exactly_the_workers_that_are_missing() -> None:
    runtime: Any = SimpleNamespace(settings=Settings(broker_url="amqp://h"))
    said = [findings._start(runtime, queue) for queue in ("pdf", "webhooks")]
    assert said[0].startswith("ops/processes start render, or docker compose up -d render")
    assert said[1].startswith("ops/processes start webhook, or docker compose up -d webhook")


def test_the_two_share_their_questions() -> None:
    assert config.faults is doctor.faults


# -- words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("jobs list --status foo", "queued, processing, completed, failed, cancelled"),
        ("dead-letters list --queue foo", "pdf, webhooks"),
        ("dead-letters list --status foo", "open, replayed, discarded"),
        ("dead-letters replay --queue foo", "pdf, webhooks"),
        ("dead-letters discard --queue foo --why x", "pdf, webhooks"),
    ],
)
def test_a_mistyped_filter_is_refused_with_the_words_that_there_are(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, words: str
) -> None:
    monkeypatch.setenv("REPORTQ_DATABASE_URL", f"sqlite:///{tmp_path / 'never-asked.db'}")
    monkeypatch.setenv("COLUMNS", "300")
    code, shown = reportq(*command.split())
    assert code == 2
    assert words in " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_no_next_step_of_a_command_speaks_of_requests(code: str) -> None:
    """Of those that a command can end with; what belongs to HTTP alone never reaches a terminal."""
    if code in HTTP_ONLY:
        assert code not in terminal._INSTEAD
        return
    for word in ("GET /", "POST /", "request", "Retry-After", "`errors`", "force: true", "/readyz"):
        assert word not in terminal.next_step(code), code


HTTP_ONLY = {
    "invalid_json", "body_too_large", "unsupported_media_type", "idempotency_key_reused", "idempotency_key_taken",
    "invalid_header", "batch_too_large", "sync_disabled", "unauthorized", "forbidden", "rate_limited", "host_refused",
    "product_not_found", "link_not_found",
    "not_found", "method_not_allowed", "backlog_full", "internal_error", "database_unavailable",
}  # fmt: skip


@pytest.mark.parametrize(("number", "said"), [(0, "0 letters"), (1, "1 letter"), (2, "2 letters")])
def test_nouns_follow_their_number(number: int, said: str) -> None:
    assert terminal.counted(number, "letter") == said


def test_a_discard_needs_a_reason(reportq: Command) -> None:
    code, shown = reportq("dead-letters", "discard", "--all", "--yes")
    assert code == 2
    assert "--why" in shown


# -- 80 columns -------------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.out, "_width", 80)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "columns",
    [
        ("job_id", "status", "code", "product_id", "round", "error_code", "requested"),
        ("letters", "queue", "error_code", "first", "last", "appeared", "in version", "fingerprint"),
        ("dead_letter_id", "job_id", "queue", "code", "product_id", "error_code", "attempts", "died"),
        ("key", "name", "role"),
    ],
)
def test_no_word_is_cut_at_80_columns(capsys: pytest.CaptureFixture[str], columns: tuple[str, ...]) -> None:
    known = {"job_id": ID, "dead_letter_id": LETTER, "fingerprint": MARK, "error_code": "webhook_address_refused",
             "requested": "2026-05-01 08:00:00Z", "died": "2026-05-01 08:00:00Z", "first": "2026-05-01 08:00:00Z"}  # fmt: skip
    row = [known.get(name, "word") for name in columns]
    terminal.print_table(columns, [row, row])
    shown = capsys.readouterr().out
    for cell in row:
        for word in cell.split():
            assert word in shown.split(), shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.usefixtures("narrow")
def test_a_value_longer_than_the_terminal_stays_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_pairs([("fingerprint", MARK * 4), ("left out", None)])
    assert capsys.readouterr().out == f"fingerprint {MARK * 4}\n"


def test_into_a_pipe_each_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("job_id", "error"), [(ID, "word " * 100)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_status_words_are_the_protocols() -> None:
    help_ = CliRunner().invoke(cli.app, ["jobs", "list", "--help"], env={"COLUMNS": "300"}).output
    assert all(word in help_ for word in options.STATUSES)


def test_help_needs_no_package(tmp_path: Path) -> None:
    """Before the first command nothing is installed, and who asks for help must not wait for that."""
    environ = {"PATH": os.environ["PATH"], "REPORTQ_VENV": str(tmp_path / "none")}

    def said(*words: str) -> str:
        top = Path(cli.__file__).parents[1]
        done = subprocess.run(["bash", *words], cwd=top, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "none").exists()
        return done.stdout

    whole = said("ops/reportq", "--help")
    for command in cli.COMMANDS:
        assert f"ops/reportq {command}" in whole
    assert "locks out everybody" in said("ops/reportq", "keys", "make", "--help")
    for script, word in (("run", "--servers"), ("test", "--setup"), ("processes", "supervisor")):
        assert word in said(f"ops/{script}", "--help")


def test_doctor_names_a_template_that_is_wrong(
    reportq: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "more" / "broken").mkdir(parents=True)
    (tmp_path / "more" / "broken" / "template.yaml").write_text("blocks: [nonsense")
    url = f"sqlite:///{tmp_path / 'r.db'}"
    db = Database(url)
    migrate(db)
    db.close()
    monkeypatch.setenv("REPORTQ_DATABASE_URL", url)
    monkeypatch.setenv("REPORTQ_TEMPLATES_DIR", str(tmp_path / "more"))
    found = json.loads(reportq("doctor", "--json", "--wait", "30")[1])["findings"]
    told = [finding for finding in found if finding["name"] == "templates"]
    assert [finding["state"] for finding in told] == ["bad"]
    assert told[0]["said"].startswith("broken: ")
    assert told[0]["what_to_do"] == "ops/reportq templates check broken"
