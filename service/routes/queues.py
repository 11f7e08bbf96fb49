"""The queues: how they stand, pause, drain and resume."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from schema.http import operator_requests
from schema.life import queues
from schema.sql.times import moment
from service.door.bodies import read_body
from service.parts import ApiParts


class Queues:
    """GET /api/queues."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Every queue with its depth, oldest age (seconds), consumers and pause."""
        resp.data = msgspec.json.encode({"queues": states_shown(queues.states(self._parts.db, self._parts.settings))})


class QueueAct:
    """POST /api/queues/{name}/pause, /drain and /resume."""

    def __init__(self, parts: ApiParts, act: str) -> None:
        self._parts = parts
        self._act = act

    def on_post(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """The queue as it stands then; 202 while something paused is still being worked on."""
        body = read_body(req, self._parts.settings.max_body) or b"{}"
        asked = operator_requests.read(body, operator_requests.Act)
        who = req.context.owner or "api"
        if self._act == "resume":
            queues.resume(self._parts.db, name, by=who, why=asked.why)
        else:
            queues.pause(self._parts.db, name, by=who, why=asked.why)
        self._parts.wake()
        state = next(
            queue
            for queue in states_shown(queues.states(self._parts.db, self._parts.settings))
            if queue["name"] == name
        )
        resp.status = falcon.HTTP_202 if state["state"] == "pausing" else falcon.HTTP_200
        resp.data = msgspec.json.encode(state)


def states_shown(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The queues' states as JSON shows them."""
    for state in found:
        state["paused"] = state["paused"] and _pause(state["paused"])
        state["outages"] = [_pause(row) for row in state["outages"]]
    return found


def _pause(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "scope": row["scope"],
        "reason": row["reason"],
        "by": row["set_by"],
        "since": moment(row["since"]),
        "until": moment(row["until"]),
    }
