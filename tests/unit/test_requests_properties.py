"""Whatever is sent, the request structs answer with a request or with a refusal that names the fields."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.callbacks.allow_list import AllowList
from schema.errors import Refused
from schema.http import requests
from schema.http.requests import Submission

NOTHING = AllowList.parse("")
FIELDS = ("code", "productId", "priority", "callback", "failureCallback", "data", "meta")
texts = st.text(max_size=300)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)
valid = st.fixed_dictionaries(
    {"code": names, "productId": names},
    optional={
        "priority": st.sampled_from(["high", "normal", "low"]),
        "callback": st.just("https://hooks.example/webhook/pdf-complete"),
        "meta": st.dictionaries(st.text("abc", max_size=5), st.integers() | st.booleans(), max_size=5),
    },
)


def outcome(body: bytes) -> Submission | Refused:
    """The request, or why it is none."""
    try:
        return read(body)
    except Refused as refused:
        return refused


def read(body: bytes) -> Submission:
    request = requests.read(body, Submission, NOTHING)
    assert isinstance(request, Submission)
    return request


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(valid)
def test_what_is_valid_is_taken_as_it_is(body: dict[str, Any]) -> None:
    request = read(json.dumps(body).encode())
    assert (request.code, request.product_id) == (body["code"], body["productId"])
    assert request.meta == body.get("meta")
    again = read(json.dumps(dict(reversed(list(body.items())))).encode())
    assert requests.fingerprint(request) == requests.fingerprint(again)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS) | texts, trees, max_size=7))
def test_anything_else_is_refused_by_name_and_never_breaks(body: dict[str, Any]) -> None:
    found = outcome(json.dumps(body).encode())
    if isinstance(found, Submission):
        assert set(body) <= set(FIELDS)
        assert msgspec.json.encode(found)
        return
    assert found.code in ("invalid_request", "invalid_json", "callback_refused")
    assert found.detail
    assert found.code != "invalid_request" or found.fields["errors"]


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_are_refused(body: bytes) -> None:
    found = outcome(body)
    assert isinstance(found, Submission) or found.code in ("invalid_json", "invalid_request")
