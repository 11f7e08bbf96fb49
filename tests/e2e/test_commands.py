"""The two commands as a newcomer runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.demo_servers import passed_on
from ops.sample_report import CODE, SAMPLE
from ops.servers.packages import need
from ops.servers.process import free_port

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """ops/run with the packages of this interpreter, so that nothing is installed twice."""
    environ = {**os.environ, "REPORTQ_VENV": str(Path(sys.executable).parents[1]), **settings}
    return subprocess.run(
        ["ops/run", *arguments, "--port", str(free_port())],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
    )


def person() -> str:
    """The sample's person, as the PDF must name them."""
    sample = json.loads(SAMPLE.read_text())
    stack = [sample]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if isinstance(part.get("nama") or part.get("name"), str):
                return str(part.get("nama") or part.get("name"))
            stack.extend(part.values())
    raise AssertionError("the sample names nobody")


def test_the_embedded_default_shows_its_path_and_ends_with_0() -> None:
    done = run("--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "POST /api/reports/generate-async" in done.stdout
    assert '"type":"report.completed"' in done.stdout
    need("poppler-utils")
    pdf = ROOT / "var" / "sample.pdf"
    text = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    assert person() in text
    info = subprocess.run(["pdfinfo", str(pdf)], capture_output=True, text=True, check=True).stdout
    pages = next(int(line.split()[1]) for line in info.splitlines() if line.startswith("Pages:"))
    assert pages >= 4


def test_the_same_on_real_servers() -> None:
    key = "demonstration-key-0123456789"
    environ = {
        "REPORTQ_API_KEYS": f"n8n:submit:{key}",
        "REPORTQ_WEBHOOK_ALLOW": "127.0.0.1:5678",
        "REPORTQ_RUN_DIR": "x",
    }
    done = run("--servers", "--once", **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Drive files" in done.stdout
    assert "(1 new)" in done.stdout
    shown = json.loads((ROOT / "var" / "run.json").read_text())
    assert {"api", "rabbitmq", "database", "mongodb", "pids"} <= set(shown)
    assert {"api", "relay", "webhook", "canary", "render-0", "render-1"} <= set(shown["pids"])
    exported = ROOT / "var" / "run.env"
    assert "  . var/run.env\n" in done.stdout
    assert exported.stat().st_mode & 0o077 == 0
    read = ["env", "-i", "bash", "-c", ". var/run.env; env -0"]
    lines = subprocess.run(read, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    assert {f"{name}={value}" for name, value in shown["environment"].items()} <= set(lines)
    assert CODE in done.stdout
    assert "From your environment: REPORTQ_API_KEYS, REPORTQ_WEBHOOK_ALLOW." in done.stdout
    assert "Not heeded, since these servers are private: REPORTQ_RUN_DIR." in done.stdout
    allowed = shown["environment"]["REPORTQ_WEBHOOK_ALLOW"].split(",")
    assert allowed[-1] == "127.0.0.1:5678"
    assert len(allowed) == 3
    assert shown["environment"]["REPORTQ_API_KEYS"] == environ["REPORTQ_API_KEYS"]


def test_the_callers_settings_reach_real_servers_but_for_what_the_servers_decide() -> None:
    """What a caller sets counts, or is named as not heeded; neither is dropped in silence."""
    environ = {
        "REPORTQ_WEBHOOK_ALLOW": "127.0.0.1:5678", "REPORTQ_MAX_BATCH": "2000", "REPORTQ_DATABASE_URL_FILE": "/etc/hosts",
        "REPORTQ_BROKER_URL": "memory:", "HOME": "/root",
    }  # fmt: skip
    chosen, overridden = passed_on(environ)
    assert chosen == {"REPORTQ_MAX_BATCH": "2000"}
    assert overridden == ["REPORTQ_BROKER_URL", "REPORTQ_DATABASE_URL_FILE"]


def test_a_wrong_setting_is_refused_at_start_with_a_sentence() -> None:
    environ = {**os.environ, "REPORTQ_MAX_QUEUE_SIZE": "many"}
    done = subprocess.run(
        [sys.executable, "-c", "import service.wsgi"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "REPORTQ_MAX_QUEUE_SIZE: read 'many'; allowed: a whole number from 1 to 100000." in done.stderr
