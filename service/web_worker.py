"""gunicorn's threaded worker, with four habits that its callers notice.

A thread *stays* a moment with the caller it has answered, unless others wait for a thread. In plain gunicorn one thread
watches all connections: it gets each one back after an answer, and hands each request to a thread. These two hand-overs
cost more than the request itself.

A process whose threads are all at work *lets the others go first*. When many connections are opened at once, the process
that wakes first would take all of them. The other process would stay idle for as long as they are kept.

A body that nobody wanted (too large, or without a key) *is read before the answer is sent*. A caller that is cut off
while it sends sees no answer; and gunicorn closes a connection that it has promised to keep.

A connection that is not kept *closes at once*. Plain gunicorn waits up to two seconds until the caller closes it, in
the one thread that watches all connections. Callers who do not close keep all others waiting.

It also stops work in order. The work beside the requests (the embedded default's workers) is told to stop as soon as
the process is. It gets its time to end, whatever ends the process.
"""

import contextlib
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

_STAY = 2  # Milliseconds. Whoever comes meanwhile waits no longer than this for a thread.
_LET_GO_FIRST = 0.0005  # Seconds: time enough for an idle process to wake up and accept.
# How much of an unwanted body is read and thrown away, and for how long. After that the connection closes.
_PIECE, _PIECES, _SECONDS = 65_536, 256, 5.0


def close_at_once(connection: socket.socket, *_: object) -> None:
    """Say goodbye, throw away what has come by now, and close: unread bytes would cut off the answer that was sent."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.setblocking(False)
        for _piece in range(_PIECES):
            if not connection.recv(_PIECE):
                break
    with contextlib.suppress(OSError):
        connection.close()


_beside: list[Callable[[], None]] = []


def at_stop(work: Callable[[], None]) -> None:
    """Have `work` done once, beside the last requests, when this process is told to stop."""
    _beside.append(work)


class _Threads(ThreadPoolExecutor):
    def wanted(self) -> bool:
        """Whether somebody waits for a thread."""
        return not self._work_queue.empty()


class WebWorker(ThreadWorker):  # type: ignore[misc]
    """One process of the API."""

    def init_process(self) -> None:
        # A signal may come while its thread holds any lock: `put` alone is safe then (queue.SimpleQueue).
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()
        stopper = threading.Thread(target=self._stop_what_is_beside, name="stopper", daemon=True)
        stopper.start()
        util.close_graceful = close_at_once
        try:
            super().init_process()  # which serves until the process is to end
        finally:
            self._heed_no_more()
            self._told.put(None)
            stopper.join()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop once the requests that have come are answered."""
        super().handle_exit(sig, frame)
        self._told.put(None)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop without answering; Ctrl-C, which gunicorn's master passes on once more."""
        self._heed_no_more()
        self._told.put(None)
        super().handle_quit(sig, frame)

    def _heed_no_more(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)

    def _stop_what_is_beside(self) -> None:
        self._told.get()
        for work in _beside:
            work()

    def get_thread_pool(self) -> _Threads:
        return _Threads(max_workers=self.cfg.threads)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi: Any = _read_out(self.wsgi)

    def handle(self, conn: Any) -> Any:
        """Serve the request that has come, and those that follow at once (runs in a thread)."""
        while True:
            kept = super().handle(conn)
            if kept is not True or not self.alive or self.tpool.wanted() or not _speaks(conn.sock):
                return kept

    def accept(self, listener: Any) -> None:
        """Take one connection; another process may have been quicker (runs in the thread that watches)."""
        busy = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        if busy >= self.cfg.threads:
            time.sleep(_LET_GO_FIRST)
        super().accept(listener)


def _read_out(app: Any) -> Any:
    """The application, with every answer sent only after the request's body has been read to its end."""

    def answered(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            if not _ended(environ["wsgi.input"]):
                start_response.__self__.force_close()
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return answered


def _ended(body: Any) -> bool:
    until = time.monotonic() + _SECONDS
    for _ in range(_PIECES):
        try:
            if not body.read(_PIECE):
                return True
        except Exception:  # the caller went silent, or does not send HTTP: gunicorn closes
            return False
        if time.monotonic() > until:
            break
    return False


def _speaks(sock: Any) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(_STAY))
