"""The canary: a report that nobody asked for goes the whole way. It fails when users' reports do not arrive either.

    python -m ops.canary

Every REPORTQ_CANARY_EVERY seconds: one submission over HTTP, the callback at a listener of its own, its signature, the
job's status, the PDF. What comes out is counted (schema/metrics/table.py); five minutes without a success call somebody
(ReportqCanaryMissing). There is no variant without a callback: such a canary would succeed while no caller is told.

A canary is a `high` job. It says whether the way is open; other alerts say how long the queue is. Behind a night's
batch it would wait and wake somebody for nothing. It costs a render worker 20 ms a minute, and adds one high job a
minute to users' figures. While nothing is begun it is cancelled before it would be the high job that waits too long.

Its PDFs and permanent records, 120 MB a day, are of no use. So all that canaries of this host have left is erased as
often as ended rows are cleaned away, dead letters included. A canary that fails stays until one succeeds, so that you
can look at it.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import peewee
import requests
import structlog

from actors.desk import erasure
from actors.process.logs import set_up
from actors.process.runtime import build
from middleware.meters.counters import Meters, folder_of
from middleware.meters.exposition import FileCollector
from ops.canary_listener import Listener
from ops.servers.loopback_http import call
from schema.callbacks.allow_list import AllowList
from schema.callbacks.urls import HOW_TO_ALLOW
from schema.environment.fitting import fit
from schema.environment.server_urls import bracketed, origin
from schema.errors import ReportqError
from schema.metrics import table as metrics
from schema.rows import news
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown

log = structlog.get_logger()

CODE = f"reportq-canary-{fit(os.uname().nodename, 64)}"  # canaries of several hosts do not erase each other
PRODUCT = "minatBakatUmum"
SAMPLE = Path(__file__).resolve().parents[1] / "actors" / "pdf" / "templates" / PRODUCT / "sample.json"
PATIENCE = 45.0  # Seconds. Users' high jobs that wait for 60 have an alert of their own.
_CALL = 10.0  # Seconds the API has to answer.
_ENDS = (signal.SIGTERM, signal.SIGINT)
_TIDY = 15.0  # seconds to wait for a callback that is just being sent, before all is erased


class Missed(Exception):
    """A canary did not get through; `result` is its word in metrics.CANARY_RUNS, the text says more."""

    def __init__(self, result: str, detail: str) -> None:
        super().__init__(detail)
        self.result = result


class Canary:
    """Sends canaries one after the other and counts what becomes of them."""

    def __init__(self, settings: Settings, meters: Meters, listener: Listener) -> None:
        self._settings = settings
        self._meters = meters
        self._listener = listener
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - asked, not bound
        self._api = settings.canary_api.rstrip("/") or origin(host, settings.port)
        self._headers = {"X-API-Key": settings.canary_key} if settings.canary_key else {}
        self._data = json.loads(SAMPLE.read_text(encoding="utf-8"))
        self._tidied = time.monotonic()

    def run(self) -> str:
        """One canary, within PATIENCE or REPORTQ_CANARY_EVERY, whichever is less; returns and counts its result."""
        began = time.monotonic()
        try:
            job_id = self._fly()
        except Missed as missed:
            self._meters.count(metrics.CANARY_RUNS, result=missed.result)
            log.warning("canary.missed", result=missed.result, detail=str(missed))
            return missed.result
        seconds = time.monotonic() - began
        self._meters.count(metrics.CANARY_RUNS, result="succeeded")
        self._meters.observe(metrics.CANARY_SECONDS, seconds)
        self._meters.note(metrics.CANARY_SUCCESS, time.time())
        log.debug("canary.succeeded", job_id=job_id, seconds=round(seconds, 3))
        if time.monotonic() - self._tidied >= self._settings.cleanup_completed_after:
            self._tidied = time.monotonic()
            self.tidy()
        return "succeeded"

    def tidy(self) -> None:
        """Erase what this host's canaries have left; when a store is away, it is tried again next time."""
        runtime = build(self._settings)
        try:
            erasure.erase(runtime.db, runtime.documents, runtime.artifacts, CODE, by="canary", patience=_TIDY)
        except ReportqError as error:
            log.warning("canary.not_tidied", code=error.code, detail=error.detail)
        finally:
            runtime.close()

    def _fly(self) -> str:
        """The whole way; raises Missed at the first thing that is not as it should be."""
        body = {
            "code": CODE, "productId": PRODUCT, "priority": "high", "data": self._data, "callback": self._listener.url,
        }  # fmt: skip
        accepted = self._ask("POST", "/api/reports/generate-async", "not_accepted", 202, json=body)
        job_id = str(accepted.json()["job_id"])
        told = self._listener.wait(job_id, min(PATIENCE, self._settings.canary_every))
        if told is None:
            self._explain(job_id)
        if not told.signed:
            raise Missed("bad_signature", f"{job_id}: none of REPORTQ_WEBHOOK_SECRETS has signed the callback.")
        job = self._ask("GET", f"/api/jobs/{job_id}", "no_pdf", 200).json()
        if (told.status, job["status"]) != ("completed", "completed"):
            raise Missed("failed", f"{job_id}: told {told.status}, is {job['status']}, error {_code(job)}.")
        pdf = self._ask("GET", f"/api/jobs/{job_id}/download", "no_pdf", 200, 302)
        # With REPORTQ_DOWNLOAD_REDIRECT the API sends its callers to the storage, where we have no account.
        if pdf.status_code == 200 and not pdf.content.startswith(b"%PDF-"):
            raise Missed("no_pdf", f"{job_id}: what was downloaded is no PDF.")
        return job_id

    def _explain(self, job_id: str) -> NoReturn:
        """Why no callback came; a job that has not ended is cancelled, so that at most one waits through an outage."""
        job = self._ask("GET", f"/api/jobs/{job_id}", "too_late", 200).json()
        if job["status"] == "completed":
            raise Missed("no_callback", f"{job_id} is made, and its callback has not come to {self._listener.url}.")
        if job["status"] == "failed":
            raise Missed("failed", f"{job_id}: error {_code(job)}.")
        self._ask("POST", f"/api/jobs/{job_id}/cancel", "too_late", 200, 202, 409)
        raise Missed("too_late", f"{job_id} was not made in time: it was {job['status']}, stage {job['stage']}.")

    def _ask(self, method: str, path: str, missed: str, *wanted: int, **options: Any) -> requests.Response:
        """One request to the API; raises Missed(`missed`) unless it is answered with a `wanted` status."""
        try:
            how = {"headers": self._headers, "timeout": _CALL, "allow_redirects": False}
            answer = call(method, self._api + path, **how, **options)
        except requests.RequestException as error:
            raise Missed(missed, f"{method} {path}: {type(error).__name__}.") from None
        if answer.status_code not in wanted:
            raise Missed(missed, f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer


def _code(job: dict[str, Any]) -> str:
    return str((job["error"] or {}).get("code"))


def warn_unless_allowed(settings: Settings, listener: Listener) -> bool:
    """Whether callbacks may go to the listener, as far as this host's settings tell; one sentence in the log when not."""
    host, port = settings.canary_host, settings.canary_port
    policy = AllowList.parse(settings.webhook_allow).policy_for(host, port)
    allowed = policy.permits_address(str(listener.server_address[0]))
    if not allowed:
        detail = f"Callbacks do not go to the canary at {bracketed(host)}:{port}. {HOW_TO_ALLOW}"
        log.error("canary.not_allowed", detail=detail)
    return allowed


def last_success(run_dir: str, part: str) -> float:
    """When a canary of this host last succeeded (or was first tried), in seconds since 1970; 0 for never."""
    for family in FileCollector(folder_of(run_dir, part), (metrics.WORKERS,)).collect():
        if family.name == metrics.CANARY_SUCCESS.name:
            return float(family.samples[0].value)
    raise AssertionError("unreachable")


def tell_the_verdict(settings: Settings, note: Callable[[Database, str], None]) -> None:
    """Note for the verdict how this host's canary went; while the database is away, the verdict reports only that."""
    db = Database(settings.database_url)
    try:
        note(db, os.uname().nodename)
    except (DatabaseDown, peewee.PeeweeException) as error:  # or it has no tables yet
        log.debug("canary.not_noted", error=type(error).__name__)
    finally:
        db.close()


def main() -> None:
    """Send canaries until a signal; with REPORTQ_CANARY_EVERY=0 only say that there are none."""
    settings = Settings.from_env(os.environ)
    set_up(settings)
    # Looked for between two canaries: one on its way is ended first, or its callback would be owed to nobody.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    part = metrics.API if settings.embedded else metrics.WORKERS
    meters = Meters(folder_of(settings.run_dir, part))
    if not settings.canary_every:
        meters.note(metrics.CANARY_SUCCESS, 0)  # or the alert would go on about one from before
        tell_the_verdict(settings, news.forget_canary)
        log.info("canary.off")
        signal.sigwait(_ENDS)  # supervisor would start a process again that ends by itself
        return
    listener = Listener(settings)
    canary = Canary(settings, meters, listener)
    if not last_success(settings.run_dir, part):
        meters.note(metrics.CANARY_SUCCESS, time.time())  # the alert is to notice one that never succeeds, too
    warn_unless_allowed(settings, listener)
    log.info("canary.started", every=settings.canary_every, pid=os.getpid())
    tell_the_verdict(settings, news.note_canary)  # from now on one is missed
    rest = 0.0
    while signal.sigtimedwait(_ENDS, rest) is None:
        began = time.monotonic()
        if canary.run() == "succeeded":
            tell_the_verdict(settings, news.note_canary)
        rest = max(0.0, settings.canary_every - (time.monotonic() - began))
    listener.close()


if __name__ == "__main__":
    main()
