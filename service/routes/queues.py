"""The queues: how they stand, pause, drain and resume."""

from dataclasses import dataclass

import falcon

from schema.http import requests
from schema.http.responses import shown
from schema.http.state_responses import Pause, QueueState, QueueStates
from schema.life import queues
from schema.rows.columns import PauseRow
from schema.settings import Settings
from schema.sql.database import Database
from service.routes.route import Route, answer, by


class Queues(Route):
    """GET /api/queues."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Every queue with its depth, oldest age (seconds), consumers and pause."""
        answer(resp, queue_states(self.parts.db, self.parts.settings))


@dataclass(eq=False)
class QueueAct(Route):
    """POST /api/queues/{name}/pause, /drain and /resume."""

    act: str

    def on_post(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """The queue as it stands then; 202 while something paused is still being worked on."""
        asked = self.asked(req, requests.Act, optional=True)
        if self.act == "resume":
            queues.resume(self.parts.db, name, by=by(req), why=asked.why)
        else:
            queues.pause(self.parts.db, name, by=by(req), why=asked.why)
        self.parts.wake()
        states = queue_states(self.parts.db, self.parts.settings).queues
        state = next(queue for queue in states if queue.name == name)
        answer(resp, state, falcon.HTTP_202 if state.state == "pausing" else falcon.HTTP_200)


def queue_states(db: Database, settings: Settings) -> QueueStates:
    """Every queue as it stands."""
    found = []
    for state in queues.states(db, settings):
        paused = _pause(state["paused"]) if state["paused"] else None
        found.append(shown(QueueState, state, paused=paused, outages=[_pause(row) for row in state["outages"]]))
    return QueueStates(found)


def _pause(row: PauseRow) -> Pause:
    return shown(Pause, row, by=row["set_by"])
