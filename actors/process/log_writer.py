"""Writes log lines to standard error, in a thread of its own.

Each write wakes the log's reader (supervisor, a terminal); this once took a third of a worker's time. So a line waits some
milliseconds for others and is written with them. Warnings and errors do not wait. A process killed with -9 loses its
last lines; its rows say the same.

The reader may also hang, or be gone. That must not stop the work: lines are held up to a bound, and beyond it only
counted.
"""

import atexit
import contextlib
import os
import threading
from multiprocessing import util
from queue import SimpleQueue

import structlog

COMPANY = 0.01  # Seconds for which a line waits for others.
MOST = 20_000  # Lines held for a reader that hangs.
PATIENCE = 1.0  # Seconds to wait until an urgent line, or a process's last lines, are written.
_PIECE = 4096  # Bytes that a pipe takes at once, so that lines of several processes do not mix.


class LogWriter:
    """A structlog logger, and a stream for the standard library's; one for the process."""

    def __init__(self) -> None:
        self._anew()

    def _anew(self) -> None:
        """Begin without lines and without a thread; a forked child does so too, since it inherits no threads."""
        self._begin_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # Written in C: a time limit that strikes during `put` leaves no lock behind.
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
        """Take text that ends its line; `flush` writes it at once."""
        if self._thread is None:
            self._begin()
        if self._lines.qsize() < MOST or self._thread is threading.current_thread():
            self._lines.put(text)
        else:
            self._lost += 1

    def flush(self) -> None:
        """Wait until everything is written, at most a second."""
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
        """Write whole lines, in pieces that no other process can interrupt."""
        piece = b""
        with contextlib.suppress(OSError):  # the reader is gone
            for line in lines:
                more = line.encode(errors="replace")
                if piece and len(piece) + len(more) > _PIECE:
                    _write(piece)
                    piece = b""
                piece += more
            _write(piece)


def _write(piece: bytes) -> None:
    """Write to the descriptor itself: `dramatiq` gives workers a sys.stderr that its parent copies a second time."""
    while piece:
        piece = piece[os.write(2, piece) :]


WRITER = LogWriter()
