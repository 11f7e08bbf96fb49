"""Which row each thread works on, and whether the process is being stopped."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dramatiq
import structlog

from schema.http import traces
from schema.rows.deliveries import ClaimedDelivery
from schema.rows.jobs import ClaimedJob
from schema.rows.leases import Leased
from schema.rows.messages import QUEUES


@dataclass(slots=True)
class Attempt:
    """One start of one row, from claim to outcome."""

    leased: Leased[Any]
    row: ClaimedJob | ClaimedDelivery
    hard_limit: float  # monotonic seconds; from then on the lease is not prolonged
    lost: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> str:
        row: Mapping[str, object] = self.row
        return str(row[self.leased.key])

    @property
    def start_no(self) -> int:
        return self.row["start_no"]


class Attempts:
    """The running attempts of a process, one per thread."""

    def __init__(self) -> None:
        self._by_thread: dict[int, Attempt] = {}
        self._mutex = threading.Lock()
        self.stopping = threading.Event()
        self.begun: Callable[[Attempt], None] = lambda attempt: None
        self.last_begun: dict[str, float] = {}  # table → monotonic moment of its last claim here

    def begin(self, attempt: Attempt) -> None:
        """This thread now works on that row: its lease is prolonged, and its log lines name the row."""
        structlog.contextvars.bind_contextvars(**traces.fields_of(attempt.row))
        with self._mutex:
            self._by_thread[threading.get_ident()] = attempt
            self.last_begun[attempt.leased.table] = attempt.began
        self.begun(attempt)

    def current(self) -> Attempt | None:
        """The attempt that this thread works on."""
        return self._by_thread.get(threading.get_ident())

    def end(self) -> None:
        """This thread is free again."""
        with self._mutex:
            self._by_thread.pop(threading.get_ident(), None)

    def running(self) -> list[Attempt]:
        """Every attempt of the process."""
        with self._mutex:
            return list(self._by_thread.values())


@dataclass(eq=False)
class Lifecycle(dramatiq.Middleware):
    """Ends each attempt with its message, and notes when the worker is being stopped.

    Without it, a thread seems busy for ever, and a graceful stop waits for the longest report.
    """

    attempts: Attempts
    warm_up: Callable[[frozenset[str]], None] = lambda queues: None

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self.attempts.end()
        structlog.contextvars.clear_contextvars()

    def after_skip_message(self, broker: Any, message: Any) -> None:
        self.attempts.end()

    def before_worker_boot(self, broker: Any, worker: Any) -> None:
        # One message per thread, so that no job waits behind a long one while another thread is idle (DESIGN §5).
        worker.queue_prefetch = worker.delay_prefetch = worker.worker_threads
        # Made here, by one thread. Otherwise each of the first jobs makes a renderer and clients of its own.
        self.warm_up(frozenset(worker.consumer_whitelist or QUEUES))

    def before_worker_shutdown(self, broker: Any, worker: Any) -> None:
        self.attempts.stopping.set()
