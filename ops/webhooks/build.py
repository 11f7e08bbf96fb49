"""Writes the JSON Schemas of the callbacks' bodies: `python -m ops.webhooks.build`. A test compares the files with it."""

import json
from pathlib import Path
from typing import Any

import msgspec

from schema.http.webhooks import EVENTS

FOLDER = Path(__file__).parent


def texts() -> dict[str, str]:
    """File name → JSON Schema (2020-12) of one event's body, with an example."""
    made = {}
    for event in EVENTS:
        body: dict[str, Any] = msgspec.to_builtins(event)
        _, schemas = msgspec.json.schema_components([type(event)], ref_template="#/$defs/{name}")
        schema = schemas.pop(type(event).__name__)
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        inner = {"$defs": schemas} if schemas else {}
        made[f"{body['type']}.schema.json"] = (
            json.dumps({**head, **schema, **inner, "examples": [body]}, indent=2) + "\n"
        )
    return made


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
