"""The overview: whether reports are in time, who works, what holds work back; one cheap call for the console.

However many callers ask, the database is read at most once every two seconds. A minute that is over is counted once.
"""

from datetime import datetime, timedelta

import falcon
import msgspec

from schema import VERSION
from schema.http import state_responses as responses
from schema.http.responses import shown
from schema.rows import figures, jobs, letters, pauses, workers
from schema.rows.verdict import Verdict
from schema.sql.cached import Cached
from schema.sql.database import Database, DatabaseDown
from schema.sql.times import moment
from service.parts import ApiParts
from service.routes.route import answer
from service.watch import Watch

_EVERY = 2.0  # Seconds.
_PATIENCE = 1.5  # Seconds that a caller waits for a reading.
_SHOWN = 60  # Minutes.
_SETTLING = timedelta(minutes=2)  # So long after its start a minute may still change.
_MOST_WORKERS, _MOST_PAUSES = 200, 100
_ENDS = ("completed", "failed", "cancelled")

_NOTHING = Verdict("good", [], None)  # replaced in each answer


class Overview:
    """GET /api/overview."""

    def __init__(self, parts: ApiParts, watch: Watch) -> None:
        self._parts = parts
        self._minutes = Minutes(parts.db)
        self._watch = watch
        self._seen = Cached(self._look, _EVERY, patience=_PATIENCE, db=parts.db)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """How everything stands. The verdict is of this moment; `at` says how old the rest is while the database is away.

        DatabaseDown when this process has seen nothing yet.
        """
        caller = req.context.caller
        verdict = self._watch.look()
        try:
            seen = self._seen.get()
        except DatabaseDown as error:
            raise DatabaseDown(error.detail, verdict=verdict) from error
        answer(resp, msgspec.structs.replace(seen, role=caller.role if caller else None, verdict=verdict))

    def _look(self) -> responses.Overview:
        db, settings = self._parts.db, self._parts.settings
        lines = _lines(db)
        callbacks = figures.open_callbacks(db)
        live = workers.live(db, settings.lease)
        held = list(pauses.in_force(db).values())
        return responses.Overview(
            at=moment(db.clock()),
            version=VERSION,
            role=None,
            verdict=_NOTHING,
            lines=lines,
            accepting=sum(line.queued for line in lines) < settings.max_backlog,
            callbacks_owed=sum(n for n, _ in callbacks.values()),
            oldest_callback=max((_seconds(age) for _, age in callbacks.values()), default=None),
            dead_letters=letters.open_by_queue(db),
            minutes=self._minutes.read(),
            workers=[
                shown(responses.WorkerShown, row, queue=row["kind"], memory_mb=row["rss_mb"])
                for row in live[:_MOST_WORKERS]
            ],
            pauses=[
                shown(responses.PauseShown, row, by=row["set_by"], outage=row["set_by"] == pauses.OUTAGE)
                for row in held[:_MOST_PAUSES]
            ],
        )


class Minutes:
    """What came and what ended in each of the last 60 minutes. A minute that is over is kept and not counted again."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: dict[datetime, responses.Minute] = {}

    def read(self) -> list[responses.Minute]:
        """Oldest first; the last one is the minute that runs."""
        now = self._db.clock()
        last = now.replace(second=0, microsecond=0)
        shown = [last - timedelta(minutes=back) for back in reversed(range(_SHOWN))]
        settled = {at: kept for at, kept in self._kept.items() if at >= shown[0] and at < last - _SETTLING}
        start = next(at for at in shown if at not in settled)
        counted = {at: responses.Minute(moment(at), 0, 0, 0, 0) for at in shown if at >= start}
        for at, what, n in figures.by_minute(self._db, start):
            if at in counted and what in ("submitted", *_ENDS):
                setattr(counted[at], what, n)
        self._kept = settled | counted
        return [self._kept[at] for at in shown]


def _lines(db: Database) -> list[responses.Line]:
    found, lines = figures.open_jobs(db), []
    for word, number in jobs.PRIORITIES.items():
        queued, processing = found.get((number, "queued")), found.get((number, "processing"))
        oldest = _seconds(queued[1]) if queued else None
        lines.append(responses.Line(word, queued[0] if queued else 0, processing[0] if processing else 0, oldest))
    return lines


def _seconds(age: float) -> float:
    return round(max(0.0, age), 1)
