"""How things stand: one judgement, from the rows' signs and from what only the asking process knows.

The console, `ops/reportq status` and `doctor`, `/readyz`, `/api/overview` and the metric `reportq_fact` all show it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schema.prepared import prepare
from schema.rows import pauses, rendered
from schema.rows.columns import PauseRow, WorkerRow
from schema.rows.messages import QUEUES, RENDER, WEBHOOKS
from schema.rows.signs import Post, Signs
from schema.settings import Settings
from schema.sql.times import as_time, moment

Severity = Literal["bad", "warn", "info"]
SILENT = 20.0  # Seconds without a look of a relay, or of a housekeeper after its turn.
IDLE = 20.0  # Seconds that due work may wait beside idle workers.
_MISSED = 300.0  # Seconds without a canary.
_SKEW = 5.0  # Seconds between two clocks that are worth a word.
_SHARE, _MOST_SHARE, _LEAST = 0.05, 0.5, 3  # Of the ends of the last minutes: failed ones that are told, that are bad.
_FULL = ("drive_quota_exceeded", "folder_full")
_NAMES = {
    "database": "The database", "documents": "The store of reports", "artifacts": "The PDF store", "broker": "RabbitMQ",
    "drive": "Google Drive", "mongodb": "MongoDB", "folder": "The PDF folder",
}  # fmt: skip
_WORKERS = {RENDER: "render worker", WEBHOOKS: "webhook worker"}
_UNDONE = {RENDER: "no report is made", WEBHOOKS: "no caller is told"}


class Fact(Struct, omit_defaults=True):
    """One thing that is not as it should be. Callers without a key are told `key` and `severity` alone."""

    key: str
    severity: Severity
    subject: Annotated[str | UnsetType, Meta(description="Which queue, dependency, host or code")] = UNSET
    means: Annotated[str | UnsetType, Meta(description="What it means")] = UNSET
    to_do: Annotated[str | UnsetType, Meta(description="What to do about it")] = UNSET
    since: Annotated[str | UnsetType, Meta(description="RFC 3339, as far as it is known")] = UNSET
    runbook: Annotated[str | UnsetType, Meta(description="A page of ops/runbooks")] = UNSET


class Verdict(Struct):
    """How things stand, as far as is known."""

    state: Annotated[Literal["good", "warn", "bad"], Meta(description="The worst of the facts; info does not count")]
    facts: Annotated[list[Fact], Meta(description="The worst first")]
    age: Annotated[float | None, Meta(description="Seconds since the rows were read; null: they were never read")]


@dataclass(frozen=True, slots=True)
class Said:
    """What a dependency answered to this process."""

    up: bool
    detail: str = ""  # for a person: why it is down, or the note that it answered with
    lasting: float = 0.0  # seconds for which it has been down
    code: str = ""
    seconds: float = 0.0  # it took to answer, or has taken so far


#: key → (severity, what to do, runbook)
KINDS: dict[str, tuple[Severity, str, str]] = {
    "database_down": ("bad", "Start it, or correct what its log names.", "ReportqUnavailable"),
    "backlog_full": ("bad", "Find out why so many jobs wait; more workers help.", "ReportqAcceptanceLow"),
    "clock_set_back": ("bad", "Let a time server correct the database's clock.", "ReportqClockSetBack"),
    "relay_silent": ("bad", "Start the relay: ops/processes start relay", "ReportqRelayStuck"),
    "housekeeping_silent": ("bad", "Restart the relay: ops/processes restart relay", "ReportqHousekeepingStopped"),
    "broker_down": ("bad", "Start RabbitMQ; everything goes on by itself then.", "ReportqRelayStuck"),
    "broker_blocked": ("bad", "See what RabbitMQ lacks: rabbitmq-diagnostics alarms", "RabbitmqMemoryAlarm"),
    "no_workers": ("bad", "Start them: ops/processes status", "ReportqNoWorkers"),
    "canary_missing": ("bad", "See what failed: ops/processes logs -n 50 canary", "ReportqCanaryMissing"),
    "dead_threads": ("warn", "The process ends and is started again; see its log.", "ReportqWorkerCrashLoop"),
    "work_not_started": ("bad", "Look whether relay, RabbitMQ and workers reach each other.", "ReportqRelayStuck"),
    "storage_full": ("bad", "Free space there. Jobs wait and go on by themselves.", "ReportqStorageFull"),
    "dependency_down": ("bad", "Repair it. Jobs wait and go on by themselves.", "ReportqDependencyDown"),
    "dependency_unknown": ("warn", "Ask again in some seconds: ops/reportq doctor", "ReportqDependencyDown"),
    "disk_low": ("warn", "Free some space.", "ReportqStorageFull"),
    "paused": ("warn", "Resume it: ops/reportq queues resume NAME", "ReportqPausedLong"),
    "receiver_down": ("warn", "Its operator must repair it; callbacks wait.", "ReportqCallbacksFailing"),
    "receiver_failing": ("warn", "See what it answers: ops/reportq webhooks log JOB_ID", "ReportqCallbacksFailing"),
    "jobs_failing": ("warn", "See the causes: ops/reportq dead-letters list", "ReportqFailureRateHigh"),
    "clock_skew": ("warn", "Let both machines follow a time server.", "ReportqClockSetBack"),
    "store_limited": ("info", "Nothing. High jobs go first.", "ReportqOldestWaiting"),
    "dead_letters": ("info", "Look at their causes: ops/reportq dead-letters list", "ReportqDeadLettersGrowing"),
}
_ORDER = {"bad": 0, "warn": 1, "info": 2}


def judge(
    settings: Settings, signs: Signs | None, age: float | None, said: Mapping[str, Said | None], away: str | None = None
) -> Verdict:
    """The verdict. `said` maps each dependency to its answer to this process, None while there is none.

    `away` is why the rows cannot be read now. Then `signs` are the last that were read, `age` seconds ago.
    """
    facts = [*_of_process(said, away, seen=signs is not None)]
    if signs is not None:
        facts += _of_rows(settings, signs, {fact.subject for fact in facts})
    told = sorted(facts, key=lambda fact: _ORDER[fact.severity])
    worst = told[0].severity if told else "info"
    return Verdict("good" if worst == "info" else worst, told, None if age is None else round(age, 1))


def plain(verdict: Verdict) -> Verdict:
    """What callers without a key are told."""
    return Verdict(verdict.state, [Fact(fact.key, fact.severity) for fact in verdict.facts], verdict.age)


def _fact(
    key: str, means: str, subject: str = "", since: datetime | None = None, severity: Severity | None = None
) -> Fact:
    usual, to_do, runbook = KINDS[key]
    return Fact(
        key, severity or usual, subject or UNSET, means, to_do, moment(since) or UNSET, f"ops/runbooks/{runbook}.md"
    )


def _of_process(said: Mapping[str, Said | None], away: str | None, *, seen: bool) -> Iterator[Fact]:
    if away is not None:
        yield _fact(
            "database_down",
            f"{away} Nothing is accepted.{' The other facts here are older.' if seen else ''}",
            "database",
        )
    for name, answer in said.items():
        if name == "database":
            continue  # the rows tell it sooner
        if name == "disks":
            if answer is not None and not answer.up:
                yield _fact("disk_low", answer.detail)
        elif answer is None:
            yield _fact("dependency_unknown", f"{_NAMES[name]} has not answered yet.", name)
        elif not answer.up:
            key = "storage_full" if answer.code in _FULL else f"{name}_down"
            means = f"{_NAMES[name]}: {answer.detail or 'it does not answer.'}"
            since = datetime.now(UTC) - timedelta(seconds=answer.lasting) if answer.lasting else None
            yield _fact(key if key in KINDS else "dependency_down", means, name, since)


def _of_rows(settings: Settings, signs: Signs, known: set[str | UnsetType]) -> Iterator[Fact]:
    if signs.behind:
        yield _fact("clock_set_back", f"The database's clock was set back by {signs.behind:.0f} s.")
    if signs.waiting[RENDER] >= settings.max_backlog:
        yield _fact("backlog_full", f"{signs.waiting[RENDER]:,} jobs wait: submissions are refused with 429.")
    yield from _relay(signs, broker_told="broker" in known)
    live = [row for row in signs.workers if as_time(row["seen_at"]) >= signs.at - timedelta(seconds=settings.lease)]
    for queue in QUEUES:
        yield from _workers(settings, signs, queue, [row for row in live if row["kind"] == queue])
    for row in live:
        if row["clock"] and abs(skew := (as_time(row["clock"]) - as_time(row["seen_at"])).total_seconds()) > _SKEW:
            yield _fact("clock_skew", f"The clock of {row['host']} is {skew:+.0f} s from the database's.", row["host"])
    if abs(signs.skew) > _SKEW:
        yield _fact("clock_skew", f"The database's clock is {signs.skew:+.0f} s from this process's.", "database")
    yield from _store(settings, signs)
    for scope, pause in signs.pauses.items():
        yield _pause(scope, pause)
    for host, at in signs.canaries.items():
        if (seconds := (signs.at - at).total_seconds()) > _MISSED:
            yield _fact("canary_missing", f"No canary of {host} has come through for {seconds:.0f} s.", host, at)
    yield from _failing(signs)
    yield from _receivers(signs)
    if signs.letters:
        yield _fact("dead_letters", f"Open dead letters: {signs.letters:,}.")


def _relay(signs: Signs, *, broker_told: bool) -> Iterator[Fact]:
    if signs.looked_at is None or (signs.at - signs.looked_at).total_seconds() > SILENT:
        ago = "ever" if signs.looked_at is None else f"for {(signs.at - signs.looked_at).total_seconds():.0f} s"
        yield _fact(
            "relay_silent", f"No relay has looked for due work {ago}: nothing new is started.", "", signs.looked_at
        )
    elif signs.trouble:
        key = "broker_blocked" if "blocks" in signs.trouble else "broker_down"
        if key == "broker_blocked" or not broker_told:
            means = f"The relay cannot publish: {signs.trouble} Nothing new is started."
            yield _fact(key, means, "broker", signs.trouble_since)
    if signs.led_until is None or (signs.at - signs.led_until).total_seconds() > SILENT:
        yield _fact("housekeeping_silent", "Nobody looks after lost work and paused dependencies.", "", signs.led_until)


def _workers(settings: Settings, signs: Signs, queue: str, live: list[WorkerRow]) -> Iterator[Fact]:
    working = [row for row in live if row["threads"] > 0]
    for row in live:
        if row["dead"]:
            yield _fact("dead_threads", f"{row['worker_id']} has {row['dead']} dead threads.", queue)
    if not working:
        seen = max((as_time(row["seen_at"]) for row in signs.workers if row["kind"] == queue), default=None)
        yield _fact("no_workers", f"No {_WORKERS[queue]} is alive: {_UNDONE[queue]}.", queue, seen)
        return
    since = signs.due_since[queue]
    busy, threads = sum(row["busy"] for row in working), sum(row["threads"] for row in working)
    # Callbacks of one host have their share of the threads, so idle ones are right beside busy ones.
    if since is None or busy >= (threads if queue == RENDER else 1):
        return
    if queue == RENDER and rendered.used(signs.stored, settings) >= rendered.HIGH_ONLY:
        return  # jobs wait for the store
    patience = timedelta(seconds=max(IDLE, 3 * settings.heartbeat))
    claimed = max((as_time(row["claimed_at"]) for row in working if row["claimed_at"]), default=since)
    if signs.at - max(since, claimed) > patience:
        means = f"Work of {queue} is due, and nobody starts it although {threads - busy} of {threads} threads are idle."
        yield _fact("work_not_started", means, queue, max(since, claimed))


def _store(settings: Settings, signs: Signs) -> Iterator[Fact]:
    """What waits for the store's own limit: no trouble, but the answer to "why is it slow"."""
    waits = rendered.total(signs.stored)
    if signs.paced is not None and signs.paced.rate and waits > signs.paced.rate:
        rate = signs.paced.rate
        means = f"Google Drive's limit: {rate:.1f} writes/s; {waits:,} PDFs wait, about {waits / rate:.0f} s."
        yield _fact("store_limited", means, "drive")
    elif rendered.used(signs.stored, settings) >= rendered.HIGH_ONLY:
        yield _fact("store_limited", f"{waits:,} PDFs wait for the store; only high jobs begin.", "drive")


