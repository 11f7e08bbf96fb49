"""How an end is written down, whatever the store: its order among rounds, its JSON, its `pdf_generation`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schema.errors import Permanent
from schema.ports import End
from schema.sql.times import instant


def order_of(end: End) -> str:
    """(requested_at, round) as one text that sorts like the pair."""
    return f"{instant(end.requested_at)}#{end.round:09d}"


def to_json(end: End) -> str:
    """The whole end; `meta` stays exactly what the caller sent, whatever its keys and numbers."""
    fields = {name: getattr(end, name) for name in End.__slots__}
    fields["requested_at"], fields["ended_at"] = instant(end.requested_at), instant(end.ended_at)
    return json.dumps(fields, ensure_ascii=True)


def from_json(text: str) -> End:
    """The end that `to_json` wrote; fields of later releases are passed over."""
    fields = {name: value for name, value in json.loads(text).items() if name in End.__slots__}
    for name in ("requested_at", "ended_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    return End(**fields)


def generation_of(end: End) -> dict[str, Any]:
    """`pdf_generation` of the source document (DESIGN §4), its moments still datetimes."""
    shared = {"job_id": end.job_id, "requested_at": end.requested_at.astimezone(UTC), "round": end.round}
    ended_at = end.ended_at.astimezone(UTC)
    if end.status == "completed":
        return {"status": end.status, "google_drive_link": end.google_drive_link, **shared, "completed_at": ended_at}
    message = storable(end.error_message or "")
    return {"status": end.status, "error_message": message, **shared, "failed_at": ended_at}


def storable(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates out of broken input) replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def source_fields(report: Mapping[str, Any]) -> dict[str, Any]:
    """A source document without the store's id and without what we wrote into it ourselves.

    With our own mark in it, a second rendering of the same report would see another input.
    """
    return {name: value for name, value in report.items() if name not in ("_id", "pdf_generation")}


def require_text(**keys: object) -> None:
    """Refuse keys that are not text: a mapping in their place would be read as a query operator."""
    for name, value in keys.items():
        if not isinstance(value, str):
            raise Permanent(f"{name} must be text, not {type(value).__name__}.", code="invalid_data")
