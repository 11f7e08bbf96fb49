"""Log lines on their way to standard error, by a thread of their own.

Whoever reads the log (supervisor, a terminal) is woken by every write, and a worker gave a third of its time to that. A
line therefore waits some milliseconds for company; from warnings on nothing waits. A process killed with -9 loses the
lines of its last milliseconds, which tell nothing that its rows do not.

The reader may also hang, or be gone. Lines that nobody can be given must not stop the work they tell of: they are held
up to a bound, beyond it counted.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from multiprocessing import util
from queue import SimpleQueue

import structlog

COMPANY = 0.01  # seconds a line waits for others
MOST = 20_000  # lines held for a reader that hangs
PATIENCE = 1.0  # seconds for which an urgent line is waited for, and the last ones of a process
_PIECE = 4096  # bytes; a pipe takes so many at once without tearing a line that another process writes


class LogWriter:
    """A structlog logger, and a stream for the standard library's; one for the process."""

    def __init__(self) -> None:
        self._anew()

    def _anew(self) -> None:
        """Nothing waits and nobody writes: also in a forked child, which inherits no threads."""
        self._begin_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # In C: a time limit that strikes in the middle of `put` leaves no lock behind.
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._hurry = threading.Event()
        self._lost = 0

    def info(self, line: str) -> None:
        """Write the line soon."""
        self.write(line + "\n")

    def warning(self, line: str) -> None:
        """Write the line, and all before it, now."""
        self.write(line + "\n")
        self.flush()

    debug = info
    error = critical = warning

    def write(self, text: str) -> None:
        """Text that ends its line; `flush` hurries it."""
        if self._thread is None:
            self._begin()
        if self._lines.qsize() < MOST or self._thread is threading.current_thread():
            self._lines.put(text)
        else:
            self._lost += 1

    def flush(self) -> None:
        """Return when everything is written, after a second at the latest."""
        if self._thread is None or self._thread is threading.current_thread():
            return
        written = threading.Event()
        self._lines.put(written)
        self._hurry.set()
        written.wait(PATIENCE)

    def _begin(self) -> None:
        with self._begin_lock:
            if self._thread is None:
                os.register_at_fork(after_in_child=self._anew)
                atexit.register(self.flush)
                util.Finalize(None, self.flush, exitpriority=0)  # multiprocessing's children end without atexit
                self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        told = 0
        while True:
            held = [self._lines.get()]
            self._hurry.wait(COMPANY)
            self._hurry.clear()
            held += [self._lines.get() for _ in range(self._lines.qsize())]
            self._put_out([text for text in held if isinstance(text, str)])
            for written in held:
                if isinstance(written, threading.Event):
                    written.set()
            if self._lost > told:
                lost, told = self._lost - told, self._lost
                structlog.get_logger().warning("log.lines_lost", lines=lost)

    @staticmethod
    def _put_out(lines: list[str]) -> None:
        """Whole lines together, in pieces that are not torn."""
        piece = b""
        with contextlib.suppress(OSError):  # nobody is left to read them
            for line in lines:
                more = line.encode(errors="replace")
                if piece and len(piece) + len(more) > _PIECE:
                    _write(piece)
                    piece = b""
                piece += more
            _write(piece)


def _write(piece: bytes) -> None:
    """To the file itself: `dramatiq` gives its workers a sys.stderr that its parent reads and writes once more."""
    while piece:
        piece = piece[os.write(2, piece) :]


WRITER = LogWriter()
