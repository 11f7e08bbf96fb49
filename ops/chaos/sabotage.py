"""One broken guard at a time: the judge is judged by whether it notices (`python -m ops.chaos --sabotage NAME`).

Each function below patches the process it is called in, before its parts are built. The entry modules of this package
call `apply`; production's entries know nothing of it.
"""

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

VARIABLE = "CHAOS_SABOTAGE"


def no_rescue() -> None:
    """A worker that dies takes its job along."""
    from actors.housekeeping.rescue import Rescue

    Rescue.step = lambda self: 0  # type: ignore[method-assign]


def early_202() -> None:
    """Acknowledge early, towards the caller: the API answers before the row is committed."""
    from schema.rows import jobs
    from service.intake import Intake

    late: queue.Queue[tuple[Any, Any]] = queue.Queue()
    started = threading.Event()

    def write() -> None:
        while True:
            db, job = late.get()
            time.sleep(0.3)
            try:
                jobs.submit(db, job)
            except Exception:  # noqa: S112
                continue  # nobody waits for the answer any more

    def submit(self: Any, job: Any) -> None:
        if not started.is_set():  # not earlier: threads do not survive gunicorn's fork
            started.set()
            for _ in range(8):
                threading.Thread(target=write, daemon=True).start()
        late.put((self._db, job))

    Intake.submit = submit  # type: ignore[method-assign]


def early_end() -> None:
    """Acknowledge early, towards the queue: the job is ended before its file is stored."""
    from actors.render import storing
    from schema.life import rounds
    from schema.rows import jobs

    def end_first(db: Any, settings: Any, artifacts: Any, held: Any, pdf: bytes) -> str:
        artifact_id = held.row["artifact_id"] or artifacts.reserve()
        jobs.pass_upload_point(db, held, artifact_id, settings.lease)
        link = f"{settings.gdrive_api_root}file/d/{artifact_id}/view?usp=drivesdk"
        rounds.finish(db, held.row, "completed", outcome="completed", link=link)
        labels = {"job_id": held.job_id, "code": held.row["code"], "product_id": held.row["product_id"]}
        artifacts.put(artifact_id, f"{held.row['code']}.pdf", pdf, replace=held.round > 1, labels=labels)
        return link

    vars(storing)["put_pdf"] = end_first
    storing.Storing.finish = lambda self, *a, **k: self.wake()  # type: ignore[method-assign]


def no_lease_guard() -> None:
    """A worker that lost its lease goes on writing: nothing compares start numbers, nothing ends a hung process."""
    import faulthandler

    from schema.life import rounds
    from schema.rows import jobs
    from schema.rows.leases import Leased

    faulthandler.dump_traceback_later = lambda *a, **k: None
    Leased.beat = lambda self, db, key, start_no, lease: True  # type: ignore[method-assign]
    finish, back = rounds.finish, rounds._back

    def current(db: Any, job: Any) -> Any:
        row = jobs.find(db, job["job_id"]) or job
        return {**job, "start_no": row["start_no"], "round": row["round"]}, row["status"]

    def unguarded_finish(db: Any, job: Any, status: Any, **how: Any) -> bool:
        row, was = current(db, job)
        return finish(db, row, status, **{**how, "from_status": was})

    def unguarded_back(db: Any, job: Any, *rest: Any) -> bool:
        return back(db, current(db, job)[0], *rest)

    def unguarded(db: Any, held: Any, assignments: str, params: tuple[Any, ...] = ()) -> None:
        db.execute(f"UPDATE pdf_job_results SET {assignments} WHERE job_id=%s", (*params, held.job_id))

    vars(rounds).update(finish=unguarded_finish, _back=unguarded_back)
    jobs.guarded = unguarded


def post_again() -> None:
    """A stale message of a delivered callback is enough to send it again: a POST after a recorded 2xx."""
    from schema.rows import deliveries

    claim = deliveries.claim

    def reopening(db: Any, delivery_id: str, **how: Any) -> Any:
        told = "delivery_id=%s AND status='delivered'"
        db.execute(f"UPDATE deliveries SET status='queued', run_at={db.now()} WHERE {told}", (delivery_id,))
        return claim(db, delivery_id, **how)

    def begin_post(db: Any, held: Any, kind: str = "scheduled") -> int:
        last = "SELECT COALESCE(MAX(number), 0) FROM delivery_attempts WHERE delivery_id=%s"
        number = 1 + int(db.scalar(last, (held.delivery_id,)))
        db.execute(
            "INSERT INTO delivery_attempts (delivery_id, number, started_at, outcome, kind) "
            f"VALUES (%s,%s,{db.now()},'sending',%s)",
            (held.delivery_id, number, kind),
        )
        return number

    deliveries.claim, deliveries.begin_post = reopening, begin_post


def no_reserved_id() -> None:
    """Every upload asks Drive for an id of its own instead of keeping one in the row."""
    from actors.render import storing
    from actors.render.storing import put_pdf

    def forgetful(db: Any, settings: Any, artifacts: Any, held: Any, pdf: bytes) -> str:
        held.row["artifact_id"] = None
        return put_pdf(db, settings, artifacts, held, pdf)

    vars(storing)["put_pdf"] = forgetful


SABOTAGES: dict[str, Callable[[], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (no_rescue, early_202, early_end, no_lease_guard, post_again, no_reserved_id)
}


def apply() -> None:
    """Break the guard that the environment names; nothing without one."""
    name = os.environ.get(VARIABLE)
    if name:
        SABOTAGES[name]()