def _pause(scope: str, row: PauseRow) -> Fact:
    kind, _, name = scope.partition(":")
    since = as_time(row["since"])
    if row["set_by"] != pauses.OUTAGE:
        return _fact("paused", f"{scope} is paused by {row['set_by']}: {row['reason']}", scope, since)
    if kind == "host":
        means = f"The receiver {name} is away: {row['reason']}"
        return _fact("receiver_down", f"{row['reason']}" if "#" in name else means, name.partition("#")[0], since)
    key = "storage_full" if row["code"] in _FULL else "dependency_down"
    return _fact(key, f"{_NAMES.get(name, name)} pauses all jobs: {row['reason']}", name, since)


def _failing(signs: Signs) -> Iterator[Fact]:
    ends = [end for end in signs.ends if end["status"] != "cancelled"]
    failed = [end for end in ends if end["status"] == "failed"]
    if len(failed) < _LEAST or len(failed) / len(ends) < _SHARE:
        return
    codes = ", ".join(f"{code} {count}" for code, count in Counter(end["error_code"] for end in failed).most_common(3))
    means = f"{len(failed)} of the last {len(ends)} reports failed: {codes}."
    bad = len(failed) / len(ends) >= _MOST_SHARE
    yield _fact("jobs_failing", means, "", as_time(failed[-1]["ended_at"]), "bad" if bad else None)


def _receivers(signs: Signs) -> Iterator[Fact]:
    """Hosts whose last posts all failed."""
    by_host: dict[str, list[Post]] = defaultdict(list)
    for post in signs.posts:
        if post["status"] != 409:  # n8n's way of saying "soon"
            by_host[post["host"]].append(post)
    for host, posts in by_host.items():
        taken = [number for number, post in enumerate(posts) if post["outcome"] == "delivered"]
        in_a_row = posts[: taken[0]] if taken else posts
        if len(in_a_row) >= _LEAST and pauses.HOST + host not in signs.pauses:
            said = in_a_row[0]["status"] or (in_a_row[0]["failure"] or "no answer").replace("_", " ")
            means = f"The receiver {host} has not taken one of the last {len(in_a_row)} callbacks; last answer: {said}."
            yield _fact("receiver_failing", means, host, as_time(in_a_row[-1]["started_at"]))


prepare(__name__)
