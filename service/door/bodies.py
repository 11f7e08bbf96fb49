"""A request's body, as long as it may be and no longer."""

from __future__ import annotations

import codecs

import falcon

from schema.errors import Refused


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
