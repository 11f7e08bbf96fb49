"""Who asks: what a client shows when somebody tests a key, and by how much it must divide what it sends."""

import falcon

from schema.http.state_responses import Limits, Me
from service.routes.route import Route, answer


class Whoever(Route):
    """GET /api/me."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The caller's name, role and limits; nothing secret."""
        settings, caller = self.parts.settings, req.context.caller
        limits = Limits(
            requests_per_minute=(caller.rate if caller else 0) or None,
            body_bytes=settings.max_body,
            max_batch=settings.max_batch,
            max_backlog=settings.max_backlog,
            longest_wait=settings.longest_wait,
        )
        answer(resp, Me(caller.name if caller else "local", req.context.role, limits))
