"""Every command in a code block of a runbook is one that can be typed: ours with its names, others' by name.

What stands after `ops/reportq` is looked at in test_documented_commands.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
import yaml

from ops.processes import PROGRAMS, parser

TOP = Path(__file__).parents[2]
RUNBOOKS = TOP / "ops" / "runbooks"
SERVICES = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]
# Of a host with systemd, RabbitMQ's host, and the shell.
OTHERS = {"curl", "df", "dmesg", "du", "grep", "head", "rabbitmq-diagnostics", "rabbitmqctl", "set", "sort", "tail"}


def commands(text: str) -> list[str]:
    """The single commands of the lines in `sh` blocks."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            command: list[str] = []
            for word in [*words, ";"]:
                if set(word) <= set(";&|"):
                    found.append(shlex.join(command))
                    command = []
                else:
                    command.append(word)
    return [command for command in found if command]


def wrong(command: str) -> str:
    """What is wrong with it; empty when it can be typed."""
    program, *rest = shlex.split(command)
    match program:
        case "ops/reportq":
            return ""
        case "ops/processes":
            said = io.StringIO()
            try:
                with contextlib.redirect_stderr(said):
                    parser().parse_args(rest)
            except SystemExit:
                return said.getvalue()
            return ""
        case ".":
            return "" if rest in (["/etc/reportq.env"], ["var/run.env"]) else "no file with an environment"
        case "docker":
            return _compose(rest[1:]) if rest[0] == "compose" else "" if rest == ["system", "df"] else "unknown"
    return "" if program in OTHERS else f"{program}: command not found"


def _compose(words: list[str]) -> str:
    verb, *rest = words
    if verb not in ("exec", "logs", "ps", "restart", "up"):
        return f"docker compose {verb}"
    named = [word.partition("=")[0] for word in rest if re.fullmatch(r"[a-z]\w*(=\d+)?", word)]
    named = [word for word in named if not re.fullmatch(r"\d+m?", word)]
    return "".join(f"no service {name}" for name in named[: 1 if verb == "exec" else None] if name not in SERVICES)


WRITTEN = sorted({(file.name, command) for file in RUNBOOKS.glob("*.md") for command in commands(file.read_text())})


def test_the_runbooks_name_commands() -> None:
    assert len(WRITTEN) > 60
    assert ("ReportqNoWorkers.md", "ops/processes start render webhook") in WRITTEN


@pytest.mark.parametrize(("where", "command"), WRITTEN, ids=lambda value: value.removesuffix(".md"))
def test_a_runbooks_command_can_be_typed(where: str, command: str) -> None:
    assert wrong(command) == ""
    if not command.startswith("curl"):
        assert "$REPORTQ" not in command, "empty in most shells, and then a path from the root"


def test_a_port_is_the_one_that_the_environment_names() -> None:
    asked = [command for _, command in WRITTEN if command.startswith("curl") and "127.0.0.1" in command]
    assert len(asked) > 4
    for command in asked:
        assert re.search(r"127\.0\.0\.1:\$\{REPORTQ_(METRICS_)?PORT:-\d+\}/", command), command


def test_the_table_of_commands_with_compose_is_right() -> None:
    rows = re.findall(r"^\| `(.*?)` \| `(.*?)` \|$", (RUNBOOKS / "README.md").read_text(), re.MULTILINE)
    assert len(rows) > 4
    for row in rows:
        for command in row:
            assert wrong(command) == "", command


@pytest.mark.parametrize(
    "command",
    [
        "supervisorctl -c ops/supervisord.conf status",
        "ops/processes restart relais",
        "ops/processes reload",
        "docker compose restart relais",
        "docker compose reboot relay",
    ],
)
def test_a_wrong_one_would_be_found(command: str) -> None:
    assert wrong(command)


def test_a_document_names_processes_as_they_are_called() -> None:
    named = {
        (file.relative_to(TOP).as_posix(), found)
        for file in [*TOP.glob("*.md"), *TOP.glob("ops/**/*.md")]
        for found in re.findall(r"`(ops/processes [^`|]+)`", file.read_text())
    }
    assert len(named) > 5
    for where, found in sorted(named):
        assert wrong(found) == "", where


def test_supervisors_programs_are_those_that_can_be_named() -> None:
    text = (TOP / "ops" / "supervisord.conf").read_text()
    assert set(re.findall(r"^\[program:(\w+)\]$", text, re.MULTILINE)) == set(PROGRAMS)
