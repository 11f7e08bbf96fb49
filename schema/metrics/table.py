"""THE table of metrics: what may be emitted, with its help, labels, unit and kind.

Names follow Prometheus's conventions: prefix `reportq_`, base units, counters end in `_total`. No label ever holds a
job, a person, a product or a URL. A label with listed words shows each of them from the start, as zero. Without that,
Prometheus's `increase` would not see the first event of a series.

    kept = FILES      counted by the process that does it, right after the commit, in files that outlive the process
                      (middleware/meters/counters.py): at most one event is missed per killed process. The only gauge
                      among them is a moment, which stays true when its process is gone
    kept = DATABASE   read from the rows when somebody asks (schema/metrics/gauges.py): the truth of the whole cluster,
                      the same from every API, so that expressions take `max`, never `sum`, over instances
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schema.metrics import labels as words
from schema.rows.columns import OPEN

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
    help: str
    labels: Mapping[str, tuple[str, ...] | None]
    buckets: tuple[float, ...] = ()
    kept: str = FILES
    serves: str = WORKERS

    def __post_init__(self) -> None:
        if not self.name.startswith("reportq_"):
            raise ValueError(self.name)
        TABLE[self.name] = self

    @property
    def kind(self) -> str:
        """Its name ends in `_total`: a counter. It has buckets: a histogram. Else a gauge."""
        return COUNTER if self.name.endswith("_total") else HISTOGRAM if self.buckets else GAUGE


TABLE: dict[str, Metric] = {}


def _api(name: str, buckets: tuple[float, ...] = (), *, help: str, **labels: tuple[str, ...] | None) -> Metric:
    return Metric(name, help, labels, buckets, serves=API)


def _workers(name: str, buckets: tuple[float, ...] = (), *, help: str, **labels: tuple[str, ...] | None) -> Metric:
    return Metric(name, help, labels, buckets)


def _rows(name: str, *, help: str, **labels: tuple[str, ...] | None) -> Metric:
    return Metric(name, help, labels, kept=DATABASE, serves=API)


# fmt: off
# -- the API ------------------------------------------------------------------------------------------------------

SUBMISSIONS = _api("reportq_submissions_total", result=words.SUBMISSION_RESULTS,
    help="Requests for reports by what became of them: accepted (also a repeated one), refused (the request was wrong), "
    "over_rate (its key asks more often than it may), limited (the backlog is full), unavailable (our fault).")
JOBS_SUBMITTED = _api("reportq_jobs_submitted_total", priority=words.PRIORITIES, help="Jobs written, by priority.")
CANCELLED_WAITING = _api("reportq_jobs_cancelled_waiting_total", help="Jobs cancelled before any worker took them.")
SYNC_REQUESTS = _api("reportq_sync_requests_total",
    result=("served", "failed", "too_slow", "no_room", "at_once", "disabled"),
    help="Requests to the synchronous endpoint: served with the PDF, failed (the job did), too_slow (202 after waiting), "
    "no_room (202: too many wait), at_once (202: the rollout's share, or asked for), disabled (410).")
HTTP_SECONDS = _api("reportq_http_request_duration_seconds", _SHORT, route=None, method=None, status=None,
    help="Time to answer a request, by route and class of status.")

# -- workers and relay --------------------------------------------------------------------------------------------

QUEUE_WAIT = _workers("reportq_job_queue_wait_seconds", _WAIT, priority=words.PRIORITIES,
    help="Time from submission (or replay) to the first start of a job, by the database's clock.")
STAGE_SECONDS = _workers("reportq_job_stage_duration_seconds", _WORK, stage=words.STAGES,
    help="Time one stage of a job took.")
PROCESSING_SECONDS = _workers("reportq_job_processing_duration_seconds", _WORK, outcome=words.ATTEMPT_OUTCOMES,
    help="Time a worker spent on one attempt, from taking the job to its outcome.")
END_TO_END = _workers("reportq_job_end_to_end_seconds", _WAIT, priority=words.PRIORITIES, status=words.ROUND_ENDS,
    help="Time from submission (or replay) to the end of a job, retries included, by priority and end.")
ATTEMPTS = _workers("reportq_attempts_total", outcome=words.ATTEMPT_OUTCOMES,
    help="Attempts by outcome; returned ones (stop, pause, outage) cost the job nothing.")
FAILURES = _workers("reportq_attempt_failures_total", code=words.JOB_CODES,
    help="Attempts that failed, timed out or crashed, by error code.")
RETRIES = _workers("reportq_job_retries_total", code=words.JOB_CODES,
    help="Retries scheduled, by the error code that caused them.")
JOBS_ENDED = _workers("reportq_jobs_ended_total", status=words.ROUND_ENDS,
    help="Rounds of jobs that ended under a worker, by end.")
JOBS_FAILED = _workers("reportq_jobs_failed_total", code=words.JOB_CODES,
    help="Rounds of jobs that ended failed, each with its dead letter, by error code.")
WEBHOOK_ATTEMPTS = _workers("reportq_webhook_attempts_total", answer=words.ANSWERS, verdict=words.VERDICTS,
    help="Callbacks posted, by class of answer and verdict.")
WEBHOOK_SECONDS = _workers("reportq_webhook_attempt_duration_seconds", _SHORT, help="Time one POST of a callback took.")
DELIVERY_SECONDS = _workers("reportq_delivery_latency_seconds", _OWED,
    help="Time from the end of a job to a callback's 2xx answer.")
CALLBACKS_STOPPED = _workers("reportq_callbacks_stopped_total", code=words.GIVEN_UP_CODES,
    help="Callbacks given up, each with its dead letter, by error code.")
RESCUES = _workers("reportq_rescues_total", reason=("crashed", "returned", "timeout"),
    help="Jobs taken back from workers that were not heard of for a whole lease.")
WORKER_STARTS = _workers("reportq_worker_starts_total", queue=words.QUEUES,
    help="Worker processes started; many in a short time are a crash loop.")
WORKER_CPU = _workers("reportq_worker_cpu_seconds_total", queue=words.QUEUES,
    help="Processor time used by worker processes, by queue.")

# -- the canary ---------------------------------------------------------------------------------------------------

CANARY_RUNS = _workers("reportq_canary_runs_total", result=words.CANARY_RESULTS,
    help="Canaries by how they came out: succeeded, or what was missed first: not_accepted (no 202), too_late (not made in "
    "time), failed, no_callback (made, and not told), bad_signature, no_pdf (told, and no PDF to be had).")
CANARY_SECONDS = _workers("reportq_canary_duration_seconds", _CANARY,
    help="Time from a canary's submission until its callback had come and its PDF was there; of those that succeeded.")
CANARY_SUCCESS = _workers("reportq_canary_last_success_timestamp_seconds",
    help="When a canary last succeeded, or was first tried while none has, in seconds since 1970; 0 while there is none.")

# -- the rows -----------------------------------------------------------------------------------------------------

JOBS = _rows("reportq_jobs", status=OPEN, priority=words.PRIORITIES, help="Jobs that wait or are worked on.")
OLDEST_WAITING = _rows("reportq_oldest_waiting_seconds", priority=words.PRIORITIES,
    help="Time the longest-waiting due job has waited; 0 when none waits.")
DELIVERIES = _rows("reportq_deliveries", status=OPEN, help="Callbacks and records still owed.")
OLDEST_DELIVERY = _rows("reportq_oldest_delivery_seconds", help="Age of the oldest callback or record still owed.")
ROWS_DUE = _rows("reportq_rows_due", queue=words.QUEUES,
    help="Rows that are due and whose message was not published yet, by queue.")
ROWS_DUE_AGE = _rows("reportq_rows_due_oldest_seconds", queue=words.QUEUES,
    help="Time the oldest due, unpublished row has been due, by queue.")
HINTS_OUT = _rows("reportq_hints_outstanding", queue=words.QUEUES,
    help="Rows whose message is in the broker and which no worker has taken yet.")
STORE_WAITING = _rows("reportq_store_waiting", help="Kept PDFs that wait for their upload.")
STORE_PACE = _rows("reportq_store_pace_writes_per_second",
    help="Writes a second that Google Drive is found to allow; 0: no limit is known.")
STORE_WRITES = _rows("reportq_store_writes_total", outcome=("written", "refused"),
    help="Writes to Google Drive: written, or refused by its rate limit.")
RELAY_LAG = _rows("reportq_relay_lag_seconds", queue=words.QUEUES,
    help="Time the oldest due row has waited for the relay although nothing holds it back (no pause, window not full).")
LETTERS_OPEN = _rows("reportq_dead_letters_open", queue=words.QUEUES, code=None,
    help="Dead letters nobody has resolved.")
REPLAYED = _rows("reportq_replays_total", what=words.REPLAYS, help="Replays, as the audit keeps them.")
WORKERS_ALIVE = _rows("reportq_workers", queue=words.QUEUES,
    help="Worker processes heard of within a lease that have a live thread.")
WORKER_THREADS = _rows("reportq_worker_threads", queue=words.QUEUES,
    help="Threads of live workers: jobs that can run at once.")
WORKERS_BUSY = _rows("reportq_worker_threads_busy", queue=words.QUEUES, help="Threads of live workers that have work.")
WORKER_MEMORY = _rows("reportq_worker_memory_peak_bytes", queue=words.QUEUES,
    help="Most memory any live worker process has used.")
PAUSED = _rows("reportq_paused",
    scope=("queue:pdf", "queue:webhooks", "dependency:drive", "dependency:folder", "dependency:mongodb", "hosts"),
    help="1 while this is paused, by an operator or an outage; for webhook hosts their number.")
HOUSEKEEPING_OVERDUE = _rows("reportq_housekeeping_overdue_seconds",
    help="Time since a housekeeper should have renewed its turn; 0 is right.")
CLOCK_BEHIND = _rows("reportq_clock_behind_seconds",
    help="How far the database's clock stands behind moments that it has given already: it was set back; 0 is right.")
ACCEPTING = _rows("reportq_accepting", help="1 when a valid request would be accepted: database up, backlog not full.")
READ_SECONDS = _rows("reportq_gauges_read_seconds", help="Time it took to read these gauges from the database.")
DEPENDENCY_UP = _rows("reportq_dependency_up", dependency=words.DEPENDENCIES,
    help="1 when the dependency answered the last time it was asked.")
DEPENDENCY_SECONDS = _rows("reportq_dependency_latency_seconds", dependency=words.DEPENDENCIES,
    help="How long the dependency took to answer then.")
FACT = _rows("reportq_fact", fact=words.FACTS,
    help="What the verdict says of this: 0 nothing, 1 info, 2 warn, 3 bad. Told by each API of what it knows.")
BUILD_INFO = _rows("reportq_build_info", version=None, broker=None,
    help="Always 1; which release runs, on which kind of broker.")
