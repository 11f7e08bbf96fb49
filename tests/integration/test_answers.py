"""Answers as they may come over a connection, and the addresses that it may lead to: real sockets on loopback."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from actors.deliver.bounded_answers import MAX_INTERIM
from actors.deliver.sender import SignedSender
from schema.callbacks.allow_list import AllowList
from tests.certificates import self_signed
from tests.integration.test_sender import SECRET, http, post, resolving
from tests.loopback import loopback_only
from tests.receiver import OK, Received, Receiver

pytestmark = pytest.mark.usefixtures(loopback_only.__name__)

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Build = Callable[..., SignedSender]


@pytest.fixture
def build() -> Iterator[Build]:
    with ExitStack() as closing:

        def build(**options: Any) -> SignedSender:
            defaults = {"version": "1.2.3", "allow": AllowList.parse("127.0.0.0/8, ::1"), "timeout": 10.0}
            sender = SignedSender([SECRET], **{**defaults, **options})
            closing.callback(sender.close)
            return sender

        yield build


# --- interim answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interim",
    [EARLY, PROCESSING, CONTINUE, EARLY + CONTINUE + PROCESSING, EARLY * MAX_INTERIM, b"HTTP/1.1 199 Own\r\n\r\n"],
)
@pytest.mark.parametrize("status", [200, 409, 503])
def test_interim_answers_are_passed_over(build: Build, interim: bytes, status: int) -> None:
    with Receiver(lambda request: interim + http(f"{status} So", request.target.encode())) as receiver:
        sender = build()
        for target in ("/one", "/two"):
            answer = sender.send(post(f"{receiver.url}{target}"))
            assert (answer.status, answer.body_head) == (status, target)
    assert receiver.connections == 1


def test_an_interim_answer_long_before_the_final_one_is_not_taken_for_it(build: Build) -> None:
    def slowly(line: socket.socket) -> None:
        for piece in (EARLY[:20], EARLY[20:], PROCESSING, http("503 Busy")):
            line.sendall(piece)
            time.sleep(0.05)

    with Receiver(lambda request: slowly) as receiver:
        assert build().send(post(receiver.url)).status == 503


@pytest.mark.parametrize(
    "interim",
    [
        EARLY * (MAX_INTERIM + 1),
        CONTINUE * 10_000,
        b"HTTP/1.1 103 Early Hints\r\n" + b"Link: " + b"x" * 60_000 + b"\r\nLink: " + b"y" * 10_000 + b"\r\n\r\n",
    ],
)
def test_interim_answers_have_bounds(build: Build, interim: bytes) -> None:
    with Receiver(lambda request: interim + OK) as receiver:
        answer = build().send(post(receiver.url))
    assert (answer.status, answer.failure) == (None, "too_large")


def test_interim_answers_without_end_are_no_answer(build: Build) -> None:
    def endless(line: socket.socket) -> None:
        while True:
            line.sendall(EARLY)

    with Receiver(lambda request: endless) as receiver:
        assert build().send(post(receiver.url)).failure == "too_large"


def test_another_protocol_is_a_refusal_and_its_connection_is_not_used_again(build: Build) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with Receiver(lambda request: switch if request.target == "/first" else OK) as receiver:
        sender = build()
        assert [sender.send(post(f"{receiver.url}{target}")).status for target in ("/first", "/second")] == [101, 200]
    assert receiver.connections == 2


# --- what is left on a connection ------------------------------------------------------------------------

STOLEN = http("200 OK", b"stolen")
GLUED = {
    "a second answer": http("503 Busy") + STOLEN,
    "a second answer after a 200": OK + STOLEN,
    "half of one": OK + STOLEN[:12],
    "bytes beyond the length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay",
    "a line end too many": OK + b"\r\n",
    "a body where none may be": b"HTTP/1.1 204 No Content\r\n\r\n" + STOLEN,
    "a body like that of HEAD": b"HTTP/1.1 204 No Content\r\nContent-Length: 50\r\n\r\n",
    "a body after 304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
    "length 0 and a body": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhello",
    "more than its chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + STOLEN,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2, 6\r\n\r\nok",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: gzip, chunked\r\n\r\nok",
    "after interim answers": EARLY + OK + STOLEN,
    "more than a buffer": OK + STOLEN + b"x" * 100_000,
}


def tls_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("name", GLUED)
def test_a_connection_that_holds_anything_unread_is_not_used_again(
    build: Build, tmp_path: Path, name: str, secured: bool
) -> None:
    """The rest of this answer would count as the answer to the next callback, another job's."""

    def answer(request: Received) -> bytes:
        return GLUED[name] if request.target == "/first" else http("409 Conflict", b"its own")

    certificate = self_signed(tmp_path, "127.0.0.1") if secured else None
    with Receiver(answer, tls=certificate and tls_server(certificate)) as receiver:
        sender = build(verify=str(certificate))
        assert sender.send(post(f"{receiver.url}/first")).failure is None
        for target in ("/second", "/third"):
            answered = sender.send(post(f"{receiver.url}{target}"))
            assert (answered.status, answered.body_head) == (409, "its own")
    assert receiver.connections == 2


