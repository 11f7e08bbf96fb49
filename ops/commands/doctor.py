"""`reportq doctor`: is every setting usable and does everything reportq depends on do its work? If not, what to do.

What `config check` asks comes first, then the checks of `findings`, then the verdict. All are asked side by side: one that
fails or hangs keeps none of the others from being made.
"""

import os
import time
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from actors.process.runtime import Runtime, build
from ops.commands.checks import ASKS, NOT_ASKED, faults
from ops.commands.findings import CHECKS, Check, Finding
from ops.commands.options import Json
from ops.commands.outlook import begin, patience, print_verdict, quick
from ops.commands.terminal import REFUSED, next_step, out, print_json
from schema import VERSION
from schema.environment.server_urls import sqlite_path
from schema.errors import ReportqError, Transient
from schema.rows.verdict import Verdict
from schema.settings import Settings
from service.watch import Watch

_TO_DO = {one.part: one.what_to_do for one in ASKS}
_PARTS = {"documents": "documents", "artifacts": "PDF store", "broker": "broker"}  # of the verdict → of the findings
_HERE = ("settings", "run folder", "templates", "fonts")  # what hangs on no dependency is looked at meanwhile
_REST = 0.4  # seconds for what is asked once the dependencies have answered
_LONGER = "`ops/reportq doctor --wait 30` waits longer."
_MARKS = {"good": "✔", "warning": "!", "bad": "✘"}


def doctor(
    as_json: Json = False,
    wait: Annotated[float, typer.Option(help="Seconds that each answer is waited for; 0: three in all.")] = 0.0,
) -> None:
    """Check settings and every dependency, and say what to fix. Exit code 1 when something will not work."""
    settings = Settings.from_env(os.environ)  # a wrong one ends here, with its sentence
    there_is = not settings.database_url.startswith("sqlite:") or Path(sqlite_path(settings.database_url)).is_file()
    runtime = build(settings, **({"db": quick(settings)} if there_is else {}))
    rest = wait / 2 or _REST
    wait = wait or patience()
    until = time.monotonic() + wait
    findings: list[Finding] = []
    verdict = None
    try:
        here = begin({name: partial(_made, name, CHECKS[name], runtime) for name in _HERE})
        for one, fault in faults(runtime, wait).items():
            if fault and fault != NOT_ASKED:
                findings.append(Finding(one.part, "bad", fault, one.what_to_do))
        broken = {finding.name for finding in findings}
        away = next((finding.said for finding in findings if finding.name in ("database", "tables")), None)
        if away:
            broken |= _from_rows(settings)
        if there_is:
            said = {finding.name: finding.said for finding in findings}
            pings = {part: partial(_again, said.get(name)) for part, name in _PARTS.items()}
            left = max(until - time.monotonic(), rest)
            verdict = Watch(settings, runtime.db, pings, patience=left).look(left, away)
        if "broker" in broken:
            broken.add("letters")
        asked = [name for name in CHECKS if name not in broken]
        there = begin({name: partial(_made, name, CHECKS[name], runtime) for name in asked if name not in _HERE})
        until = max(until, time.monotonic() + rest)
        made = there(until) | here(until)
        for name in asked:
            findings += made.get(name) or [
                Finding(name, "warning", f"It is not through yet. {_LONGER}", _TO_DO.get(name, ""))
            ]
    finally:
        runtime.close()
    bad = [finding for finding in findings if finding.state == "bad"]
    healthy = not bad and verdict is not None and verdict.state != "bad"
    if as_json:
        told = {"version": VERSION, "healthy": healthy, "findings": [asdict(finding) for finding in findings]}
        print_json(told | {"verdict": verdict})
    else:
        _show(findings, verdict)
    if not healthy:
        raise typer.Exit(REFUSED)


def _again(fault: str | None) -> None:
    """Answer for a dependency that was asked already."""
    if fault:
        raise Transient(fault)


def _made(name: str, check: Check, runtime: Runtime) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(runtime))
    except ReportqError as error:
        found.append(Finding(name, "bad", error.detail, _TO_DO.get(name) or next_step(error.code)))
    except Exception as error:  # a client library's own: still only this check's
        found.append(Finding(name, "bad", f"{type(error).__name__}: {str(error)[:200]}", _TO_DO.get(name, "")))
    return found


def _from_rows(settings: Settings) -> set[str]:
    """Checks that can only fail while the database does."""
    parts = {"keys", "processes", "letters"}
    return parts | ({"documents"} if settings.documents_url.startswith("database:") else set())


def _show(findings: list[Finding], verdict: Verdict | None) -> None:
    width = max(len(finding.name) for finding in findings)
    for one in findings:
        out.print(f"{_MARKS[one.state]} {one.name:{width}}  {one.said}", markup=False)
        if one.what_to_do:
            out.print(f"{'':{width + 4}}→ {one.what_to_do}", markup=False)
    count = Counter(finding.state for finding in findings)
    if verdict is not None:
        print_verdict(verdict)
    if count["bad"]:
        out.print(f"{count['bad']} of {len(findings)} will not work as it is.")
    elif verdict is None or verdict.state != "good":
        out.print("Every setting is usable, but not everything works: see above.")
    elif count["warning"]:
        out.print(f"Everything works; {count['warning']} of {len(findings)} should be changed.")
    else:
        out.print("Everything works.")
