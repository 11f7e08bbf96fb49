"""Every `ops/reportq …` that a document or a message names is a command that exists, with its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from ops.cli import app

TOP = Path(__file__).parents[2]
ROOT = typer.main.get_command(app)
UsageError = typer.BadParameter.mro()[1]  # typer keeps its click to itself
_CODE = re.compile(r"`([^`]+)`")


def documents() -> list[Path]:
    return [file for pattern in ("*.md", "ops/**/*.md") for file in TOP.glob(pattern)]


def commands(text: str) -> list[str]:
    """What stands after `ops/reportq`, in code blocks and in backticks; `… list` repeats the group before it."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("ops/reportq "):
            found.append(line.partition(" #")[0].removeprefix("ops/reportq "))
            continue
        group = ""
        for code in _CODE.findall(line):
            if code.startswith("ops/reportq "):
                found.append(code.removeprefix("ops/reportq "))
                group = found[-1].split()[0]
            elif group and re.match(r"… [a-z]", code):
                found.append(f"{group} {code.removeprefix('… ')}")
    return found


DOCUMENTED = sorted({command for file in documents() for command in commands(file.read_text())})


def understood(words: list[str]) -> None:
    """Parse as the shell's words would be, without running anything; raises UsageError."""
    command, context = ROOT, typer.Context(ROOT, info_name="reportq")
    while isinstance(command, TyperGroup) and words:
        name = words.pop(0)
        inner = command.get_command(context, name)
        if inner is None:
            raise UsageError(f"no command {name!r} in {context.command_path}")
        command, context = inner, typer.Context(inner, info_name=name, parent=context)
    if not isinstance(command, TyperGroup):
        command.make_context(context.info_name, words, parent=context.parent)


def test_the_documents_name_commands() -> None:
    assert len(DOCUMENTED) > 25
    assert "webhooks resend-failed --since 2h" in DOCUMENTED  # written as `… resend-failed --since 2h`


@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_documented_command_exists_with_its_options(command: str) -> None:
    understood(shlex.split(command))


@pytest.mark.parametrize(
    "wrong", ["webhooks resend --since 2h", "webhooks resend-failed", "jobs shwo ID", "status --loud", "nonsense"]
)
def test_a_wrong_one_would_be_found(wrong: str) -> None:
    with pytest.raises(UsageError):
        understood(wrong.split())


def test_a_command_that_a_message_names_exists() -> None:
    """In sentences nothing tells where a command ends: its names are looked up, as far as they are names."""
    named = {
        (file.relative_to(TOP).as_posix(), found)
        for pattern in ("*/**/*.py", "*/**/*.js", "*/**/*.yml", "*/**/*.html")
        for file in TOP.glob(pattern)
        if ".venv" not in file.parts and "tests" not in file.parts
        for found in re.findall(r"ops/reportq ([a-z-]+(?: [a-z-]+)?)", file.read_text())
    }
    assert len(named) > 5
    for where, found in sorted(named):
        first, _, second = found.partition(" ")
        assert isinstance(ROOT, TyperGroup)
        inner = ROOT.commands.get(first)
        assert inner is not None, f"{where}: {found}"
        if second and isinstance(inner, TyperGroup):
            assert second in inner.commands, f"{where}: {found}"
