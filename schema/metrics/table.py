"""THE table of metrics: what may be emitted, with its help, labels, unit and kind.

Names follow Prometheus's conventions: prefix `reportq_`, base units, counters end in `_total`. No label ever holds a
job, a person, a product or a URL. A label with listed words shows each of them from the start, as zero. Without that,
Prometheus's `increase` would not see the first event of a series.

    kept = FILES      counted by the process that does it, right after the commit, in memory-mapped files that outlive
                      the process (middleware/meters/counters.py): at most one event is missed per killed process. The
                      only gauge among them is a moment, which stays true when its process is gone
    kept = DATABASE   read from the rows when somebody asks (schema/metrics/gauges.py): the truth of the whole cluster,
                      the same from every API, so that expressions take `max`, never `sum`, over instances
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schema.metrics.labels import (
    ANSWERS,
    ATTEMPT_OUTCOMES,
    CANARY_RESULTS,
    DEPENDENCIES,
    FACTS,
    GIVEN_UP_CODES,
    JOB_CODES,
    PRIORITIES,
    QUEUES,
    REPLAYS,
    ROUND_ENDS,
    STAGES,
    SUBMISSION_RESULTS,
    VERDICTS,
)
from schema.rows.states import OPEN

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
FILES, DATABASE = "files", "database"
API, WORKERS = "api", "workers"  # the two folders of files, and who serves them

_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT = (0.05, 0.25, 1, 5, 10, 30, 60, 120, 300, 900, 1800, 3600)
_WORK = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_OWED = (0.1, 0.5, 1, 5, 30, 60, 300, 1800, 7200, 21600, 86400, 259200)
_CANARY = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared metric. `labels` maps a label to the words shown from the start, or to None when none is known."""

    name: str
    kind: str
    help: str
    labels: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    kept: str = FILES
    serves: str = WORKERS

    def __post_init__(self) -> None:
        if not self.name.startswith("reportq_") or (self.kind == COUNTER) != self.name.endswith("_total"):
            raise ValueError(self.name)
        TABLE[self.name] = self


TABLE: dict[str, Metric] = {}


def _api(name: str, kind: str, help: str, **more: object) -> Metric:
    return Metric(name, kind, help, serves=API, **more)  # type: ignore[arg-type]


def _rows(name: str, help: str, kind: str = GAUGE, **labels: tuple[str, ...] | None) -> Metric:
    return Metric(name, kind, help, labels, kept=DATABASE, serves=API)


# -- the API ------------------------------------------------------------------------------------------------------

SUBMISSIONS = _api(
    "reportq_submissions_total",
    COUNTER,
    "Requests for reports by what became of them: accepted (also a repeated one), refused (the request was wrong), "
    "over_rate (its key asks more often than it may), limited (the backlog is full), unavailable (our fault).",
    labels={"result": SUBMISSION_RESULTS},
)
JOBS_SUBMITTED = _api(
    "reportq_jobs_submitted_total", COUNTER, "Jobs written, by priority.", labels={"priority": PRIORITIES}
)
CANCELLED_WAITING = _api("reportq_jobs_cancelled_waiting_total", COUNTER, "Jobs cancelled before any worker took them.")
SYNC_REQUESTS = _api(
    "reportq_sync_requests_total",
    COUNTER,
    "Requests to the synchronous endpoint: served with the PDF, failed (the job did), too_slow (202 after waiting), "
    "no_room (202: too many wait), at_once (202: the rollout's share, or asked for), disabled (410).",
    labels={"result": ("served", "failed", "too_slow", "no_room", "at_once", "disabled")},
)
HTTP_SECONDS = _api(
    "reportq_http_request_duration_seconds",
    HISTOGRAM,
    "Time to answer a request, by route and class of status.",
    labels={"route": None, "method": None, "status": None},
    buckets=_SHORT,
)

# -- workers and relay --------------------------------------------------------------------------------------------

