"""`reportq status`: everything at one glance."""

import os

from ops.commands.options import Json
from ops.commands.outlook import patience, print_verdict, quick, watch_of
from ops.commands.queues import print_queues
from ops.commands.terminal import age, counted, migrated, out, print_json, print_table, there
from schema import VERSION
from schema.environment.server_urls import without_password
from schema.rows import figures, letters, workers
from schema.settings import Settings
from service.routes.queues import queue_states


def status(as_json: Json = False) -> None:
    """How things stand; jobs by status, queues, workers, pauses and dead letters. Answers within three seconds."""
    settings = Settings.from_env(os.environ)
    there(settings)
    db = quick(settings)
    head: dict[str, object] = {"version": VERSION, "database": without_password(settings.database_url)}
    try:
        watch = watch_of(settings, db)
        watch.answers()
        away = migrated(db)
        verdict = watch.look(patience(), away.detail if away else None)
        if away is not None:
            print_json(head | {"verdict": verdict}) if as_json else print_verdict(verdict)
            raise away
        jobs = figures.jobs_by_status(db)
        shown = queue_states(db, settings).queues
        live = workers.heard_of(db, settings.lease)
        dead = sum(letters.open_by_queue(db).values())
        not_sent = figures.callbacks_not_sent(db)
    finally:
        db.close()
    workers_: list[dict[str, object]] = [{**row, "up": round(float(row["up"]), 1)} for row in live]
    if as_json:
        head |= {"verdict": verdict, "jobs": jobs, "queues": shown, "workers": workers_}
        print_json(head | {"dead_letters": dead, "callbacks_not_sent": not_sent})
        return
    out.print(f"[bold]reportq {VERSION}[/]   " + "   ".join(f"{name} {n}" for name, n in sorted(jobs.items())))
    out.print(f"database: {head['database']}", markup=False)
    print_verdict(verdict)
    print_queues(shown)
    columns = ("worker_id", "kind", "threads", "busy", "rss_mb", "version")
    print_table(
        ("worker", "queue", "threads", "busy", "MB", "version", "up"),
        [(*(w[name] for name in columns), age(float(str(w["up"])))) for w in workers_],
    )
    if not_sent:
        were = "was not sent, its resume URL" if not_sent == 1 else "were not sent, their resume URLs"
        out.print(f"{counted(not_sent, 'callback')} {were} being used up (see jobs show).")
