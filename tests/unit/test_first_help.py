"""Every command answers `--help` before anything is installed, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ops.bench.__main__ import names

TOP = Path(__file__).parents[2]
MODULES = [
    *("bench", "chaos", "drill", "cli", "cli jobs", "processes", "demo", "testing", "canary", "authoring"),
    *("webhooks.build", "grafana.build", "servers.receiver"),
    *(f"bench {name}" for name in names()),
]


@pytest.mark.parametrize("words", MODULES)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_a_module_says_what_it_does_without_any_package(words: str, flag: str, tmp_path: Path) -> None:
    # -S: no site-packages.
    done = subprocess.run(
        [sys.executable, "-S", "-m", *f"ops.{words}".split(), flag],
        cwd=TOP, env={"PYTHONPATH": "", "REPORTQ_RUN_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()[0]) > 20 or words == "cli jobs"
    if words != "bench":
        assert "The packages are not installed yet" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["--help", "-h", "--folder"])
def test_no_folder_of_secrets_is_called_like_an_option(word: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.credentials", word], cwd=tmp_path, env={"PYTHONPATH": str(TOP)}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert "python3 -m ops.credentials [FOLDER]" in done.stderr
    assert list(tmp_path.iterdir()) == []
