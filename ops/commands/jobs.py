"""`reportq jobs`: look at one, list, cancel, replay."""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ops.commands import story
from ops.commands.options import Callback, Code, FailureCallback, Json, Limit, Product, Status, Why
from ops.commands.outlook import holding, patience, watch_of
from ops.commands.terminal import REFUSED, Desk, allowed, columns_of, desk, out, print_pairs, print_table, short, told
from schema.callbacks import urls
from schema.documents import open_documents
from schema.errors import Permanent, Refused
from schema.http.queries import ListQuery
from schema.http.responses import error_of
from schema.life import rounds
from schema.life.rounds import CancelOutcome
from schema.rows import found, jobs
from schema.rows.columns import OPEN
from schema.rows.letter_search import moment_of
from schema.rows.messages import QUEUES
from schema.settings import Settings
from schema.sql.times import instant, moment
from service.routes.deliveries import delivery_log

app = typer.Typer(help="Jobs.", no_args_is_help=True)

_ATTEMPT = ("round", "number", "outcome", "error_code", "worker_id", "started_at", "ended_at")
_REPLAY_REFUSED = {
    "unknown": ("There is no such job.", "job_not_found"),
    "completed": ("The job is completed.", "not_replayable"),
    "not_ended": ("The job has not ended.", "not_replayable"),
}


@app.command()
def show(job_id: str, as_json: Json = False) -> None:
    """One job and its story: attempts, callbacks with their answers, dead letters, operators, what comes next.

    URLs are shown without what makes them capabilities. A job that was cleaned away is told from its permanent record.
    """
    with desk(quick=True) as here:
        job = _shown(here, job_id)
    told(as_json, job, lambda: _print(job))


def _print(job: dict[str, Any]) -> None:
    events, error = job.pop("story"), job.pop("error")
    for name in ("attempts", "deliveries"):
        job.pop(name, None)
    print_pairs(job.items())
    if error:
        out.print(f"{error['code']}: {error['message']} → {error['next_step']}", markup=False)
    out.print("\nWhat happened", style="bold")
    for event in events:
        out.print(f"{short(event['at']):21} {event['title']}", markup=False)
        for line in event["lines"]:
            out.print(f"{'':24}{line}", markup=False)


