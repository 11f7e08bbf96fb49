"""A message in a queue is ours or a strange one; nothing of a strange message reaches Dramatiq."""

from __future__ import annotations

import json
from typing import Any

import dramatiq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from middleware.rabbitmq.broker import encode
from middleware.rabbitmq.incoming import Letter, Look, Stranger, _rewritten, meaning
from schema.ports import Message
from schema.rows import messages
from schema.rows.letters import RAW_KEPT, TOO_LARGE

texts = st.text(max_size=50)
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["queue_name", "actor_name", "args", "kwargs", "options", "message_id", "message_timestamp", "more"]
)
places = st.sampled_from(["pdf", "webhooks", "pdf.DQ", "webhooks.DQ"])


def row(**other: Any) -> dict[str, Any]:
    return {
        "id": "dl_1", "queue": "webhooks", "kind": "delivery", "job_id": "pdf_1", "delivery_id": "dlv_1", "code": "K",
        "product_id": "p", "error_code": "x", "error_message": "x", "attempts": 1, "first_failed_at": None,
        "last_failed_at": None, "traceback": None, "raw": "", "turn": 4, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    } | other  # fmt: skip


def test_what_we_publish_is_read_as_it_was_meant() -> None:
    job, delivery = f"pdf_{ULID()}", f"dlv_{ULID()}"
    assert meaning(encode(messages.job_message(row(id=job)))) == Look("pdf", job)
    assert meaning(encode(messages.delivery_message(row(id=delivery)))) == Look("webhooks", delivery)
    assert meaning(encode(messages.letter_message(row()))) == Letter("dl_1")


def test_the_longest_copy_of_a_letter_that_a_row_can_make_is_known_as_one() -> None:
    """An emoji is twelve bytes of JSON."""
    longest = row(
        kind="raw", code="😀" * 255, product_id="😀" * 255, error_message="😀" * 2000, traceback="😀" * 4000,
        raw="8J+YgA==" * 10_000,
    )  # fmt: skip
    assert meaning(encode(messages.letter_message(longest))) == Letter("dl_1")


@given(st.binary(max_size=300))
def test_bytes_that_are_no_message_are_a_stranger(body: bytes) -> None:
    assert isinstance(meaning(body), Stranger)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first input makes tables of characters
@given(st.dictionaries(fields, values, max_size=3), places)
def test_a_message_that_was_tampered_with_is_a_stranger_or_comes_through_as_an_id_alone(
    other: dict[str, Any], arrived_in: str
) -> None:
    message = json.loads(encode(Message("pdf", "render_pdf", "pdf_1"))) | other
    found = meaning(json.dumps(message).encode())
    if isinstance(found, Stranger):
        found.sentence.encode()
        return
    taken: dramatiq.Message[Any] = dramatiq.Message.decode(_rewritten(found, arrived_in))
    assert taken.queue_name == arrived_in
    assert taken.actor_name == messages.ACTORS[arrived_in.removesuffix(".DQ")]
    assert (len(taken.args), taken.kwargs) == (1, {})
    assert taken.options.keys() <= {"dead_letter_id", "belongs_to"}


@pytest.mark.parametrize("size", [RAW_KEPT + 1, 100_000_000])
def test_a_message_too_large_for_ours_is_not_even_decoded(size: int) -> None:
    body = b'{"options":{"dead_letter_id":"dl_1"},"more":"' + b"x" * size + b'"}'
    found = meaning(body)
    assert isinstance(found, Stranger)
    assert found.code == TOO_LARGE
    assert f"{len(body):,} bytes" in found.sentence


def test_a_hint_names_the_queue_it_belongs_to_where_it_strayed() -> None:
    for arrived_in, options in (
        ("pdf", {}), ("pdf.DQ", {}), ("webhooks", {"belongs_to": "pdf"}), ("webhooks.DQ", {"belongs_to": "pdf"}),
    ):  # fmt: skip
        taken: dramatiq.Message[Any] = dramatiq.Message.decode(_rewritten(Look("pdf", "pdf_1"), arrived_in))
        assert (taken.queue_name, taken.args, taken.options) == (arrived_in, ("pdf_1",), options)
