"""What a worker process counts, at each step that it commits: starts, stages, ends, rescues, callbacks."""

import threading
import time
from datetime import datetime
from typing import Any

import dramatiq

from middleware.meters.counters import Meters
from schema.callbacks.verdicts import Verdict
from schema.life.rounds import Became
from schema.metrics import labels
from schema.metrics import table as metrics
from schema.ports import Answer
from schema.rows.columns import HeldJob
from schema.rows.deliveries import ClaimedDelivery
from schema.rows.jobs import ClaimedJob, is_preview, priority_word
from schema.rows.messages import QUEUES
from schema.sql.times import as_time


class WorkerMeters(dramatiq.Middleware):
    """A worker process's counters. Actors, retries and housekeeping call it after each step that they commit."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._queues: tuple[str, ...] = ()
        self._cpu = 0.0
        self._mutex = threading.Lock()
        self._here = threading.local()

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        queues = tuple(sorted(worker.consumer_whitelist or QUEUES))
        self._queues = tuple(sorted({*self._queues, *queues}))
        for queue in queues:
            self._meters.count(metrics.WORKER_STARTS, queue=queue)
        self._note_cpu()

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self._note_cpu()

    def _note_cpu(self) -> None:
        """Count the CPU time since the last look. A process of both queues (embedded) counts as pdf."""
        with self._mutex:
            used = time.process_time()
            spent, self._cpu = used - self._cpu, used
        if self._queues:
            self._meters.count(metrics.WORKER_CPU, spent, queue=self._queues[0])

    def stage(self, stage: str, seconds: float) -> None:
        """One stage of the running job is done."""
        self._meters.observe(metrics.STAGE_SECONDS, seconds, stage=stage)

    def started(self, row: ClaimedJob) -> None:
        """A job was claimed; `row["age"]` is its age then, in seconds of the database's clock."""
        self._here.began = None if is_preview(row["job_id"]) else time.monotonic()  # previews are no reports
        if self._here.began is None:
            return
        self._here.age = float(row["age"])
        if not row["tries"] and not row["crashes"] and not row["returns"]:
            self._meters.observe(metrics.QUEUE_WAIT, self._here.age, priority=priority_word(row["priority"]))

    def handed_over(self) -> None:
        """This thread's attempt goes on in an uploader's hands."""
        del self._here.began

    def resumed(self, row: ClaimedJob, worked: float) -> None:
        """This thread goes on with an attempt that was claimed `worked` seconds ago, perhaps elsewhere."""
        self._here.began = time.monotonic() - worked
        self._here.age = float(row["age"]) - worked

    def ended(self, row: HeldJob, became: Became, code: str | None) -> None:
        """This thread's attempt has its outcome: completed, retry, failed, cancelled, returned or lost."""
        began = getattr(self._here, "began", None)
        if began is None or became == "lost":
            return
        del self._here.began
        seconds = time.monotonic() - began
        label = labels.code_label(code)
        outcome = "completed" if became == "completed" else "returned"
        if became in ("retry", "failed"):
            outcome = "timeout" if label == "timeout" else "failed"
        self._meters.observe(metrics.PROCESSING_SECONDS, seconds, outcome=outcome)
        self._outcome(row, became, outcome, label, self._here.age + seconds)

    def rescued(self, row: HeldJob, became: Became, code: str | None, age: float) -> None:
        """Housekeeping decided about a job whose worker was silent; `age` is the job's, in seconds."""
        if became == "lost":
            return
        outcome = {"timeout": "timeout", None: "returned"}.get(code, "crashed")
        self._meters.count(metrics.RESCUES, reason=outcome)
        if is_preview(row["job_id"]):
            return
        self._outcome(row, became, outcome, labels.code_label(code), age)

    def _outcome(self, row: HeldJob, became: Became, outcome: str, code: str, age: float) -> None:
        self._meters.count(metrics.ATTEMPTS, outcome=outcome)
        if outcome in ("failed", "timeout", "crashed"):
            self._meters.count(metrics.FAILURES, code=code)
        if became == "retry":
            self._meters.count(metrics.RETRIES, code=code)
        if became in labels.ROUND_ENDS:
            self._meters.count(metrics.JOBS_ENDED, status=became)
            self._meters.observe(metrics.END_TO_END, age, priority=priority_word(row["priority"]), status=became)
        if became == "failed":
            self._meters.count(metrics.JOBS_FAILED, code=code)

    def posted(self, row: ClaimedDelivery, verdict: Verdict, answer: Answer) -> None:
        """One POST has its verdict; `row["age"]` is how long the callback was owed when it was claimed, in seconds."""
        self._meters.count(metrics.WEBHOOK_ATTEMPTS, answer=answer_class(answer), verdict=verdict.kind)
        self._meters.observe(metrics.WEBHOOK_SECONDS, answer.duration)
        if verdict.kind == "delivered":
            self._meters.observe(metrics.DELIVERY_SECONDS, float(row["age"]) + answer.duration)

    def given_up(self, code: str) -> None:
        """A callback was given up, posted or not, and its dead letter is written."""
        self._meters.count(metrics.CALLBACKS_STOPPED, code=labels.code_label(code))


def answer_class(answer: Answer) -> str:
    """An answer as a label: its class of status, or why there was none. 409 and 429 are labels of their own."""
    if answer.status is None:
        return answer.failure if answer.failure in labels.ANSWERS else "reset"
    return str(answer.status) if answer.status in (409, 429) else f"{min(5, max(2, answer.status // 100))}xx"


def age_of(row: HeldJob, clock: datetime) -> float:
    """Seconds from a job's submission (or replay) to the moment `clock`."""
    return (clock - as_time(row["requested_at"])).total_seconds()