QUEUE_WAIT = Metric(
    "reportq_job_queue_wait_seconds",
    HISTOGRAM,
    "Time from submission (or replay) to the first start of a job, by the database's clock.",
    {"priority": PRIORITIES},
    _WAIT,
)
STAGE_SECONDS = Metric(
    "reportq_job_stage_duration_seconds", HISTOGRAM, "Time one stage of a job took.", {"stage": STAGES}, _WORK
)
PROCESSING_SECONDS = Metric(
    "reportq_job_processing_duration_seconds",
    HISTOGRAM,
    "Time a worker spent on one attempt, from taking the job to its outcome.",
    {"outcome": ATTEMPT_OUTCOMES},
    _WORK,
)
END_TO_END = Metric(
    "reportq_job_end_to_end_seconds",
    HISTOGRAM,
    "Time from submission (or replay) to the end of a job, retries included, by priority and end.",
    {"priority": PRIORITIES, "status": ROUND_ENDS},
    _WAIT,
)
ATTEMPTS = Metric(
    "reportq_attempts_total",
    COUNTER,
    "Attempts by outcome; returned ones (stop, pause, outage) cost the job nothing.",
    {"outcome": ATTEMPT_OUTCOMES},
)
FAILURES = Metric(
    "reportq_attempt_failures_total",
    COUNTER,
    "Attempts that failed, timed out or crashed, by error code.",
    {"code": JOB_CODES},
)
RETRIES = Metric(
    "reportq_job_retries_total", COUNTER, "Retries scheduled, by the error code that caused them.", {"code": JOB_CODES}
)
JOBS_ENDED = Metric(
    "reportq_jobs_ended_total", COUNTER, "Rounds of jobs that ended under a worker, by end.", {"status": ROUND_ENDS}
)
JOBS_FAILED = Metric(
    "reportq_jobs_failed_total",
    COUNTER,
    "Rounds of jobs that ended failed, each with its dead letter, by error code.",
    {"code": JOB_CODES},
)
WEBHOOK_ATTEMPTS = Metric(
    "reportq_webhook_attempts_total",
    COUNTER,
    "Callbacks posted, by class of answer and verdict.",
    {"answer": ANSWERS, "verdict": VERDICTS},
)
WEBHOOK_SECONDS = Metric(
    "reportq_webhook_attempt_duration_seconds", HISTOGRAM, "Time one POST of a callback took.", {}, _SHORT
)
DELIVERY_SECONDS = Metric(
    "reportq_delivery_latency_seconds",
    HISTOGRAM,
    "Time from the end of a job to a callback's 2xx answer.",
    {},
    _OWED,
)
CALLBACKS_STOPPED = Metric(
    "reportq_callbacks_stopped_total",
    COUNTER,
    "Callbacks given up, each with its dead letter, by error code.",
    {"code": GIVEN_UP_CODES},
)
RESCUES = Metric(
    "reportq_rescues_total",
    COUNTER,
    "Jobs taken back from workers that were not heard of for a whole lease.",
    {"reason": ("crashed", "returned", "timeout")},
)
WORKER_STARTS = Metric(
    "reportq_worker_starts_total",
    COUNTER,
    "Worker processes started; many in a short time are a crash loop.",
    {"queue": QUEUES},
)
WORKER_CPU = Metric(
    "reportq_worker_cpu_seconds_total",
    COUNTER,
    "Processor time used by worker processes, by queue.",
    {"queue": QUEUES},
)

# -- the canary ---------------------------------------------------------------------------------------------------

CANARY_RUNS = Metric(
    "reportq_canary_runs_total",
    COUNTER,
    "Canaries by how they came out: succeeded, or what was missed first: not_accepted (no 202), too_late (not made in "
    "time), failed, no_callback (made, and not told), bad_signature, no_pdf (told, and no PDF to be had).",
    {"result": CANARY_RESULTS},
)
CANARY_SECONDS = Metric(
    "reportq_canary_duration_seconds",
    HISTOGRAM,
    "Time from a canary's submission until its callback had come and its PDF was there; of those that succeeded.",
    {},
    _CANARY,
)
CANARY_SUCCESS = Metric(
    "reportq_canary_last_success_timestamp_seconds",
    GAUGE,
    "When a canary last succeeded, or was first tried while none has, in seconds since 1970; 0 while there is none.",
)

