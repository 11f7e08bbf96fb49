"""`ops/reportq`: the operator's command line. It works on the database itself, so it needs neither API nor broker.

Exit codes: 0 done · 1 nothing there, or refused · 2 wrong usage · 3 something remains, or failed again · 4 the database
or the settings cannot be used · 130 interrupted.
"""

import contextlib
import importlib
import os
import sys
from typing import Any

import typer

from ops.commands.terminal import explained

# Command → its module and what stands there: a Typer of more commands, or one command. Only the one that is asked for is
# loaded: a person waits for it.
COMMANDS = {
    "dead-letters": ("dead_letters", "app"), "queues": ("queues", "app"), "webhooks": ("webhooks", "app"),
    "jobs": ("jobs", "app"), "batches": ("batches", "app"), "templates": ("templates", "app"),
    "render": ("templates", "render"), "keys": ("keys", "app"), "rollout": ("rollout", "app"), "config": ("config", "app"),
    "backup": ("backup", "app"), "erase": ("erase", "erase"), "status": ("status", "status"), "doctor": ("doctor", "doctor"),
}  # fmt: skip


def app_of(*names: str) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        help="Operate reportq.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    app.callback()(lambda: None)  # else a single command would lose its name
    for name in names:
        module, part = COMMANDS[name]
        found = getattr(importlib.import_module(f"ops.commands.{module}"), part)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def __getattr__(name: str) -> Any:
    if name == "app":
        return app_of(*COMMANDS)
    raise AttributeError(name)


def main() -> int:
    """Run one command; every expected failure is one sentence on stderr and an exit code."""
    wanted = [word for word in sys.argv[1:2] if word in COMMANDS]
    return explained(lambda: app_of(*(wanted or COMMANDS))(prog_name="reportq"))


if __name__ == "__main__":
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(code)  # threads that still wait for something frozen are not waited for
