"""Sends callbacks: signed by Standard Webhooks, only to allowed addresses, bounded in bytes and time.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import socket
import ssl
import string
import threading
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from datetime import UTC, datetime
from http.client import BadStatusLine
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from requests.exceptions import SSLError, Timeout
from ssrfguard import Resolver, SSRFGuardError
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from actors.deliver.answer_bodies import MAX_BYTES, head
from actors.deliver.exact_http import CONNECT_SECONDS, Deadlines, ExactAdapter, Exchange
from actors.deliver.tls_faults import is_before_any_request, tls_fault
from schema.callbacks.allow_list import AllowList
from schema.callbacks.receiver_headers import ReceiverHeaders, spellings
from schema.callbacks.urls import HOW_TO_ALLOW, check_literal
from schema.callbacks.verdicts import seconds_of
from schema.errors import Refused
from schema.ports import Answer, Post

E = TypeVar("E", bound=BaseException)

_REFUSED = f"The host's name leads to a private, local or reserved address. {HOW_TO_ALLOW}"
_CLOSED = "The connection was closed before an answer came."
_SPEAKS_TLS = "The port speaks TLS: the URL must begin with https://."


class SignedSender:
    """The Sender port over HTTP. Threads may share it; `connections` should be their number.

    Each of the `secrets` (`whsec_…`, or plain base64) signs every POST, so that secrets can be rotated. One whole
    exchange takes at most `timeout` seconds. A `resolver` replaces socket.getaddrinfo, and its answers are checked too.
    For `verify` see requests: True, or the path of an authority's certificates. Each header goes to its origin alone.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        version: str,
        allow: AllowList,
        timeout: float = 30.0,
        connections: int = 32,
        resolver: Resolver | None = None,
        verify: bool | str = True,
        headers: ReceiverHeaders | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._signers = [signer(secret) for secret in secrets]
        self._agent = f"reportq/{version} (+webhooks)"
        self._allow = allow
        self._timeout = timeout
        self._connections = connections
        self._verify = verify
        self._receivers = headers or ReceiverHeaders()
        self._now = now
        self._lookups = ThreadPoolExecutor(max_workers=connections, thread_name_prefix="webhook-dns")
        self._resolver = resolver or socket.getaddrinfo
        self._deadlines = Deadlines()
        self._current = threading.local()
        self._adapters: dict[int, ExactAdapter] = {}
        self._opening = threading.Lock()

    def send(self, post: Post) -> Answer:
        """Send one POST and return its answer; ports.Answer lists the failures.

        After "connect", "tls" and "refused_address" the other side cannot have received anything. After "timeout",
        "reset" and "too_large" it may have.
        """
        started = time.monotonic()
        try:
            check_literal(post.url, self._allow)
            exchange = Exchange(_target(post.url), started + self._timeout)
            request = requests.Request("POST", post.url, self._headers(post), data=post.body).prepare()
            wanted = self._receivers.of(str(request.url))
            request.headers.update(wanted)
            adapter = self._adapter_for(str(request.url))
        except (Refused, requests.RequestException, ValueError) as refused:
            detail = getattr(refused, "detail", "The callback URL cannot be called.")
            return _no_answer("refused_address", detail, started)
        self._current.exchange = exchange
        self._deadlines.watch(exchange)
        try:
            response = adapter.send(
                request,
                stream=True,  # the body is read below, within bounds
                timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
                verify=self._verify,
                proxies=None,
            )
            hidden = {form for value in wanted.values() for form in spellings(value)}
            return _read(response, post.url, hidden, exchange, started)
        except SSRFGuardError:  # its message names the address, and nobody else may learn where a private name points
            return _no_answer("refused_address", _REFUSED, started)
        except Exception as error:  # requests, urllib3 and http.client raise many classes
            if _is_taken(exchange.status):  # the answer is broken, but its status says that the callback was taken
                return Answer(exchange.status, None, "", "", None, time.monotonic() - started)
            return _no_answer(*_classify(error, exchange, self._timeout, post.url), started)
        finally:
            exchange.end()
            self._current.exchange = None

    def close(self) -> None:
        """Close the connections, without waiting for lookups that hang."""
        for adapter in self._adapters.values():
            adapter.close()
        self._deadlines.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    def _headers(self, post: Post) -> dict[str, str]:
        """The headers of a POST. Ours replace the post's own, because what is signed must be what is sent."""
        now = self._now()
        body = post.body.decode()
        headers = {
            **{name.lower(): value for name, value in post.headers.items()},
            "user-agent": self._agent,
            "accept": "application/json, */*;q=0.5",
            "accept-encoding": "identity",
            "webhook-id": post.webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        headers.setdefault("content-type", "application/json")
        signatures = [sign.sign(post.webhook_id, now, body) for sign in self._signers]
        if signatures:
            headers["webhook-signature"] = " ".join(signatures)
        return headers

    def _adapter_for(self, url: str) -> ExactAdapter:
        """The connection pool of the policy for this origin; `url` is in its prepared form."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        policy = self._allow.policy_for((parts.hostname or "").lower(), port)
        with self._opening:
            adapter = self._adapters.get(id(policy))
            if adapter is None:
                adapter = ExactAdapter(
                    current=self._current,
                    policy=policy,
                    resolver=self._lookup,
                    pool_connections=max(64, self._connections),
                    pool_maxsize=self._connections,
                    max_retries=0,  # the schedule retries
                )
                self._adapters[id(policy)] = adapter  # the adapter keeps its policy, so no id is reused
            return adapter

    def _lookup(self, host: str, port: int, family: int, kind: int, protocol: int, flags: int) -> Any:
        """Resolve within the exchange's time: getaddrinfo itself has no timeout."""
        if flags & socket.AI_NUMERICHOST:  # an address needs no lookup
            return socket.getaddrinfo(host, port, family, kind, protocol, flags)
        left = self._current.exchange.deadline - time.monotonic()
        try:
            asked = self._lookups.submit(self._resolver, host, port, family, kind, protocol, flags)
            return list(asked.result(max(left, 0)))
        except NotInTime:
            raise socket.gaierror(socket.EAI_AGAIN, "the name was not resolved in time") from None
        except UnicodeError:  # a label that no DNS name can hold
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from None


def signer(secret: str) -> Webhook:
    """One signing key. Raises ValueError unless it holds 24 to 64 bytes (Standard Webhooks, "Signature scheme")."""
    try:
        webhook = Webhook(secret)
        size = len(webhook._whsecret)
    except (ValueError, EmptyWebhookSecretError):
        size = 0
    if not 24 <= size <= 64:
        raise ValueError("A webhook secret is whsec_ and the base64 of 24 to 64 random bytes.")
    return webhook


def _target(url: str) -> str:
    """The request target exactly as in the URL; only what is not ASCII is percent-encoded, as UTF-8."""
    after = url.partition("://")[2].partition("#")[0]
    cut = min((position for mark in "/?" if (position := after.find(mark)) >= 0), default=len(after))
    target = quote(after[cut:], safe=string.printable)
    return target if target.startswith("/") else f"/{target}"


def _is_taken(status: int | None) -> bool:
    """Whether the status says that the callback was taken. Then it must not be sent again, whatever follows."""
    return status is not None and 200 <= status < 300


def _read(response: requests.Response, asked: str, hidden: Set[str], exchange: Exchange, started: float) -> Answer:
    """The answer's status and the head of its body, without what is `hidden`.

    A 2xx counts as soon as its head is there, even when its body never ends or breaks off. Other answers are judged by
    their body, so one whose body is not there in time is no answer.
    """
    if exchange.status is None:  # cut within its head
        response.raw.close()
        raise TimeoutError
    taken = _is_taken(response.status_code)
    body = b""
    try:
        body = response.raw.read(MAX_BYTES + 1, decode_content=False)
    except Exception:
        if not taken:
            raise
    finally:
        if exchange.expired or len(body) > MAX_BYTES:
            response.raw.close()
        else:
            response.close()
    if exchange.expired and not taken:
        raise TimeoutError
    content_type = response.headers.get("content-type", "")[:200]
    encoding = response.headers.get("content-encoding", "")[:200]
    return Answer(
        status=response.status_code,
        failure=None,
        content_type=content_type,
        body_head=head(body[:MAX_BYTES], asked, hidden, encoding=encoding, content_type=content_type),
        retry_after=None if taken else seconds_of(response.headers.get("retry-after")),
        duration=time.monotonic() - started,
    )


def _classify(error: Exception, exchange: Exchange, timeout: float, url: str) -> tuple[str, str]:
    """The `failure` and a sentence for an exchange that ended without an answer."""
    tls = _cause(error, ssl.SSLError)
    if exchange.expired or (exchange.sent and _cause(error, Timeout, TimeoutError)):
        if exchange.sent:
            return "timeout", f"No complete answer came within {timeout:g} seconds."
        return "connect", f"The connection was not ready within {timeout:g} seconds."
    if exchange.sent and not is_before_any_request(tls):
        if str(_cause(error, BadStatusLine)).startswith("\x15\x03"):  # a TLS alert: it did not understand plain HTTP
            return "tls", _SPEAKS_TLS
        if "header" in str(error).lower() or "line" in str(error).lower():
            return "too_large", "The head of the answer is malformed or too large."
        if url.lower().startswith("http://"):  # Node's TLS closes on plain HTTP
            return "reset", f"{_CLOSED} If the port speaks TLS, the URL must begin with https://."
        return "reset", _CLOSED
    if tls or _cause(error, SSLError):
        return "tls", tls_fault(tls)
    if _cause(error, socket.gaierror):
        return "connect", "The host's name could not be resolved."
    if _cause(error, Timeout, TimeoutError):
        return "connect", "The host did not answer the connection."
    if exchange.is_connected:
        return "tls", tls_fault(ssl.SSLEOFError())
    return "connect", "The host refused the connection."


def _cause(error: BaseException, *kinds: type[E]) -> E | None:
    """The error, or what it wraps, that is of one of these kinds."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, kinds):
            return one
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return None


def _no_answer(failure: str, detail: str, started: float) -> Answer:
    return Answer(None, failure, "", "", None, time.monotonic() - started, detail)
