"""What a client asks first: is the process alive, can it do its work, and who am I to it?"""

import time
from typing import Literal

import falcon
import peewee
from msgspec import UNSET

from schema import VERSION
from schema.http.responses import shown
from schema.http.state_responses import Alive, Limits, Me, Part, Readiness
from schema.rows import workers
from schema.rows.messages import QUEUES
from schema.rows.verdict import plain
from schema.sql.cached import Cached
from schema.sql.database import DatabaseDown
from schema.sql.migrate import pending
from service.parts import ApiParts
from service.routes.route import Route, answer
from service.watch import PATIENCE, Watch

_DATABASE_EVERY = 1.0  # Seconds between questions to the database, however many probes come.
_WAIT = 1.8  # Seconds that all parts together get for their first answers after a quiet time.


class Live:
    """GET /livez: the process answers."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 as long as the process runs; asks nobody."""
        answer(resp, Alive("alive", VERSION))


class Ready:
    """GET /readyz: walks the parts and says which is down.

    Only the database is needed to accept jobs; without it the answer is 503. Whatever else is down is named, and jobs
    wait for it. Probes need no key, so they must be cheap: the database is asked at most once a second. A thread for each
    part asks it in the background, so that a part that hangs delays no request for more than two seconds.
    """

    def __init__(self, parts: ApiParts, watch: Watch) -> None:
        self._parts = parts
        self._watch = watch
        self._migrated = False
        self._database = Cached(self._look, _DATABASE_EVERY, stale=_DATABASE_EVERY, patience=PATIENCE, db=parts.db)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Each part with "up", "down", or "unknown" before its first answer; what to look at for callers with a key."""
        until = time.monotonic() + _WAIT
        self._watch.answers()  # the others are asked while the database is
        try:
            parts = dict(self._database.get())
        except DatabaseDown as error:
            parts = {"database": Part("down", error.detail)}
        verdict = self._watch.look(max(0.0, until - time.monotonic()))
        pings = self._watch.answers()
        for name in ("documents", "artifacts", "broker"):
            ping = pings.get(name)
            parts[name] = Part("up" if ping.up else "down", ping.detail or UNSET) if ping else Part("unknown")
        down = [name for name, part in parts.items() if part.state == "down"]
        ready = "database" not in down
        status: Literal["ready", "degraded", "not_ready"] = "not_ready"
        if ready:
            status = "degraded" if down else "ready"
        if not req.context.role:
            parts, verdict = {name: Part(part.state) for name, part in parts.items()}, plain(verdict)
        answer(resp, Readiness(status, down, parts, verdict), falcon.HTTP_200 if ready else falcon.HTTP_503)

    def _look(self) -> dict[str, Part]:
        """The database, and what is known by it; raises DatabaseDown."""
        self._parts.db.ping()
        note = self._migrations()
        live = workers.live(self._parts.db, self._parts.settings.lease)
        missing = [queue for queue in QUEUES if not any(worker["kind"] == queue for worker in live)]
        threads = sum(int(worker["threads"]) for worker in live)
        served = Part("up", f"{threads} threads in {len(live)} alive")
        if missing:
            served = Part("down", f"No worker serves {', '.join(missing)}.")
        return {"database": Part("up", note or UNSET), "workers": served}

    def _migrations(self) -> str | None:
        """What this code knows and the database has not seen; once that is nothing it stays so."""
        if self._migrated:
            return None
        try:
            steps = pending(self._parts.db)
        except peewee.PeeweeException:
            raise DatabaseDown("The database did not say which migrations it has seen.") from None
        self._migrated = not steps
        return f"migrations pending: {', '.join(steps)}" if steps else None


class Whoever(Route):
    """GET /api/me: what a client shows when somebody tests a key, and by how much it must divide what it sends."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The caller's name, role and limits; nothing secret."""
        settings, caller = self.parts.settings, req.context.caller
        rate = (caller.rate if caller else 0) or None
        limits = shown(Limits, vars(settings), requests_per_minute=rate, body_bytes=settings.max_body)
        answer(resp, Me(caller.name if caller else "local", req.context.role, limits))
