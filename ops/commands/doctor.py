"""`reportq doctor`: is every setting usable and does everything reportq depends on do its work? If not, what to do.

What `config check` asks comes first, then the checks of `findings`. Every check is bounded in time. One that fails keeps
none of the others from being made.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import typer

from actors.process.runtime import Runtime, build
from ops.commands.checks import ASKS, NOT_ASKED, faults
from ops.commands.findings import CHECKS, Check, Finding
from ops.commands.terminal import REFUSED, Json, next_step, out, print_json
from schema import VERSION
from schema.errors import ReportqError
from schema.settings import Settings

_TO_DO = {one.part: one.what_to_do for one in ASKS}
_MARKS = {"good": "✔", "warning": "!", "bad": "✘"}


def doctor(as_json: Json = False) -> None:
    """Check settings and every dependency, and say what to fix. Exit code 1 when something will not work."""
    settings = Settings.from_env(os.environ)  # a wrong one ends here, with its sentence
    runtime = build(settings)
    findings: list[Finding] = []
    try:
        for one, fault in faults(runtime).items():
            if fault and fault != NOT_ASKED:
                findings.append(Finding(one.part, "bad", fault, one.what_to_do))
        broken = {finding.name for finding in findings}
        if broken & {"database", "tables"}:
            broken |= _from_rows(settings)
        if "broker" in broken:
            broken.add("letters")
        for name, check in CHECKS.items():
            if name not in broken:  # it would only say the same again
                findings.extend(_made(name, check, runtime))
    finally:
        runtime.close()
    bad = [finding for finding in findings if finding.state == "bad"]
    if as_json:
        print_json({"version": VERSION, "healthy": not bad, "findings": [asdict(finding) for finding in findings]})
    else:
        _show(findings)
    if bad:
        raise typer.Exit(REFUSED)


def _made(name: str, check: Check, runtime: Runtime) -> Iterator[Finding]:
    try:
        yield from check(runtime)
    except ReportqError as error:
        yield Finding(name, "bad", error.detail, _TO_DO.get(name) or next_step(error.code))
    except Exception as error:  # a client library's own: still only this check's
        yield Finding(name, "bad", f"{type(error).__name__}: {str(error)[:200]}", _TO_DO.get(name, ""))


def _from_rows(settings: Settings) -> set[str]:
    """Checks that can only fail while the database does."""
    parts = {"keys", "processes", "letters"}
    return parts | ({"documents"} if settings.documents_url.startswith("database:") else set())


def _show(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for one in findings:
        out.print(f"{_MARKS[one.state]} {one.name:{width}}  {one.said}", markup=False)
        if one.what_to_do:
            out.print(f"{'':{width + 4}}→ {one.what_to_do}", markup=False)
    count = Counter(finding.state for finding in findings)
    if count["bad"]:
        out.print(f"{count['bad']} of {len(findings)} will not work as it is.")
    elif count["warning"]:
        out.print(f"Everything works; {count['warning']} of {len(findings)} should be changed.")
    else:
        out.print("Everything works.")
