"""Counters and histograms that are right under many processes: each process counts into files of its own.

The format is prometheus_client's own for many processes; what differs is the file's name. It is not the process id but
a *slot*: the lowest number nobody on this host holds (a file lock, let go by the kernel even after kill -9). A process
that is started again takes the slot of one that is gone and counts on from its numbers, so counters never fall when a
worker dies, no file is left behind for each process that ever lived, and a killed process costs at most the one event
it had committed and not yet counted. A full disk costs metrics and nothing else: what it refuses is held and written
later (middleware/value_file.py); while not even a file can be made, nothing is counted. The log says so once.

Gauges are not kept here: a dead process could not take its own back. They are read from the rows
(schema/metrics/gauges.py). A moment is the exception, since it stays true: of those that were noted the latest is
shown.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dramatiq
import structlog
from prometheus_client import utils

from middleware.value_file import ValueFile, is_whole, key_of, open_file, take_slot
from schema.callbacks.verdicts import Verdict
from schema.metrics import table as metrics
from schema.metrics.table import COUNTER, GAUGE, HISTOGRAM, Metric
from schema.ports import Answer
from schema.rows.jobs import priority_word
from schema.rows.messages import QUEUES
from schema.sql.database import Row
from schema.sql.times import as_time

log = structlog.get_logger()

number_text: Callable[[float], str] = utils.floatToGoString

AGAIN = 1.0  # seconds between two tries to write what a disk has refused
_LATEST = "gauge_mostrecent"  # prometheus_client reads from a file's name how the values of several are put together


def folder_of(run_dir: str, part: str) -> Path:
    """Where this host's processes of one part (metrics.API, metrics.WORKERS) keep their files."""
    return Path(run_dir) / "metrics" / part


@dataclass(slots=True)
class _Series:
    """One series of this process's file: the places of its values there. Nobody else writes under our slot."""

    file: ValueFile
    places: list[int]


class Meters:
    """This process's counters. Nothing is opened before the first event, so that a fork inherits no file."""

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
            if self._behind() and (self._catching_up is None or not self._catching_up.is_alive()):
                self._catching_up = threading.Thread(target=self._catch_up, name="metrics", daemon=True)
                self._catching_up.start()

    def _behind(self) -> list[ValueFile]:
        return [file for file in self._files.values() if file.behind]

    def _catch_up(self) -> None:
        """Try once a second to write what the disk has refused, until it takes it."""
        while self._behind():
            time.sleep(AGAIN)
            with self._mutex, contextlib.suppress(OSError):
                for file in self._behind():
                    file.catch_up()
        self._recovered()

    def _recovered(self) -> None:
        if self._is_news(troubled=False):
            log.info("metrics.written_again", folder=str(self._folder))

    def _is_news(self, *, troubled: bool) -> bool:
        """Note whether the folder refuses us; True when nobody in this process has said so."""
        with _TELLING:
            others = any(meters is not self and meters._folder == self._folder for meters in _TROUBLED)
            changed = (self in _TROUBLED) != troubled
            (_TROUBLED.add if troubled else _TROUBLED.discard)(self)
        return changed and not others

    def _begin(self, metric: Metric, kind: str, values: tuple[str, ...]) -> _Series:
        """A series from what its slot has counted so far; every bucket exists from the first value on."""
        if metric.kind != kind or metric.kept != metrics.FILES or metrics.TABLE.get(metric.name) is not metric:
            raise ValueError(f"{metric.name} is not declared as a {kind} of files")
        if kind == GAUGE and GAUGE not in self._files:  # hardly any process has one
            self._files[GAUGE] = open_file(self._folder / f"{_LATEST}_{self._slot}.db")
        file = self._files[kind]
        series = _Series(file, [file.place(key) for key in _keys(metric, values)])
        self._series[kind, metric.name, values] = series
        return series

    def _opened(self) -> bool:
        """Whether this process has its files; when they cannot be made, that is tried once a second."""
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
        # Not when the process ends: threads that still count then would meet a closed file, and the kernel closes it.
        weakref.finalize(self, _let_go, lock, self._files).atexit = False
        return True


_TROUBLED: weakref.WeakSet[Meters] = weakref.WeakSet()  # those that a disk refuses
_TELLING = threading.Lock()


def _write(series: _Series, metric: Metric, value: float) -> None:
    file, places = series.file, series.places
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
    """The file's keys of one series: a counter's or gauge's one; a histogram's buckets, +Inf, and last the sum."""
    names = list(metric.labels)
    if metric.kind != HISTOGRAM:
        return [key_of(metric.name, metric.name, names, list(values), "")]
    edges = [number_text(edge) for edge in (*metric.buckets, float("inf"))]
    buckets = [key_of(metric.name, f"{metric.name}_bucket", [*names, "le"], [*values, edge], "") for edge in edges]
    return [*buckets, key_of(metric.name, f"{metric.name}_sum", names, list(values), "")]


