"""Is the process alive, and can it do its work?"""

from __future__ import annotations

from typing import Any, Literal

import falcon
import msgspec

from schema import VERSION, responses, workers
from schema.errors import Transient
from schema.messages import QUEUES
from schema.migrate import pending
from service.parts import Parts


class Live:
    """GET /livez: the process answers."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 as long as the process runs; asks nobody."""
        resp.data = msgspec.json.encode(responses.Alive("alive", VERSION))


class Ready:
    """GET /readyz: walks the parts and says which is down.

    Only the database is needed to accept jobs; without it the answer is 503. Whatever else is down is named, and jobs
    wait for it.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Each part with "up", or "down" and what to look at."""
        parts = {"database": self._ask(self._database)}
        if parts["database"].state == "up":
            parts |= {"workers": self._ask(self._workers)}
        parts |= {
            "documents": self._ask(self._parts.documents.ping),
            "artifacts": self._ask(self._parts.artifacts.ping),
            "broker": self._ask(self._parts.broker_ping),
        }
        down = [name for name, part in parts.items() if part.state == "down"]
        ready = "database" not in down
        resp.status = falcon.HTTP_200 if ready else falcon.HTTP_503
        status: Literal["ready", "degraded", "not_ready"] = "not_ready"
        if ready:
            status = "degraded" if down else "ready"
        resp.data = msgspec.json.encode(responses.Readiness(status, down, parts))

    def _ask(self, ask: Any) -> responses.Part:
        try:
            note = ask()
        except Exception as error:
            return responses.Part("down", getattr(error, "detail", type(error).__name__))
        return responses.Part("up") if note is None else responses.Part("up", note)

    def _database(self) -> str | None:
        self._parts.db.ping()
        steps = pending(self._parts.db)
        return f"migrations pending: {', '.join(steps)}" if steps else None

    def _workers(self) -> str:
        live = workers.live(self._parts.db, self._parts.settings.lease)
        missing = [queue for queue in QUEUES if not any(worker["kind"] == queue for worker in live)]
        if missing:
            raise Transient(f"No worker serves {', '.join(missing)}.")
        return f"{len(live)} alive"
