"""The uploaders: threads of a render process that store kept PDFs while its render thread draws on (DESIGN §2.2).

They take kept PDFs from the rows, in order of rank, whichever process has drawn them. Without them a render thread
sleeps through each upload, and its renderer is idle. An attempt ends here as one of `rendering.py` does.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from actors.actor import Actor
from middleware.hooks.lifecycle import Attempt
from schema.errors import LeaseLost, Permanent, RateLimited, Returned
from schema.life import rounds
from schema.ports import Artifacts
from schema.rows import durations, jobs, leases, pace, pauses, rendered
from schema.rows.file_names import file_name
from schema.settings import Settings
from schema.sql.database import Database, DatabaseDown, patiently

log = structlog.get_logger()

HARD_GRACE = 5.0  # Seconds between the limit of an attempt and the moment its lease is given up.
FOR_HIGH_JOBS = 2  # So many uploaders of a process take high jobs only, if it has more.
_LONGEST_LOOK = 1.0  # Seconds after which an uploader that has no leave to write asks again.
_IDLE = 0.5  # Seconds between looks when nobody wakes the uploaders.
_TAKEN = 0.02  # Seconds until the next look when others have taken all that were due.
_FRONT = 4  # Rows read at a look: others may take the first of them.


@dataclass
class Storing(Actor):
    """Uploads kept PDFs, several at once."""

    artifacts: Artifacts
    settle: Callable[[Attempt, BaseException], None]  # writes what becomes of an attempt that raised
    _busy: int = 0
    _leave: pace.Grant | None = None  # to write to the store, not used yet
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _counting: threading.Lock = field(default_factory=threading.Lock)  # never held while anything is waited for
    _news: threading.Event = field(default_factory=threading.Event)  # a PDF was kept, or an uploader is free

    @property
    def apart(self) -> bool:
        """Whether uploaders store; a folder is as quick as keeping, and takes each PDF from the thread that drew it."""
        return self.artifacts.dependency != "folder"

    def takes(self, pdf: bytes) -> bool:
        """Whether uploaders can store this PDF. Else its render thread does, by `upload`."""
        return self.apart and len(pdf) <= rendered.MOST_KEPT

    def start(self) -> list[threading.Thread]:
        """Start the uploaders, unless the store needs none; they end once the process is being stopped."""
        if not self.apart:
            return []
        names = (f"uploader-{n}" for n in range(self.settings.uploads))
        threads = [threading.Thread(target=self._run, name=name, daemon=True) for name in names]
        for thread in threads:
            thread.start()
        return threads

    def notify(self) -> None:
        """A PDF was kept: look at once."""
        self._news.set()

    def _run(self) -> None:
        while not self.attempts.stopping.is_set():
            try:
                self.step(_IDLE)
            except DatabaseDown:
                log.warning("uploader.database_unavailable")
                self.attempts.stopping.wait(1.0)
            except Exception:
                log.exception("uploader.failed")
                self.attempts.stopping.wait(1.0)
        self.db.close()  # this thread's connection

    def step(self, idle: float = 0.0) -> bool:
        """Store the PDF whose turn it is, or wait up to `idle` seconds for one; whether there was one."""
        with self._looking:  # one thread looks; those behind it find the next ones
            found = None if self.attempts.stopping.is_set() else self._take(idle)
            if found is None:
                return False
            self._count(1)
        try:
            self._store(*found)
        finally:
            self._count(-1)
            self._news.set()
        return True

    def _count(self, change: int) -> None:
        with self._counting:
            self._busy += change

    def _take(self, idle: float) -> tuple[rendered.Kept, pace.Grant] | None:
        """Claim the PDF whose turn it is, with leave to write it; or wait for one."""
        waits: float | None = None
        self._news.clear()
        if pauses.DEPENDENCY + self.artifacts.dependency not in self.board.active():
            high_only = 0 < self.settings.uploads - FOR_HIGH_JOBS <= self._busy
            ids = rendered.next_due(self.db, _FRONT, high_only=high_only)
            waits = self._ask_leave() if ids else None
            for job_id in ids if self._leave else ():
                s = self.settings
                kept = rendered.claim(self.db, job_id, worker_id=self.worker_id, lease=s.lease, timeout=s.job_timeout)
                if kept is not None and self._leave is not None:
                    leave, self._leave = self._leave, None
                    return kept, leave
                waits = _TAKEN  # by others
        if waits is None:
            self._news.wait(idle)
        elif idle:
            self.attempts.stopping.wait(min(waits, _LONGEST_LOOK))  # what arrives meanwhile may not be written either
        return None

    def _ask_leave(self) -> float | None:
        """Get leave for one write, unless some is left; else the seconds until it is worth asking again."""
        if self._leave is None:
            grant = pace.take(self.db, self.artifacts.dependency, 1, start=self.settings.drive_writes)
            if not grant.count:
                return grant.wait
            self._leave = grant
        return None

    def _store(self, kept: rendered.Kept, leave: pace.Grant) -> None:
        """Upload one PDF and end its round."""
        held = kept.claim
        attempt = Attempt(leases.UPLOADS, held.row, time.monotonic() + self.settings.job_timeout + HARD_GRACE)
        self.attempts.begin(attempt)
        self.meters.resumed(held.row, kept.worked)
        try:
            try:
                seconds, link = self._put(held, kept.pdf, leave)
            except RateLimited as limited:
                rendered.put_back(self.db, held)
                self.meters.handed_over()
                log.info("job.upload_waits", job_id=held.job_id, detail=limited.detail)
                return
            self.finish(held, link, kept.worked + seconds)
            self._note(leave, written=1)
            durations.note(self.db, durations.STORE, seconds)
        except Exception as error:
            if self.attempts.current() is None:  # the round has ended; only its duration could not be noted
                log.warning("job.duration_not_noted", job_id=held.job_id)
            else:
                self.settle(attempt, error)
        finally:
            self.attempts.end()
            structlog.contextvars.clear_contextvars()

    def upload(self, held: jobs.Claim, pdf: bytes) -> str:
        """Store a PDF in the caller's own attempt, once there is leave to write; the link for people."""
        if not self.apart:
            return self._put(held, pdf, None)[1]
        while True:
            with self._looking:
                waits = self._ask_leave()
                leave, self._leave = self._leave, None
            if leave is not None:
                link = self._put(held, pdf, leave)[1]
                self._note(leave, written=1)
                return link
            if self.attempts.stopping.wait(min(waits or 0.0, _LONGEST_LOOK)):
                raise Returned("The worker is being stopped.")

    def _put(self, held: jobs.Claim, pdf: bytes, leave: pace.Grant | None) -> tuple[float, str]:
        """Put the bytes into the store; seconds, and the link. A refusal goes to the pace at once."""
        began = time.monotonic()
        try:
            link = put_pdf(self.db, self.settings, self.artifacts, held, pdf)
        except RateLimited as limited:
            if leave is not None:
                self._note(leave, refused=1, retry_after=limited.retry_after)
            raise
        seconds = time.monotonic() - began
        self.meters.stage("uploading", seconds)
        log.info("job.stage_done", stage="uploading", seconds=round(seconds, 3))
        return seconds, link

    def _note(self, leave: pace.Grant, **became: Any) -> None:
        """Tell the pace what became of a write. The report may be lost: no job's outcome depends on it."""
        try:
            pace.note(self.db, self.artifacts.dependency, leave, **became)
        except DatabaseDown:
            log.warning("pace.not_noted")

    def finish(self, held: jobs.Claim, link: str, seconds: float, *, saved: bool = True) -> None:
        """End the round of a job whose PDF is stored; `seconds` since its attempt began. Raises LeaseLost."""

        def end() -> bool:
            return rounds.finish(self.db, held.row, "completed", outcome="completed", link=link, saved=saved)

        if not patiently(end, self.settings.lease):
            raise LeaseLost("Another start of this job has taken over.")
        self.attempts.end()
        self.wake()
        self.meters.ended(held.row, "completed", None)
        ids = {"job_id": held.job_id, "round": held.round, "attempt": held.start_no}
        log.info("job.completed", **ids, seconds=round(seconds, 3))
        try:
            for scope in (pauses.DEPENDENCY + self.artifacts.dependency, pauses.MONGODB):
                if self.board.in_streak(scope):
                    pauses.note_success(self.db, scope)
        except DatabaseDown:
            log.warning("job.streak_not_ended", job_id=held.job_id)


def put_pdf(db: Database, settings: Settings, artifacts: Artifacts, held: jobs.Claim, pdf: bytes) -> str:
    """Put a PDF into the store under its job's reserved id; the link for people. From here on it is too late to cancel.

    Raises Cancelled, LeaseLost, and whatever the store raises (DESIGN §2.12, §2.13).
    """

    def put(artifact_id: str, *, replace: bool) -> str | None:
        jobs.pass_upload_point(db, held, artifact_id, settings.lease)
        return artifacts.put(artifact_id, name, pdf, replace=replace, labels=labels)

    labels = {"job_id": held.job_id, "code": held.row["code"], "product_id": held.row["product_id"]}
    name = file_name(held.row, settings.file_name)
    try:
        link = put(held.row["artifact_id"] or artifacts.reserve(), replace=held.round > 1)
    except Permanent as error:
        if error.code != "artifact_gone":
            raise
        # A person deleted the file of an earlier round. Its id cannot be used again, so the job gets a new one.
        link = put(artifacts.reserve(), replace=False)
    return link or f"{settings.links_base}/api/jobs/{held.job_id}/download"
