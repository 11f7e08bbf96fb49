"""Counters and histograms that are right under many processes: each process counts into files of its own.

The format is prometheus_client's own for many processes. Only the file's name differs: it holds a *slot* in place of
the process id. A slot is the lowest free number on this host, held by a file lock that the kernel frees even after
kill -9. A new process takes the slot of a dead one and counts on from its numbers. So counters never fall, and dead
processes leave no files. A killed process loses at most one event, which it had committed and not yet counted.

A full disk costs only metrics. What it refuses is held and written later (middleware/meters/value_file.py). When not even
a file can be made, nothing is counted. The log says so once. What is counted here and what in rows: schema/metrics/table.py.
"""

import contextlib
import os
import threading
import time
import weakref
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from prometheus_client import utils

from middleware.meters.value_file import ValueFile, is_whole, key_of, open_file, take_slot
from schema.metrics import table as metrics
from schema.metrics.table import COUNTER, GAUGE, HISTOGRAM, Metric

log = structlog.get_logger()

number_text: Callable[[float], str] = utils.floatToGoString

AGAIN = 1.0  # seconds between two tries to write what a disk has refused
_LATEST = "gauge_mostrecent"  # the file's name tells prometheus_client how to combine the values of several files


# One series: this process's file, and the places of its values there. No other process writes under our slot.
_Series = tuple[ValueFile, list[int]]


def folder_of(run_dir: str, part: str) -> Path:
    """Where this host's processes of one part (metrics.API, metrics.WORKERS) keep their files."""
    return Path(run_dir) / "metrics" / part


class Meters:
    """This process's counters. They open their files at the first event, so that a fork inherits none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutex = threading.Lock()
        self._owner = self._slot = 0
        self._again_at = 0.0
        self._catching_up: threading.Thread | None = None
        self._files: dict[str, ValueFile] = {}
        self._series: dict[tuple[str, str, tuple[str, ...]], _Series] = {}

    def count(self, metric: Metric, amount: float = 1.0, **labels: str) -> None:
        """Raise a declared counter."""
        self._add(metric, COUNTER, amount, labels)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Put one value into a declared histogram."""
        self._add(metric, HISTOGRAM, value, labels)

    def note(self, metric: Metric, moment: float, **labels: str) -> None:
        """Set a declared gauge to a moment, in seconds since 1970; 0 for none."""
        self._add(metric, GAUGE, moment, labels)

    def _add(self, metric: Metric, kind: str, value: float, labels: Mapping[str, str]) -> None:
        values = tuple(map(labels.__getitem__, metric.labels))
        if len(values) != len(labels):
            raise ValueError(f"{metric.name} has the labels {', '.join(metric.labels)}")
        try:
            with self._mutex:
                if not self._opened():
                    return
                series = self._series.get((kind, metric.name, values)) or self._begin(metric, kind, values)
                _write(series, metric, max(0.0, value))
        except OSError as error:  # a full disk must not fail a job that is done
            if self._is_news(troubled=True):
                log.warning("metrics.not_written", folder=str(self._folder), error=error.strerror)
        else:
            if _TROUBLED and not self._behind():
                self._recovered()
        finally:
            if self._behind():
                self._have_it_caught_up()

    def _behind(self) -> list[ValueFile]:
        return [file for file in self._files.values() if file.behind]

    def _have_it_caught_up(self) -> None:
        with self._mutex:
            if self._catching_up is None or not self._catching_up.is_alive():
                self._catching_up = threading.Thread(target=self._catch_up, name="metrics", daemon=True)
                self._catching_up.start()

    def _catch_up(self) -> None:
        """Write what the disk has refused; try once a second until it succeeds."""
        while True:
            time.sleep(AGAIN)
            with self._mutex:
                with contextlib.suppress(OSError):
                    for file in self._behind():
                        file.catch_up()
                if not self._behind():
                    self._catching_up = None  # under the lock: what is refused from now on needs another thread
                    break
        self._recovered()

    def _recovered(self) -> None:
        if self._is_news(troubled=False):
            log.info("metrics.written_again", folder=str(self._folder))

    def _is_news(self, *, troubled: bool) -> bool:
        """Note whether the folder refuses us; True when this process has not logged that yet."""
        with _TELLING:
            others = any(meters is not self and meters._folder == self._folder for meters in _TROUBLED)
            changed = (self in _TROUBLED) != troubled
            (_TROUBLED.add if troubled else _TROUBLED.discard)(self)
        return changed and not others

    def _begin(self, metric: Metric, kind: str, values: tuple[str, ...]) -> _Series:
        """A series that goes on from its slot's values; every bucket exists from the first value on."""
        if metric.kind != kind or metric.kept != metrics.FILES or metrics.TABLE.get(metric.name) is not metric:
            raise ValueError(f"{metric.name} is not declared as a {kind} of files")
        if kind == GAUGE and GAUGE not in self._files:  # few processes have one
            self._files[GAUGE] = open_file(self._folder / f"{_LATEST}_{self._slot}.db")
        file = self._files[kind]
        series = file, [file.place(key) for key in _keys(metric, values)]
        self._series[kind, metric.name, values] = series
        return series

    def _opened(self) -> bool:
        """Whether this process has its files; while they cannot be made, it tries once a second."""
        if self._owner == os.getpid():
            return True
        if time.monotonic() < self._again_at:
            return False
        self._again_at = time.monotonic() + AGAIN
        self._folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as undo:
            self._slot, lock = take_slot(self._folder)
            undo.callback(os.close, lock)
            self._series, self._files = {}, {}
            for kind in (COUNTER, HISTOGRAM):
                self._files[kind] = open_file(self._folder / f"{kind}_{self._slot}.db")
                undo.callback(self._files[kind].close)
            undo.pop_all()
        self._owner, self._again_at = os.getpid(), 0.0
        # Not at the process's end: threads that still count would find a closed file, and the kernel closes it anyway.
        weakref.finalize(self, _let_go, lock, self._files).atexit = False
        return True


_TROUBLED: weakref.WeakSet[Meters] = weakref.WeakSet()  # those whose disk refuses writes
_TELLING = threading.Lock()


def _write(series: _Series, metric: Metric, value: float) -> None:
    file, places = series
    if metric.kind == GAUGE:
        file.set([(places[0], value)], time.time())
    elif metric.kind == COUNTER:
        file.set([(places[0], file.value(places[0]) + value)])
    else:
        bucket, total = places[bisect_left(metric.buckets, value)], places[-1]
        file.set([(bucket, file.value(bucket) + 1.0), (total, file.value(total) + value)])


def _let_go(lock: int, files: dict[str, ValueFile]) -> None:
    for file in files.values():
        file.close()
    os.close(lock)


def _keys(metric: Metric, values: tuple[str, ...]) -> list[str]:
    """The keys of one series: one for a counter or gauge; for a histogram its buckets, +Inf, and last the sum."""
    names = list(metric.labels)
    if metric.kind != HISTOGRAM:
        return [key_of(metric.name, metric.name, names, list(values), "")]
    edges = [number_text(edge) for edge in (*metric.buckets, float("inf"))]
    buckets = [key_of(metric.name, f"{metric.name}_bucket", [*names, "le"], [*values, edge], "") for edge in edges]
    return [*buckets, key_of(metric.name, f"{metric.name}_sum", names, list(values), "")]


def files_of(folder: Path) -> list[str]:
    """The readable files of this host's slots. A torn file is left to its slot's next owner."""
    return sorted(str(path) for path in folder.glob("*.db") if is_whole(path))
