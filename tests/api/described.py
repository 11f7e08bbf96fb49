"""Schemathesis: requests made from /openapi.json, and the judgement whether every answer is a described one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ops.stack import ROOT, Stack
from schema.http import operations
from tests.api.conftest import KEYS

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
THOROUGH = ("--max-examples", "20")
"""All phases: examples, coverage, fuzzing, stateful."""
PLAIN = ("--phases", "examples,fuzzing", "--max-examples", "2")


def every_answer_is_described(url: str, folder: Path, *options: str, timeout: float) -> None:
    """Ask each operation of the description, with all checks; `folder` is for schemathesis's own files."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run", f"{url}/openapi.json",
        "--checks", "all", "--seed", "7", "--suppress-health-check", "all", "--continue-on-failure", "--no-color", *options,
    ]  # fmt: skip
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.api.formats", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    found = re.search(r"Selected: (\d+)/(\d+)", done.stdout)
    assert found is not None, done.stdout[-2000:]
    # It leaves out the one path that it read the description from.
    assert int(found[1]) == int(found[2]) == len(operations.OPERATIONS) - 1, done.stdout[-4000:]


def every_answer_to_a_role_is_described(system: Stack, folder: Path, role: str | None, *options: str) -> None:
    """The same of the running system, asked with a role's key or without one.

    The webhook worker is stopped meanwhile: generated callbacks must not leave this machine. One check is left out: DELETE
    cancels a job here, and what became of it stays to be read.
    """
    key = ["-H", f"X-API-Key: {KEYS[role]}"] if role else []
    own = ("--exclude-checks", "use_after_free", "--wait-for-schema", "20", *key, *options)
    with system.stopped("webhook"):
        every_answer_is_described(system.url, folder, *own, timeout=550)
    for queue in ("pdf", "webhooks"):
        system.call("POST", f"/api/queues/{queue}/resume", headers={"X-API-Key": KEYS["operate"]})