class WorkerMeters(dramatiq.Middleware):
    """What a worker process tells: called by the actors, the retries and the housekeeper at each step they commit."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._queues: tuple[str, ...] = ()
        self._cpu = 0.0
        self._mutex = threading.Lock()
        self._here = threading.local()

    # -- hooks of the worker --------------------------------------------------------------------------------------

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        queues = tuple(sorted(worker.consumer_whitelist or QUEUES))
        self._queues = tuple(sorted({*self._queues, *queues}))
        for queue in queues:
            self._meters.count(metrics.WORKER_STARTS, queue=queue)
        self._note_cpu()

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self._note_cpu()

    def _note_cpu(self) -> None:
        """Add what the process has used since the last look; a process of both queues (embedded) counts as pdf."""
        with self._mutex:
            used = time.process_time()
            spent, self._cpu = used - self._cpu, used
        if self._queues:
            self._meters.count(metrics.WORKER_CPU, spent, queue=self._queues[0])

    # -- jobs -----------------------------------------------------------------------------------------------------

    def stage(self, stage: str, seconds: float) -> None:
        """One stage of the running job is done."""
        self._meters.observe(metrics.STAGE_SECONDS, seconds, stage=stage)

    def started(self, row: Row) -> None:
        """A job was claimed; `row["age"]` is its age then, in seconds of the database's clock."""
        self._here.began = time.monotonic()
        self._here.age = float(row["age"])
        if not int(row["tries"]) and not int(row["crashes"]) and not int(row["returns"]):
            self._meters.observe(metrics.QUEUE_WAIT, self._here.age, priority=priority_word(row["priority"]))

    def ended(self, row: Row, became: str, code: str | None) -> None:
        """The attempt this thread started has its outcome: completed, retry, failed, cancelled, returned or lost."""
        began = getattr(self._here, "began", None)
        if began is None or became == "lost":
            return
        del self._here.began
        seconds = time.monotonic() - began
        label = metrics.code_label(code)
        outcome = "completed" if became == "completed" else "returned"
        if became in ("retry", "failed"):
            outcome = "timeout" if label == "timeout" else "failed"
        self._meters.observe(metrics.PROCESSING_SECONDS, seconds, outcome=outcome)
        self._outcome(row, became, outcome, label, self._here.age + seconds)

    def rescued(self, row: Row, became: str, code: str | None, age: float) -> None:
        """The housekeeper decided about a job whose worker was not heard of; `age` is the job's, in seconds."""
        if became == "lost":
            return
        outcome = "timeout" if code == "timeout" else "crashed"
        self._meters.count(metrics.RESCUES, reason=outcome)
        self._outcome(row, became, outcome, metrics.code_label(code), age)

    def _outcome(self, row: Row, became: str, outcome: str, code: str, age: float) -> None:
        self._meters.count(metrics.ATTEMPTS, outcome=outcome)
        if outcome in ("failed", "timeout", "crashed"):
            self._meters.count(metrics.FAILURES, code=code)
        if became == "retry":
            self._meters.count(metrics.RETRIES, code=code)
        if became in metrics.ROUND_ENDS:
            self._meters.count(metrics.JOBS_ENDED, status=became)
            self._meters.observe(metrics.END_TO_END, age, priority=priority_word(row["priority"]), status=became)
        if became == "failed":
            self._meters.count(metrics.JOBS_FAILED, code=code)

    # -- callbacks ------------------------------------------------------------------------------------------------

    def posted(self, row: Row, verdict: Verdict, answer: Answer) -> None:
        """One POST has its verdict written; `row["age"]` is how long the callback was owed when it was claimed."""
        self._meters.count(metrics.WEBHOOK_ATTEMPTS, answer=answer_class(answer), verdict=verdict.kind)
        self._meters.observe(metrics.WEBHOOK_SECONDS, answer.duration)
        if verdict.kind == "delivered":
            self._meters.observe(metrics.DELIVERY_SECONDS, float(row["age"]) + answer.duration)

    def given_up(self, code: str) -> None:
        """A callback died, whether it was ever posted or not; its dead letter is written."""
        self._meters.count(metrics.CALLBACKS_STOPPED, code=metrics.code_label(code))


def answer_class(answer: Answer) -> str:
    """An answer as a label: its class of status, or why there was none; 409 and 429 stand for themselves."""
    if answer.status is None:
        return answer.failure if answer.failure in metrics.ANSWERS else "reset"
    return str(answer.status) if answer.status in (409, 429) else f"{min(5, max(2, answer.status // 100))}xx"


def age_of(row: Row, clock: Any) -> float:
    """Seconds from a job's submission (or replay) to the moment `clock`."""
    asked = as_time(row["requested_at"])
    return 0.0 if asked is None else float((clock - asked).total_seconds())


def files_of(folder: Path) -> list[str]:
    """The files of every slot of this host that can be read; a torn one is left to its slot's next owner."""
    return sorted(str(path) for path in folder.glob("*.db") if is_whole(path))