def test_a_whole_answer_leaves_its_connection_to_the_next_one(build: Build) -> None:
    kinds = iter(
        [
            OK,
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\nExpires: 0\r\n\r\n",
            OK,
        ]
    )
    with Receiver(lambda request: next(kinds)) as receiver:
        sender = build()
        assert [sender.send(post(receiver.url)).status for _ in range(5)] == [200, 204, 200, 404, 200]
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"-1\r\n",  # which would be read to its end, wherever that is
        b"1;" + b"x" * 60_000 + b"\r\na\r\n",
        b"0\r\n" + b"X-Trailer: y\r\n",
    ],
)
def test_chunks_without_end_are_read_within_bounds(build: Build, head: bytes) -> None:
    sent = 0

    def endless(line: socket.socket) -> None:
        nonlocal sent
        line.sendall(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n" + head)
        more = head if len(head) > 10 else b"x" * 60_000
        while True:
            sent += line.send(more)

    with Receiver(lambda request: endless) as receiver:
        answer = build().send(post(receiver.url))
    assert (answer.status, answer.failure) == (None, "too_large")
    assert sent < 16_000_000  # what buffers hold


# --- the addresses of a name -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.2", "127.0.0.3", "127.0.0.1"],
        ["::1", "127.0.0.2", "127.0.0.1"],
        ["127.0.0.2", "127.0.0.3", "127.0.0.4", "::1", "127.0.0.5", "127.0.0.1"],
    ],
)
def test_a_name_is_called_on_its_live_address_however_many_are_dead(build: Build, addresses: list[str]) -> None:
    with Receiver() as receiver:
        sender = build(resolver=resolving({"n8n.lan": addresses}))
        assert sender.send(post(f"http://n8n.lan:{receiver.port}/")).status == 200


def silent(closing: ExitStack, address: str, port: int) -> None:
    """An address whose connections are never answered: its queue is full."""
    listener = closing.enter_context(socket.create_server((address, port), backlog=0))
    for _ in range(4):
        line = closing.enter_context(socket.socket())
        line.setblocking(False)
        line.connect_ex(listener.getsockname())


def test_silent_addresses_leave_time_to_the_one_that_answers(build: Build) -> None:
    with Receiver() as receiver, ExitStack() as closing:
        for address in ("127.0.0.2", "127.0.0.3"):
            silent(closing, address, receiver.port)
        names = {
            "n8n.lan": ["127.0.0.2", "127.0.0.3", "127.0.0.1"],
            "dead.lan": ["127.0.0.2", "127.0.0.3", "127.0.0.4"],
        }
        sender = build(timeout=3, resolver=resolving(names))
        assert sender.send(post(f"http://n8n.lan:{receiver.port}/")).status == 200
        dead = sender.send(post(f"http://dead.lan:{receiver.port}/"))
    assert (dead.failure, dead.duration < 4) == ("connect", True)


def test_both_families_of_addresses_are_tried_before_either_is_tried_again(build: Build) -> None:
    with (
        Receiver(host="127.0.0.3") as second,
        socket.create_server(("::1", second.port), family=socket.AF_INET6) as other,
    ):
        sender = build(timeout=1, resolver=resolving({"n8n.lan": ["127.0.0.2", "127.0.0.3", "::1"]}))
        assert sender.send(post(f"http://n8n.lan:{second.port}/")).failure == "timeout"  # connected, and not answered
        other.settimeout(0)
        other.accept()[0].close()
    assert second.connections == 0