@app.command("list")
def list_(
    status: Status = None,
    code: Code = None,
    product: Product = None,
    since: Annotated[str | None, typer.Option(help="Submitted since: 2h, 1d or an RFC 3339 moment.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Jobs, newest first; with --code also those whose rows are gone, from the permanent record."""
    with desk() as here:
        moment_ = None if since is None else instant(moment_of(since, here.db.clock()))
        query = ListQuery(status=status, code=code, product_id=product, since=moment_, limit=limit)  # type: ignore[arg-type]
        with contextlib.closing(open_documents(here.settings.documents_url, here.db)) as documents:
            rows, _ = found.page(here.db, documents, query)
    names = (
        "job_id", "status", "code", "product_id", "round", "retry_count", "requested_at", "ended_at", "error_code", "batch_id",
    )  # fmt: skip
    shown = [columns_of(row, *names) for row in rows]
    columns = ("job_id", "status", "code", "product_id", "round", "error_code")
    table = [(*(r[c] for c in columns), short(r["requested_at"])) for r in shown]
    told(as_json, {"jobs": shown}, lambda: print_table((*columns, "requested"), table))


@app.command()
def cancel(job_id: str, as_json: Json = False) -> None:
    """Cancel a job that has not been stored yet; its caller is told."""
    with desk() as here:
        outcome = rounds.cancel(here.db, job_id)
        here.wake()
    sentences: dict[CancelOutcome, str] = {
        "cancelled": "The job is cancelled.",
        "requested": "The job will stop at its next checkpoint.",
        "cancelled_before": "The job was cancelled before.",
        "too_late": "Too late: the PDF is being stored.",
        "already": "The job has ended.",
        "unknown": "There is no such job.",
    }
    told(as_json, {"job_id": job_id, "outcome": outcome}, sentences[outcome])
    if outcome in ("too_late", "already", "unknown"):
        raise typer.Exit(REFUSED)


@app.command()
def replay(
    job_id: str,
    callback: Callback = None,
    failure_callback: FailureCallback = None,
    why: Why = None,
    as_json: Json = False,
) -> None:
    """A failed or cancelled job once more, with a fresh budget."""
    with desk() as here:
        callable_(here.settings, callback, failure_callback)
        outcome = rounds.replay(
            here.db, job_id, by=here.by, why=why, callback=callback, failure_callback=failure_callback
        )
        if outcome != "replayed":
            sentence, problem = _REPLAY_REFUSED[outcome]
            raise Refused(sentence, code=problem)
        here.wake()
    told(as_json, {"job_id": job_id, "outcome": outcome}, "The job runs again.")


def callable_(settings: Settings, callback: str | None, failure_callback: str | None) -> None:
    """Raise Refused unless callbacks may go to these URLs."""
    allow = allowed(settings)
    for field, url in (("callback", callback), ("failureCallback", failure_callback)):
        if url is not None:
            urls.check_literal(url, allow, field=field)


def _shown(here: Desk, job_id: str) -> dict[str, Any]:
    row = jobs.find(here.db, job_id)
    if row is None:
        return _recorded(here, job_id)
    log = delivery_log(here.db, job_id)
    held: dict[str, list[str]] = {queue: [] for queue in QUEUES}
    if row["status"] in OPEN or any(delivery.state == "pending" for delivery in log.deliveries):
        verdict = watch_of(here.settings, here.db).look(patience())
        held = {queue: holding(verdict, queue) for queue in QUEUES}
    return {
        **columns_of(
            row, "job_id", "status", "code", "product_id", "round", "stage", "progress", "retry_count",
            "google_drive_link", "template_version", "batch_id",
        ),
        "priority": jobs.priority_word(row["priority"]),
        **columns_of(row, "requested_at", "started_at", "ended_at"),
        "next_try_at": moment(row["run_at"]) if row["status"] == "queued" else None,
        "worker": row["worker_id"] if row["status"] == "processing" else None,
        "error": msgspec.to_builtins(error_of(row["error_code"], row["error_message"])),
        "attempts": [columns_of(attempt, *_ATTEMPT) for attempt in jobs.attempts_of(here.db, job_id)],
        "deliveries": msgspec.to_builtins(log.deliveries),
        "story": [_event(event) for event in story.of_job(here.db, row, held, _template(here, row["product_id"]))],
    }  # fmt: skip


def _template(here: Desk, product_id: str) -> str | None:
    """The version of the product's template as it stands here; None when it cannot be read."""
    with contextlib.suppress(Permanent):
        from actors.pdf.product.templates import Templates  # late: it takes a while to load

        return Templates([Path(one) for one in here.settings.templates_dir.split(":") if one]).version(product_id)
    return None


def _recorded(here: Desk, job_id: str) -> dict[str, Any]:
    """What the permanent record keeps of a job whose rows were cleaned away."""
    with contextlib.closing(open_documents(here.settings.documents_url, here.db)) as documents:
        end = documents.find_end(job_id)
    if end is None:
        raise Refused(f"There is no job {job_id[:80]!r}.", code="job_not_found")
    return columns_of(
        asdict(end), "job_id", "status", "code", "product_id", "round", "retry_count", "google_drive_link",
        "template_version", "batch_id", "requested_at", "ended_at",
    ) | {
        "kept": "the permanent record; its rows were cleaned away",
        "error": msgspec.to_builtins(error_of(end.error_code, end.error_message)),
        "story": [_event(event) for event in story.of_end(end)],
    }  # fmt: skip


def _event(event: story.Event) -> dict[str, Any]:
    return {"at": moment(event.at), "title": event.title, "lines": event.lines}
