"""One POST over a guarded, kept-alive connection: sent byte for byte, answered within a total time.

`requests` and `ssrfguard` do the HTTP and the guarding. This module adds, on the connection alone, what neither offers:

- The request target goes out as it was given. If `%2f` or `..` changed, as in urllib3, a resume URL's signature breaks.
- A whole exchange ends at its deadline. A socket's own timeout starts anew with every byte.
- Every address of a name is tried within that time.
- A status counts as soon as the final answer's head is there, even when the rest is broken.
- A connection is not reused when it was idle longer than Node keeps one, or holds unread bytes. The next exchange would
  take those bytes for its own answer.
"""

import contextlib
import heapq
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

from ssrfguard import Address, Policy, Resolver, connect, resolve
from ssrfguard.requests import SafeAdapter
from urllib3.connectionpool import HTTPConnectionPool

from actors.deliver.bounded_answers import BoundedAnswer

IDLE_SECONDS = 4.0  # Node.js closes idle connections after 5.
CONNECT_SECONDS = 5.0  # For one address of a name.
MAX_ADDRESSES = 32  # Addresses tried of one name; its DNS server, a stranger, decides how many there are.


class Exchange:
    """One request under way: its target, its deadline (monotonic seconds), and how far it has come."""

    def __init__(self, target: str, deadline: float) -> None:
        self.target = target
        self.deadline = deadline
        self.sent = False  # from here on the other side may have received the request
        self.expired = False
        self.status: int | None = None  # of the answer, once its whole head has been read
        self._line: socket.socket | None = None
        self._owns_line = False
        self._ended = False
        self._lock = threading.Lock()

    def runs_on(self, line: socket.socket) -> None:
        """Name the connection to be cut at the deadline."""
        with self._lock:
            self._line = line
        if time.monotonic() >= self.deadline:
            self.expire()

    @property
    def is_connected(self) -> bool:
        """Whether a connection was made, of which TLS may still have to be negotiated."""
        return self._line is not None

    def expire(self) -> None:
        """Cut the connection, unless the exchange has ended: then another one may use it."""
        with self._lock:
            if self._ended or self._line is None:
                return
            self.expired = True
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def answered(self, status: int) -> None:
        """Note the status, unless the deadline cut the head short: http.client takes that for its end."""
        with self._lock:
            if not self.expired:
                self.status = status

    def takes_over(self, line: socket.socket) -> bool:
        """Keep the line of a connection that closes while its answer is still read; whether this exchange keeps it.

        http.client closes the connection as soon as an answer's head says that nothing follows its body.
        """
        with self._lock:
            self._owns_line = not self._ended and self._line is line
            return self._owns_line

    def end(self) -> None:
        with self._lock:
            self._ended = True
            if self._owns_line and self._line is not None:
                self._line.close()
            self._line = None


class Deadlines:
    """A thread that ends exchanges at their deadlines. It starts with the first one."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Exchange]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, exchange: Exchange) -> None:
        with self._changed:
            heapq.heappush(self._due, (exchange.deadline, next(self._numbers), exchange))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhook-deadlines", daemon=True)
                self._thread.start()
            elif self._due[0][2] is exchange:
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                exchange = heapq.heappop(self._due)[2]
            exchange.expire()


class ExactAdapter(SafeAdapter):
    """ssrfguard's adapter with the connections described above. One exchange a thread at a time."""

    def __init__(self, *, current: threading.local, **options: Any) -> None:
        self._current = current  # before the base class, which builds the pools
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        usual = self.poolmanager.pool_classes_by_scheme.items()
        exact = {scheme: _exact(made, scheme, self._current, self.policy, self.resolver) for scheme, made in usual}
        self.poolmanager.pool_classes_by_scheme = exact


def _by_turns(addresses: Sequence[Address]) -> list[Address]:
    """The first address of each family, then the second ones, and so on: one whole family may lead nowhere."""
    families = {address.family: [one for one in addresses if one.family == address.family] for address in addresses}
    turns = itertools.chain.from_iterable(itertools.zip_longest(*families.values()))
    return [address for address in turns if address is not None][:MAX_ADDRESSES]


def _connected(addresses: Sequence[Address], policy: Policy, options: Any, deadline: float) -> socket.socket:
    """A connection to the first address that answers, each in its share of the time until `deadline`.

    Raises OSError when none does; TimeoutError when all were silent.
    """
    failed: OSError = TimeoutError("no time is left to connect")
    for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        share = min(CONNECT_SECONDS, (deadline - time.monotonic()) / waiting)
        if share <= 0:
            break
        try:
            return connect([address], policy=policy, timeout=share, socket_options=options)
        except OSError as error:
            if isinstance(failed, TimeoutError):  # a refusal says more than silence
                failed = error
    raise failed


def _exact(
    pool_class: Any, scheme: str, current: threading.local, policy: Policy, resolver: Resolver | None
) -> type[HTTPConnectionPool]:
    """A pool class whose connections know the exchange that their thread is in."""

    class NotingResponse(BoundedAnswer):
        def begin(self) -> None:
            super().begin()
            current.exchange.answered(self.status)

    class ExactConnection(pool_class.ConnectionCls):  # type: ignore[misc]
        _line: socket.socket | None = None
        _used = 0.0
        _answer: NotingResponse | None = None

        def response_class(self, *args: Any, **options: Any) -> NotingResponse:
            self._answer = NotingResponse(*args, **options)
            return self._answer

        def _new_conn(self) -> socket.socket:
            host = f"[{self._dns_host}]" if ":" in self._dns_host else self._dns_host
            found = resolve(policy.check_url(f"{scheme}://{host}:{self.port}/"), policy=policy, resolver=resolver)
            opened = _connected(_by_turns(found), policy, self.socket_options, current.exchange.deadline)
            opened.settimeout(self.timeout)
            # A second handle on the same connection: TLS takes the first one over during its handshake.
            self._line = opened.dup()
            current.exchange.runs_on(self._line)
            return opened

        @property
        def is_connected(self) -> bool:
            if time.monotonic() - self._used >= IDLE_SECONDS or (self._answer is not None and self._answer.left_over):
                return False
            undecoded = getattr(self.sock, "pending", int)  # `select` does not see what TLS holds
            return not undecoded() and bool(super().is_connected)

        def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            exchange: Exchange = current.exchange
            if self._line is not None:
                exchange.runs_on(self._line)
            super().putrequest(method, exchange.target, *args, **kwargs)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            current.exchange.sent = True
            try:
                super().send(data)
            except ssl.SSLEOFError as closed:  # then urllib3 reads why the other side closed, as it does without TLS
                raise BrokenPipeError from closed

        def getresponse(self) -> Any:
            answer = super().getresponse()
            self._used = time.monotonic()
            return answer

        def close(self) -> None:
            line, self._line = self._line, None
            exchange: Exchange | None = getattr(current, "exchange", None)
            if line is not None and (exchange is None or not exchange.takes_over(line)):
                line.close()
            super().close()

    class ExactPool(pool_class):  # type: ignore[misc]
        ConnectionCls = ExactConnection

    return ExactPool
