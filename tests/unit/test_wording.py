"""Why a request cannot be used, in words for people who write no Python."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from schema.callbacks.allow_list import AllowList
from schema.errors import Refused
from schema.http import queries, requests

PYTHON = re.compile(r"\\b(str|int|bool|regex|codec|enum)\\b|[<>]=|`|\\\\x", re.I)
REPORT = {"code": "c", "productId": "p"}


def read(body: bytes, kind: type[Any]) -> object:
    if kind in (requests.Submission, requests.Replay, requests.Batch):
        return requests.read(body, kind, AllowList())
    return requests.read(body, kind)


def refused(body: bytes, kind: type[Any] = requests.Submission) -> Refused:
    with pytest.raises(Refused) as found:
        read(body, kind)
    assert not PYTHON.search(found.value.detail)
    return found.value


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("code", 5, "must be text, not a number"), ("code", None, "must be text, not null"),
        ("code", 1.5, "must be text, not a number with decimals"), ("code", True, "must be text, not true/false"),
        ("code", {}, "must be text, not an object"), ("code", "", "must not be empty"),
        ("code", "a\0b", "must be text without control characters, such as line breaks"),
        ("code", "a\n", "must be text without control characters, such as line breaks"),
        ("code", "x" * 256, "must have at most 255 characters"), ("callback", 5, "must be text or null, not a number"),
        ("callback", "", "must not be empty"), ("priority", 9, "must be one of high, normal, low"),
        ("priority", "urgent", "must be one of high, normal, low"), ("data", [], "must be an object or null, not a list"),
        ("data", {"a": "\0"}, "must hold no character \\u0000 and no half of a surrogate pair (\\uD800 to \\uDFFF)"),
    ],
)  # fmt: skip
def test_a_field(field: str, value: Any, what: str) -> None:
    assert refused(json.dumps({**REPORT, field: value}).encode()).fields["errors"] == {field: what}


@pytest.mark.parametrize(
    ("kind", "body", "errors"),
    [
        (requests.Replay, {"why": "a\n"}, {"why": "must not be empty nor hold control characters, such as line breaks"}),
        (requests.Batch, {"jobs": []}, {"jobs": "must not be empty"}),
        (requests.Batch, {"jobs": {}}, {"jobs": "must be a list, not an object"}),
        (
            requests.Batch, {"jobs": [7, {**REPORT, "code": ""}]},
            {"jobs[0]": "must be an object", "jobs[1].code": "must not be empty"},
        ),
        (requests.LettersAct, {"ids": ["a", 5]}, {"ids[1]": "must be text, not a number"}),
        (requests.LettersAct, {"filter": {"queue": "x"}}, {"filter.queue": "must be one of pdf, webhooks"}),
        (requests.LettersAct, {"rate": 0}, {"rate": "must be a number from 0.01 to 10,000"}),
        (requests.LettersAct, {"trial": "x"}, {"trial": "must be a whole number from 0 to 100, not text"}),
        (requests.Resend, {"force": "yes"}, {"force": "must be true or false, not text"}),
        (requests.Act, {"because": ""}, {"because": "is not a field; the fields are why"}),
    ],
)  # fmt: skip
def test_other_bodies(kind: type[Any], body: Any, errors: dict[str, str]) -> None:
    assert refused(json.dumps(body).encode(), kind).fields["errors"] == errors


@pytest.mark.parametrize("value", ["-1", "0", "501", "abc", "1.5", "", "9" * 20])
def test_a_limit(value: str) -> None:
    with pytest.raises(Refused) as found:
        queries.list_query({"limit": value})
    assert found.value.fields["errors"] == {"limit": "must be a whole number from 1 to 500"}


def test_other_parameters() -> None:
    with pytest.raises(Refused) as found:
        queries.list_query({"x" * 200: "1", "code": "", "status": ["failed", "queued"], "since": "now"})
    assert set(found.value.fields["errors"]) == {"x" * 100, "code", "status", "since"}  # type: ignore[call-overload]
    with pytest.raises(Refused) as found:
        queries.read_query({"view": "all", "since": "now", "x": "1"}, queries.LettersQuery)
    assert set(found.value.fields["errors"]) == {"view", "since", "x"}  # type: ignore[call-overload]
    assert not PYTHON.search(found.value.detail)


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"text"', b"true"])
@pytest.mark.parametrize("kind", [requests.Submission, requests.Batch, requests.LettersAct])
def test_a_body_that_is_no_object_is_told_so_and_no_advice_speaks_of_fields(kind: type[Any], body: bytes) -> None:
    found = refused(body, kind)
    assert found.code == "invalid_request"
    assert found.detail.startswith("The body must be one JSON object, not ")
    assert "errors" not in found.fields
    assert "as one object in braces" in str(found.fields["next_step"])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "The body is empty."), (b" \n", "The body is empty."),
        (
            '{"code":"café","productId":"p"}'.encode("latin-1"),
            "The body is not UTF-8: what stands at byte 12 (0xE9) is no character.",
        ),
        (b"{", "The body is not valid JSON: it ends too early."),
        (b'{"code":"a",}', "The body is not valid JSON: trailing comma in object (byte 12)."),
        (b'{"code":"\\ud800"}', "The body is not valid JSON: half of a surrogate pair (\\uD8… to \\uDF…) is no character."),
        (b'{"code":1e999}', "The body is not valid JSON: number out of range."),
    ],
)  # fmt: skip
def test_what_is_no_json(body: bytes, detail: str) -> None:
    for kind in (requests.Submission, requests.LettersAct):
        found = refused(body, kind)
        assert (found.code, found.detail) == ("invalid_json", detail)


@pytest.mark.parametrize("field", ["data", "meta"])
@pytest.mark.parametrize("levels", [70, 400, 20_000])
def test_what_is_too_deep_is_told_so_however_deep_it_is(field: str, levels: int) -> None:
    deep = '{"a":' * levels + "1" + "}" * levels
    found = refused(f'{{"code":"c","productId":"p","{field}":{deep}}}'.encode())
    assert found.code == "invalid_request"
    assert "nested" in found.detail
    assert "64 deep" in found.detail
