"""The hint about a TLS connection that could not be made says what really happened, and what to do."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from actors.deliver.sender import SignedSender
from ops.commands.send_example import explain
from schema.callbacks.allow_list import AllowList
from schema.callbacks.verdicts import History, judge
from schema.ports import Answer
from tests.certificates import self_signed, signed
from tests.integration.test_sender import SECRET, http, post, resolving
from tests.loopback import loopback_only
from tests.receiver import Receiver

pytestmark = pytest.mark.usefixtures(loopback_only.__name__)

NAMES = resolving({"n8n.lan": ["127.0.0.1"], "other.lan": ["127.0.0.1"]})


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "n8n.lan")


def ask(url: str, trusted: Path | bool = True) -> Answer:
    sender = SignedSender(
        [SECRET], version="1", allow=AllowList.parse("127.0.0.0/8"), timeout=10, resolver=NAMES,
        verify=trusted if trusted is True else str(trusted),
    )  # fmt: skip
    try:
        return sender.send(post(url))
    finally:
        sender.close()


def server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def old(context: ssl.SSLContext, newest: ssl.TLSVersion) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest


def is_told(answer: Answer, failure: str, *words: str) -> None:
    """The sentence has these words, and stands in the hint of the job and in what `send-example` says, there once."""
    assert (answer.status, answer.failure) == (None, failure)
    verdict = judge(answer, History())
    assert verdict.kind == "again"
    for word in words:
        assert word in answer.detail
    assert answer.detail in str(verdict.hint)
    assert explain(answer, verdict, "https://n8n.lan/").count(answer.detail) == 1


@contextmanager
def port(said: bytes | None) -> Iterator[int]:
    """A port where something else than TLS or HTTP answers; None resets the connection."""

    def run() -> None:
        line, _ = listener.accept()
        with line, suppress(OSError):  # The other side may be gone before the shutdown.
            line.recv(1)
            if said is None:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    "said", [http("400 Bad Request"), b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail.lan ESMTP\r\n", b"<!DOCTYPE html>"]
)
def test_a_port_without_tls_is_told_as_one(said: bytes) -> None:
    with port(said) as number:
        is_told(ask(f"https://n8n.lan:{number}/"), "tls", "does not speak TLS", "begin with http://")


@pytest.mark.parametrize("said", [b"", None], ids=["closed", "reset"])
def test_a_handshake_that_is_cut_is_told_as_one(said: bytes | None) -> None:
    with port(said) as number:
        is_told(ask(f"https://n8n.lan:{number}/"), "tls", "in the middle of the TLS handshake", "http://")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_protocol_is_told(trusted: Path, newest: ssl.TLSVersion) -> None:
    context = server(trusted)
    old(context, newest)
    with Receiver(tls=context) as receiver:
        is_told(ask(f"https://n8n.lan:{receiver.port}/", trusted), "tls", "TLS 1.2 or newer")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_wanted_client_certificate_is_told_and_nothing_was_received(trusted: Path, newest: ssl.TLSVersion) -> None:
    context = server(trusted)
    context.maximum_version = newest
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trusted)
    with Receiver(tls=context) as receiver:
        is_told(ask(f"https://n8n.lan:{receiver.port}/", trusted), "tls", "wants a client certificate")
    assert receiver.requests == []


def test_a_certificate_that_is_not_valid_now_is_told(tmp_path: Path) -> None:
    for since, until, word in ((-9, -1, "it has expired"), (1, 9, "not valid yet")):
        certificate = self_signed(tmp_path, "n8n.lan", since=since, until=until)
        with Receiver(tls=server(certificate)) as receiver:
            is_told(ask(f"https://n8n.lan:{receiver.port}/", certificate), "tls", "certificate was not accepted", word)


@pytest.mark.parametrize("host", ["other.lan", "127.0.0.1"])
def test_a_certificate_of_another_name_is_told(trusted: Path, host: str) -> None:
    with Receiver(tls=server(trusted)) as receiver:
        is_told(ask(f"https://{host}:{receiver.port}/", trusted), "tls", "certificate was not accepted", "another name")


def test_an_unknown_authority_is_told(tmp_path: Path, trusted: Path) -> None:
    with Receiver(tls=server(trusted)) as receiver:
        is_told(ask(f"https://n8n.lan:{receiver.port}/"), "tls", "signed by itself", "authority trusted here")
    with Receiver(tls=server(signed(tmp_path, "n8n.lan", "Somebody"))) as receiver:
        is_told(ask(f"https://n8n.lan:{receiver.port}/"), "tls", "authority unknown here")


@pytest.mark.parametrize("alert", [ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, ssl.ALERT_DESCRIPTION_INTERNAL_ERROR])
def test_a_name_that_the_host_has_no_certificate_for_is_told(trusted: Path, alert: int) -> None:
    context = server(trusted)
    context.sni_callback = lambda *_: alert
    with Receiver(tls=context) as receiver:
        is_told(ask(f"https://n8n.lan:{receiver.port}/", trusted), "tls", "has no certificate for the name in the URL")


def test_plain_http_to_a_port_of_tls_is_told(trusted: Path) -> None:
    """OpenSSL and Node close without a word, others send an alert."""
    with Receiver(tls=server(trusted)) as receiver:
        is_told(ask(f"http://n8n.lan:{receiver.port}/"), "reset", "must begin with https://")
    with port(b"\x15\x03\x01\x00\x02\x02\x16") as number:
        is_told(ask(f"http://n8n.lan:{number}/"), "tls", "speaks TLS", "must begin with https://")


@pytest.mark.parametrize(
    "said",
    [
        "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",  # nginx
        "Client sent an HTTP request to an HTTPS server.",  # Go, Caddy, Traefik
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.",  # Apache
        "Bad Request\r\nThis combination of host and port requires TLS.",  # Tomcat
    ],
)
def test_a_server_that_says_so_in_plain_http_is_understood(said: str) -> None:
    with Receiver(lambda request: http("400 Bad Request", said.encode())) as receiver:
        answer = ask(f"http://n8n.lan:{receiver.port}/")
    verdict = judge(answer, History())
    assert (verdict.kind, verdict.code) == ("stop", "webhook_rejected")
    assert "must begin with https://" in str(verdict.hint)
    assert "must begin with https://" in explain(answer, verdict, "http://n8n.lan/")


def test_a_server_that_wants_a_client_certificate_after_the_handshake_is_understood(trusted: Path) -> None:
    said = b"<center>No required SSL certificate was sent</center>"  # nginx
    with Receiver(lambda request: http("400 Bad Request", said), tls=server(trusted)) as receiver:
        verdict = judge(ask(f"https://n8n.lan:{receiver.port}/", trusted), History())
    assert verdict.kind == "stop"
    assert "client certificate" in str(verdict.hint)
