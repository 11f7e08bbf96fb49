"""Honest positions and estimates, which are no promises; and the 429 when too many jobs wait (`backlog_full`).

A thread looks at the queue about once a second while anybody asks. All requests of the process share what it saw: no
submission and no status counts rows. While few jobs wait, the position is counted exactly. Of a long queue the look
keeps how many jobs of each turn were submitted in each of 256 slices of time. A position is read off these slices. It
is wrong by less than one slice, and by what changed since the look.
"""

import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from schema.errors import Refused
from schema.rows import durations, leases, messages, pace, rendered, waiting, workers
from schema.rows.columns import JobRow
from schema.settings import Settings
from schema.sql.cached import Cached
from schema.sql.database import Database, DatabaseDown
from schema.sql.times import as_time, moment

log = structlog.get_logger()

_EVERY = 1.0  # Seconds between looks.
_SHARE = 20  # After a look that took s seconds, at least s × this pass without one.
_STALE = 5.0  # Seconds after which a request looks itself: nobody had asked for a while.
_KEEP_LOOKING = 60.0  # Seconds from the last question until the background stops looking.
_EXACT = 300  # Waiting jobs up to which positions are counted.
_SLICES = 256
_DEFAULT = 2.0  # Seconds that a report is taken to need before any was measured.
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Line:
    """The waiting jobs of one turn: how many were submitted up to the end of each slice of time."""

    count: int
    ends: list[float] = field(default_factory=list)  # seconds since the epoch above
    upto: list[int] = field(default_factory=list)
    width: float = 1.0

    def before(self, at: float) -> int:
        """About how many were submitted before `at`."""
        if not self.ends:
            return self.count
        place = bisect_right(self.ends, at)
        done = self.upto[place - 1] if place else 0
        if place == len(self.ends):
            return done
        inside = (at - (self.ends[place] - self.width)) / self.width
        return done + round((self.upto[place] - done) * min(1.0, max(0.0, inside)))


@dataclass(slots=True)
class _Picture:
    """The queue as it was a moment ago."""

    lines: dict[int, _Line] = field(default_factory=dict)  # turn → line
    processing: int = 0
    threads: int = 0
    durations: dict[str, float] = field(default_factory=dict)  # product → seconds
    mean: float = _DEFAULT
    stored: dict[int, int] = field(default_factory=dict)  # For each turn: kept PDFs that wait for the store.
    upload: float = 0.0  # Seconds of one upload; 0 when the render threads store by themselves.
    stores: float = float("inf")  # Uploads a second that places and the store's pace allow.

    def after(self, drawn: float, ahead: int) -> str:
        """When a PDF is stored that is drawn in `drawn` seconds, with `ahead` others to be stored before it."""
        return moment(datetime.now(UTC) + timedelta(seconds=max(drawn, ahead / self.stores) + self.upload))

    @property
    def waiting(self) -> int:
        return sum(line.count for line in self.lines.values())


