"""The bodies of callbacks are what their published JSON Schemas say, to the last field."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from actors.deliver.bodies import callback_body
from ops.webhooks import build
from schema.ports import End

NOW = datetime(2026, 11, 23, 18, 0, 3, 250_000, UTC)
DONE = End("pdf_1", "K1", "p", 1, "completed", NOW, NOW, google_drive_link="https://drive.example/1", meta=[1, None])
FAILED = replace(DONE, status="failed", google_drive_link=None, error_code="invalid_data", error_message="Wrong.")


def schema_of(body: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((build.FOLDER / f"{body['type']}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_the_files_are_what_the_structs_say() -> None:
    assert {path.name: path.read_text() for path in build.FOLDER.glob("*.json")} == build.texts()


@pytest.mark.parametrize(
    "end",
    [
        DONE, replace(DONE, meta=None), FAILED, replace(FAILED, meta={"a": "\u2028"}, retry_count=3),
        replace(FAILED, status="cancelled", error_code=None, error_message=None),
    ],
)  # fmt: skip
def test_every_body_fits_its_schema_and_has_no_field_more(end: End) -> None:
    body = json.loads(callback_body(end))
    schema = schema_of(body)
    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
    assert list(body) == list(schema["properties"])
    for field in schema["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: value for name, value in body.items() if name != field}, schema)
