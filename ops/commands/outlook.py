"""The verdict for commands: asked side by side and in bounded time, whatever is frozen."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from rich.markup import escape

from ops.commands.terminal import QUICK, STARTED, age, out
from schema.rows.verdict import Fact, Verdict
from schema.settings import Settings
from schema.sql.database import Database
from service.watch import Watch

T = TypeVar("T")

_IN_ALL, _LEAST = 2.3, 1.0  # Seconds: from a command's start to its last answer, and for answers at the least.
_OF_JOBS = (
    "clock_set_back", "relay_silent", "broker_down", "broker_blocked", "no_workers", "work_not_started", "storage_full",
    "dependency_down", "store_limited",
)  # fmt: skip
_STATES = {"bad": "[red]✘ Not working[/]", "warn": "[yellow]! Working, with trouble[/]", "good": "[green]✔ Working[/]"}
_OTHERS = {"pdf": ("webhooks",), "webhooks": ("pdf", "artifacts", "drive", "folder")}
_MARKS = {"bad": "✘", "warn": "!", "info": "·"}


def quick(settings: Settings) -> Database:
    """The database for a person who waits at a terminal."""
    return Database(settings.database_url, **QUICK)


def patience() -> float:
    """Seconds that are left for answers: a person waits three from typing to reading, and the start is a part of them."""
    return max(_LEAST, STARTED + _IN_ALL - time.monotonic())


def watch_of(settings: Settings, db: Database) -> Watch:
    """What asks everything that the settings name. The threads that ask load their clients themselves."""
    made: dict[str, object] = {}
    alone = threading.Lock()

    def ping(part: str) -> Callable[[], object]:
        def ask() -> object:
            with alone:
                from actors.process.runtime import build

                made.setdefault("runtime", None)
                runtime = made["runtime"] = made["runtime"] or build(settings)
                asked = getattr(runtime, part)
            return asked.ping()

        return ask

    pings = {"documents": ping("documents"), "artifacts": ping("artifacts")}
    if not settings.embedded:
        pings["broker"] = ping("publisher")
    return Watch(settings, db, pings, patience=patience())


def holding(verdict: Verdict, queue: str) -> list[str]:
    """What keeps due work of a queue from being started, as sentences."""
    found = [fact for fact in verdict.facts if fact.key in _OF_JOBS and (fact.subject or queue) not in _OTHERS[queue]]
    return [f"{fact.means}{since(fact)}" for fact in found]


def begin(works: Mapping[str, Callable[[], T]]) -> Callable[[float], dict[str, T]]:
    """Start all of them now; what is returned gives the results of those that are done at a monotonic moment. The others
    go on and are not waited for."""
    done: dict[str, T] = {}

    def run(name: str, work: Callable[[], T]) -> None:
        done[name] = work()

    threads = [threading.Thread(target=run, args=one, daemon=True) for one in works.items()]
    for thread in threads:
        thread.start()

    def results(until: float) -> dict[str, T]:
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return dict(done)

    return results


def print_verdict(verdict: Verdict) -> None:
    """How things stand in one line, then each fact with what to do."""
    out.print(_STATES[verdict.state])
    for fact in verdict.facts:
        out.print(f"{_MARKS[fact.severity]} {escape(str(fact.means))}{since(fact)}")
        out.print(f"  → {escape(str(fact.to_do))} ({fact.runbook})")


def since(fact: Fact) -> str:
    """Since when it is so, as far as it is known."""
    if not isinstance(fact.since, str):
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(fact.since)).total_seconds()
    return f" Since {fact.since[11:19]}Z, {age(max(0.0, seconds))}."