class QueueView:
    """Position and estimated completion of waiting jobs."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._seen = Cached(self._see, _EVERY, stale=_STALE, share=_SHARE)
        self._asked_at = 0.0
        self._looking = False
        self._mutex = threading.Lock()

    def picture(self) -> _Picture:
        """What the last look saw; the first question, and one after a quiet time, looks itself.

        Raises DatabaseDown in bounded time however many ask: a look that hung is not tried again by each of them.
        """
        self._asked_at = time.monotonic()
        picture = self._seen.kept()
        with self._mutex:
            start, self._looking = not self._looking, True
        if start:
            threading.Thread(target=self._keep_looking, name="queue-view", daemon=True).start()
        return picture

    def admit(self, count: int = 1) -> None:
        """Refuse a submission that would leave more than MAX_BACKLOG jobs waiting."""
        if self.picture().waiting + count > self._settings.max_backlog:
            most = self._settings.max_backlog
            raise Refused(f"At most {most} jobs may wait (REPORTQ_MAX_BACKLOG).", code="backlog_full")

    def submitted(self, turn: int, product_id: str) -> tuple[int, str]:
        """Position (1 is next) and estimate of a job that was just written, by what admit() saw: it never raises."""
        picture = self._seen.last or _Picture()
        with self._mutex:
            ahead = sum(line.count for t, line in picture.lines.items() if t <= turn)
            picture.lines.setdefault(turn, _Line(0)).count += 1
        return ahead + 1, self._estimate(picture, ahead, turn, product_id)

    def of(self, job: JobRow) -> tuple[int | None, str | None]:
        """Position and estimate of a job: of a waiting one both, of a working one the estimate, of an ended one none."""
        if job["status"] == "processing":
            picture = self.picture()
            if job["stage"] == "storing":
                return 0, picture.after(0.0, rendered.ahead_of(self._db, job))
            if job["stage"] == "uploading":
                return 0, picture.after(-picture.upload / 2, 0)  # half done on average
            own = picture.durations.get(job["product_id"], picture.mean)
            left = max(0.0, own * (100 - job["progress"]) / 100)
            return 0, picture.after(left, _upto(picture.stored, job["turn"]))
        if job["status"] != "queued":
            return None, None
        picture = self.picture()
        exact = picture.waiting <= _EXACT
        ahead = waiting.ahead_of(self._db, job) if exact else self._read_off(picture, job)
        return ahead + 1, self._estimate(picture, ahead, job["turn"], job["product_id"])

    @staticmethod
    def _read_off(picture: _Picture, job: JobRow) -> int:
        requested = as_time(job["requested_at"])
        ahead = sum(line.count for turn, line in picture.lines.items() if turn < job["turn"])
        own = picture.lines.get(job["turn"])
        return ahead + (own.before((requested - _EPOCH).total_seconds()) if own else 0)

    # -- looking --------------------------------------------------------------------------------------------------

    def _keep_looking(self) -> None:
        """The background: looks until nobody has asked for a minute."""
        while True:
            time.sleep(_EVERY)
            with self._mutex:
                if time.monotonic() - self._asked_at > _KEEP_LOOKING:
                    self._looking = False
                    break
            try:
                self._seen.get()
            except DatabaseDown:
                pass  # the next caller is told
            except Exception:
                log.exception("queue_view.look_failed")
        self._db.close()

    def _see(self) -> _Picture:
        rows = waiting.by_turn(self._db)
        total = sum(int(row["n"]) for row in rows)
        measured = durations.measured(self._db)
        upload = next((float(row["seconds"]) for row in measured if row["product_id"] == durations.STORE), 0.0)
        measured = [row for row in measured if row["product_id"] != durations.STORE]
        samples = sum(row["samples"] for row in measured)
        threads = workers.threads(self._db, 2 * self._settings.lease, messages.RENDER)
        return _Picture(
            lines={int(row["turn"]): self._line(row, sliced=total > _EXACT) for row in rows},
            processing=leases.JOBS.processing(self._db),
            threads=threads,
            durations={row["product_id"]: float(row["seconds"]) for row in measured},
            mean=sum(row["seconds"] * row["samples"] for row in measured) / samples if samples else _DEFAULT,
            stored={row["turn"]: int(row["count"]) for row in rendered.waiting(self._db)},
            upload=upload,
            stores=self._stores(upload, threads),
        )

    def _stores(self, upload: float, threads: int) -> float:
        """Uploads/s: what the places of the uploaders allow, or the store's own limit."""
        if not upload:
            return float("inf")
        places = max(1, threads) * self._settings.uploads / upload
        paced = pace.state(self._db, "drive")
        return min(places, paced.rate) if paced is not None and paced.rate else places

    def _line(self, row: waiting.TurnLine, *, sliced: bool) -> _Line:
        first, last = as_time(row["first"]), as_time(row["last"])
        line = _Line(int(row["n"]))
        span = (last - first).total_seconds()
        if not sliced or line.count <= _SLICES or span <= 0:
            if sliced and line.count > 0:
                # A short line of a long queue: one slice is precise enough.
                line.width = max(span, 1e-6)
                line.ends, line.upto = [(last - _EPOCH).total_seconds() + 1e-6], [line.count]
            return line
        line.width = span / _SLICES
        start, done = (first - _EPOCH).total_seconds(), 0
        for piece, n in waiting.slices(self._db, row["turn"], first, line.width):
            done += n
            line.ends.append(start + (piece + 1) * line.width)
            line.upto.append(done)
        line.count = max(line.count, done)
        return line

    def _estimate(self, picture: _Picture, ahead: int, turn: int, product_id: str) -> str:
        threads = max(1, picture.threads)
        own = picture.durations.get(product_id, picture.mean)
        stored = sum(picture.stored.values())
        busy = min(picture.processing - stored, threads)
        # Those at work are half done on average; a free thread starts at once.
        wait = (ahead + busy * 0.5) * picture.mean / threads if ahead or busy >= threads else 0.0
        return picture.after(wait + own, _upto(picture.stored, turn) + picture.processing - stored + ahead)


def _upto(counts: dict[int, int], turn: int) -> int:
    """How many stand at this turn or before it."""
    return sum(count for place, count in counts.items() if place <= turn)
