"""Refusing costs no more than accepting: a request is read once, and only as far as the answer needs."""

from __future__ import annotations

import cProfile
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from schema.callbacks.allow_list import AllowList
from schema.errors import Refused
from schema.http import queries, requests

NAMED = 50
GOOD = {"code": "c", "productId": "p"}
SIZES = (60_000, 240_000)  # bytes


def read(body: bytes, kind: type[Any]) -> Refused | None:
    try:
        if kind in (requests.Submission, requests.Replay, requests.Batch):
            requests.read(body, kind, AllowList())
        else:
            requests.read(body, kind)
    except Refused as refused:
        return refused
    return None


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, Python's and C's."""
    with cProfile.Profile() as counting:
        work()
    return sum(entry.callcount for entry in counting.getstats())


def seconds(work: Callable[[], object]) -> float:
    """Of processor time: the best of five."""
    taken = []
    for _ in range(5):
        began = time.thread_time()
        work()
        taken.append(time.thread_time() - began)
    return min(taken)


def items(head: str, item: object, tail: str) -> Callable[[int], bytes]:
    one = json.dumps(item)
    return lambda size: f"{head}{','.join([one] * (size // (len(one) + 1)))}{tail}".encode()


def members(head: str, tail: str) -> Callable[[int], bytes]:
    return lambda size: (head + ",".join(f'"k{n:06}":{{}}' for n in range(size // 13)) + tail).encode()


def text(head: str, tail: str) -> Callable[[int], bytes]:
    return lambda size: f"{head}{'x' * size}{tail}".encode()


SUBMISSION = '{"code":"c","productId":"p",'
SHAPES: dict[str, tuple[type[Any], Callable[[int], bytes]]] = {
    "empty jobs": (requests.Batch, items('{"jobs":[', {}, "]}")),
    "jobs that are numbers": (requests.Batch, items('{"jobs":[', 1, "]}")),
    "jobs with a field too many": (requests.Batch, items('{"jobs":[', {**GOOD, "x": 1}, "]}")),
    "jobs with everything wrong": (requests.Batch, items('{"jobs":[', {"code": 1, "data": [], "callback": 5}, "]}")),
    "a job with many fields": (requests.Batch, members('{"jobs":[{', "}]}")),
    "many fields": (requests.Submission, members("{", "}")),
    "fields that hold batches": (requests.Submission, items('{"code":[', {"jobs": [{}, {}]}, "]}")),
    "one long name": (requests.Submission, text('{"', '":1}')),
    "one long text": (requests.Submission, text('{"code":"', '"}')),
    "one long word": (requests.Submission, text(SUBMISSION + '"priority":"', '"}')),
    "one long URL": (requests.Submission, text(SUBMISSION + '"callback":"http://', '"}')),
    "one long number": (requests.Submission, lambda size: b'{"code":' + b"7" * size + b"}"),
    "the same field again": (requests.Submission, lambda size: b"{" + b'"code":1,' * (size // 9) + b'"code":1}'),
    "deep lists": (requests.Submission, lambda size: b"[" * (size // 2) + b"]" * (size // 2)),
    "deep in a job": (requests.Batch, lambda size: b'{"jobs":[{"data":' + b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6)),
    "empty ids": (requests.LettersAct, items('{"ids":[', "", "]}")),
    "the same id again": (requests.LettersAct, items('{"ids":[', "dl_1", "]}")),
    "ids that are objects": (requests.LettersAct, items('{"filter":{"job_ids":[', {}, "]}}")),
    "a filter with many fields": (requests.LettersAct, members('{"filter":{', "}}")),
    "an act with many fields": (requests.Act, members("{", "}")),
    "a long reason": (requests.Resend, text('{"why":"', '"}')),
    "a replay with many fields": (requests.Replay, members("{", "}")),
    "blanks": (requests.Submission, lambda size: b" " * size + b"{"),
    "a cut character": (requests.Submission, lambda size: b'{"code":"' + b"x" * size + b"\xc3"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_refusal_names_fifty_faults_at_most_and_its_cost_grows_no_faster_than_the_body(shape: str) -> None:
    kind, made = SHAPES[shape]
    small, large = (made(size) for size in SIZES)
    refused = read(large, kind)
    assert refused is not None
    assert len(refused.fields.get("errors", {})) <= NAMED  # type: ignore[arg-type]
    assert len(refused.detail) < NAMED * 250
    few, many = (calls(lambda body=body: read(body, kind)) for body in (small, large))  # type: ignore[misc]
    assert many < len(large), f"{few} calls for {len(small)} bytes, {many} for {len(large)}"
    assert many < 4.5 * few + 100, f"{few} calls for {len(small)} bytes, {many} for {len(large)}"
    quick, slow = (seconds(lambda body=body: read(body, kind)) for body in (small, large))  # type: ignore[misc]
    assert slow < 10 * quick + 0.05, f"{quick} s for {len(small)} bytes, {slow} s for {len(large)}"


@pytest.mark.parametrize("wrong", [[{}], [{}] * 200, [7], [{**GOOD, "priority": "urgent"}]])
def test_a_batch_with_wrong_jobs_costs_what_reading_a_right_one_costs(wrong: list[object]) -> None:
    right = [GOOD] * 2000
    accepted = json.dumps({"jobs": [*right, *[GOOD] * len(wrong)]}).encode()
    refused = json.dumps({"jobs": [*right, *wrong]}).encode()
    assert read(accepted, requests.Batch) is None
    found = read(refused, requests.Batch)
    assert found is not None
    assert str(next(iter(found.fields["errors"]))).startswith("jobs[2000]")  # type: ignore[call-overload]
    limit = 2 * calls(lambda: read(accepted, requests.Batch))  # and accepting has only begun with it
    assert calls(lambda: read(refused, requests.Batch)) <= limit


def test_more_faults_than_are_named_are_told_of() -> None:
    found = read(json.dumps({"jobs": [{}] * 26}).encode(), requests.Batch)
    assert found is not None
    assert len(found.fields["errors"]) == NAMED  # type: ignore[arg-type]
    assert found.detail.endswith("; more is wrong than these.")
    found = read(json.dumps({"jobs": [{}] * 25}).encode(), requests.Batch)
    assert found is not None
    assert len(found.fields["errors"]) == NAMED  # type: ignore[arg-type]
    assert found.detail.endswith("jobs[24].productId is required.")


@pytest.mark.parametrize("params", [
    {f"k{n}": "1" for n in range(5000)}, {f"k{n}": ["1", "2"] for n in range(5000)}, {"status": ["x"] * 5000},
    {"limit": "9" * 100_000}, {"since": "1" * 100_000}, {"cursor": "=" * 100_000}, {"code": "\0" * 100_000},
])  # fmt: skip
@pytest.mark.parametrize("reads", [
    queries.list_query, lambda params: queries.read_query(params, queries.LettersQuery),
])  # fmt: skip
def test_a_query_is_refused_as_cheaply(reads: Callable[[Any], object], params: dict[str, Any]) -> None:
    def work() -> None:
        with pytest.raises(Refused) as found:
            reads(params)
        assert len(found.value.fields["errors"]) <= NAMED  # type: ignore[arg-type]
        assert len(found.value.detail) < NAMED * 400

    assert calls(work) < 50_000


@pytest.mark.parametrize("levels", range(880, 1010))
def test_a_body_as_deep_as_the_decoder_goes_is_refused_as_too_deep_or_as_wrong(levels: int) -> None:
    deep = "[" * levels + "]" * levels
    for body in (f'{{"code":5,"data":{{"a":{deep}}}}}', f'{{"code":{deep}}}', f'{{"jobs":[{{"meta":{deep}}}]}}'):
        for kind in (requests.Submission, requests.Batch, requests.Replay, requests.LettersAct):
            found = read(body.encode(), kind)
            assert found is not None
            assert found.code == "invalid_request"
