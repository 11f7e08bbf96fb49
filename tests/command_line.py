"""The command line in the tests' own process."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ops import cli

Command = Callable[..., tuple[int, str]]


def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `ops/reportq` with the arguments it is given: exit code, and what was printed to both outputs."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["reportq", *arguments])
        code = cli.main()
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return run