# -- the rows -----------------------------------------------------------------------------------------------------

JOBS = _rows("reportq_jobs", "Jobs that wait or are worked on.", status=OPEN, priority=PRIORITIES)
OLDEST_WAITING = _rows(
    "reportq_oldest_waiting_seconds",
    "Time the longest-waiting due job has waited; 0 when none waits.",
    priority=PRIORITIES,
)
DELIVERIES = _rows("reportq_deliveries", "Callbacks and records still owed.", status=OPEN)
OLDEST_DELIVERY = _rows("reportq_oldest_delivery_seconds", "Age of the oldest callback or record still owed.")
ROWS_DUE = _rows(
    "reportq_rows_due", "Rows that are due and whose message was not published yet, by queue.", queue=QUEUES
)
ROWS_DUE_AGE = _rows(
    "reportq_rows_due_oldest_seconds", "Time the oldest due, unpublished row has been due, by queue.", queue=QUEUES
)
HINTS_OUT = _rows(
    "reportq_hints_outstanding", "Rows whose message is in the broker and which no worker has taken yet.", queue=QUEUES
)
STORE_WAITING = _rows("reportq_store_waiting", "Kept PDFs that wait for their upload.")
STORE_PACE = _rows(
    "reportq_store_pace_writes_per_second", "Writes a second that Google Drive is found to allow; 0: no limit is known."
)
STORE_WRITES = _rows(
    "reportq_store_writes_total", "Writes to Google Drive: written, or refused by its rate limit.", COUNTER,
    outcome=("written", "refused"),
)  # fmt: skip
RELAY_LAG = _rows(
    "reportq_relay_lag_seconds",
    "Time the oldest due row has waited for the relay although nothing holds it back (no pause, window not full).",
    queue=QUEUES,
)
LETTERS_OPEN = _rows("reportq_dead_letters_open", "Dead letters nobody has resolved.", queue=QUEUES, code=None)
REPLAYED = _rows("reportq_replays_total", "Replays, as the audit keeps them.", COUNTER, what=REPLAYS)
WORKERS_ALIVE = _rows(
    "reportq_workers", "Worker processes heard of within a lease that have a live thread.", queue=QUEUES
)
WORKER_THREADS = _rows("reportq_worker_threads", "Threads of live workers: jobs that can run at once.", queue=QUEUES)
WORKERS_BUSY = _rows("reportq_worker_threads_busy", "Threads of live workers that have work.", queue=QUEUES)
WORKER_MEMORY = _rows("reportq_worker_memory_peak_bytes", "Most memory any live worker process has used.", queue=QUEUES)
PAUSED = _rows(
    "reportq_paused",
    "1 while this is paused, by an operator or an outage; for webhook hosts their number.",
    scope=("queue:pdf", "queue:webhooks", "dependency:drive", "dependency:folder", "dependency:mongodb", "hosts"),
)
HOUSEKEEPING_OVERDUE = _rows(
    "reportq_housekeeping_overdue_seconds", "Time since a housekeeper should have renewed its turn; 0 is right."
)
CLOCK_BEHIND = _rows(
    "reportq_clock_behind_seconds",
    "How far the database's clock stands behind moments that it has given already: it was set back; 0 is right.",
)
ACCEPTING = _rows("reportq_accepting", "1 when a valid request would be accepted: database up, backlog not full.")
READ_SECONDS = _rows("reportq_gauges_read_seconds", "Time it took to read these gauges from the database.")
DEPENDENCY_UP = _rows(
    "reportq_dependency_up", "1 when the dependency answered the last time it was asked.", dependency=DEPENDENCIES
)
DEPENDENCY_SECONDS = _rows(
    "reportq_dependency_latency_seconds", "How long the dependency took to answer then.", dependency=DEPENDENCIES
)
FACT = _rows(
    "reportq_fact",
    "What the verdict says of this: 0 nothing, 1 info, 2 warn, 3 bad. Told by each API of what it knows.",
    fact=FACTS,
)
BUILD_INFO = _rows(
    "reportq_build_info", "Always 1; which release runs, on which kind of broker.", version=None, broker=None
)
