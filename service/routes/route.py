"""What the calls of every path share: the parts, the caller's name, the body, the answer."""

import codecs
from dataclasses import dataclass
from typing import TypeVar

import falcon
import msgspec

from schema.errors import Refused
from schema.http import requests
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


def read_body(req: falcon.Request, most: int) -> bytes:
    """The request's bytes, refused beyond `most` before they are read."""
    kind = (req.content_type or "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused(f"The Content-Type is {kind[:80]!r}.", code="unsupported_media_type")
    if (req.content_length or 0) > most:
        raise Refused(f"A body may have {most:,} bytes.", code="body_too_large")
    coding = (req.get_header("Content-Encoding") or "").strip().lower()
    if coding not in ("", "identity"):
        raise _compressed(f"The body is compressed (Content-Encoding: {coding[:80]}).")
    # A chunked body has no length; the server ends the stream for us.
    chunked = req.content_length is None and req.env.get("wsgi.input_terminated")
    body = (req.stream if chunked else req.bounded_stream).read(most + 1)
    if len(body) > most:
        raise Refused(f"A body may have {most:,} bytes.", code="body_too_large")
    if body.startswith(b"\x1f\x8b"):
        raise _compressed("The body is compressed (gzip).")
    return bytes(body.removeprefix(codecs.BOM_UTF8))


def _compressed(detail: str) -> Refused:
    step = "Send the body as plain JSON, without compression and without Content-Encoding."
    return Refused(detail, code="unsupported_media_type", next_step=step)
