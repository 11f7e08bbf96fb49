"""`ops/reportq`: the operator's command line. It works on the database itself, so it needs neither API nor broker.

Exit codes: 0 done · 1 nothing there, or refused · 2 wrong usage · 3 something remains, or died again · 4 the database
or the settings cannot be used · 130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from ops.commands import (
    backup,
    config,
    dead_letters,
    doctor,
    erase,
    jobs,
    keys,
    queues,
    rollout,
    status,
    templates,
    webhooks,
)
from ops.commands.terminal import explained

app = typer.Typer(help="Operate reportq.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(queues.app, name="queues")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(jobs.app, name="jobs")
app.add_typer(templates.app, name="templates")
app.command("render")(templates.render)
app.add_typer(keys.app, name="keys")
app.add_typer(rollout.app, name="rollout")
app.add_typer(config.app, name="config")
app.add_typer(backup.app, name="backup")
app.command("erase")(erase.erase)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)


def main() -> int:
    """Run one command; every expected failure is one sentence on stderr and an exit code."""
    return explained(lambda: app(prog_name="reportq"))


if __name__ == "__main__":
    sys.exit(main())
