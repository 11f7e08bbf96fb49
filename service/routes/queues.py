"""The queues: how they stand, pause, drain and resume."""

from collections.abc import Mapping
from dataclasses import dataclass

import falcon

from schema.http import requests
from schema.http.responses import shown
from schema.http.state_responses import Pause, QueueState, QueueStates
from schema.life import queues
from schema.rows import letters, outbox, pauses, workers
from schema.rows.columns import PauseRow, WorkerRow
from schema.rows.messages import QUEUES, RENDER
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
    """Every queue: how much waits and for how long, who works on it, and what keeps it from starting more."""
    held = pauses.in_force(db)
    dead = letters.open_by_queue(db)
    live = workers.live(db, settings.lease)
    return QueueStates([_state(db, name, held, dead.get(name, 0), live) for name in QUEUES])


def _state(db: Database, name: str, held: Mapping[str, PauseRow], dead: int, live: list[WorkerRow]) -> QueueState:
    depth, due, oldest = queues.waiting(db, name)
    processing = queues.processing(db, name)
    own = held.get(pauses.QUEUE + name)
    prefix = pauses.DEPENDENCY if name == RENDER else pauses.HOST
    serving = [worker for worker in live if worker["kind"] == name]
    return QueueState(
        name=name,  # type: ignore[arg-type]  # one of QUEUES
        state=("pausing" if processing else "paused") if own else "running",
        depth=depth,
        due=due,
        published=outbox.HINTED[name].published(db),
        processing=processing,
        oldest_age=round(oldest, 3),
        consumers=sum(worker["threads"] for worker in serving),
        workers=len(serving),
        dead_letters=dead,
        paused=_pause(own) if own else None,
        outages=[_pause(row) for scope, row in held.items() if scope.startswith(prefix)],
    )


def _pause(row: PauseRow) -> Pause:
    return shown(Pause, row, by=row["set_by"])
