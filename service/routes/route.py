"""What the calls of every path share: the parts, the caller's name, the body, the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import falcon
import msgspec

from schema.errors import Refused
from schema.http import requests
from service.door.bodies import read_body
from service.parts import ApiParts

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(eq=False)
class Route:
    """The calls of one path."""

    parts: ApiParts

    def asked(self, req: falcon.Request, kind: type[T], *, optional: bool = False) -> T:
        """The body as `kind`; an empty one means {} when it is `optional`. Raises Refused."""
        body = read_body(req, self.parts.settings.max_body)
        return requests.read(b"{}" if optional and not body else body, kind, self.parts.allow)


def answer(resp: falcon.Response, body: msgspec.Struct, status: str = falcon.HTTP_200) -> None:
    """Answer with one of the structs that /openapi.json describes."""
    resp.status = status
    resp.data = msgspec.json.encode(body)


def no_job(job_id: str) -> Refused:
    """The refusal of an id that no job has."""
    return Refused(f"There is no job {job_id[:80]!r}.", code="job_not_found")


def by(req: falcon.Request) -> str:
    """Who acts, as the audit names them."""
    return req.context.owner or "api"
