"""What `doctor` looks at: each check yields what it found, and what to do about it.

Nothing is only pinged where more can be known: a small file is really created in the PDF store, read back and deleted.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.artifacts import try_out
from actors.process.runtime import Runtime
from ops.commands.terminal import counted
from schema import VERSION
from schema.errors import Permanent
from schema.host import run_folder
from schema.rows import letters, signs, workers
from schema.rows.keys import KeyRing
from schema.rows.messages import QUEUES, RENDER, WEBHOOKS, xq
from schema.sql import fitness
from schema.sql.database import Database

_SOCKET = 90  # characters a run_dir may have: paths of sockets end at 108
_SKEW = 2.0  # seconds between the database's clock and ours that are worth a word
_DISK = 1_000_000_000  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `good`, `warning` (works, but should be changed) or `bad` (will not work)."""

    name: str
    state: str
    said: str
    what_to_do: str = ""


Check = Callable[[Runtime], Iterator[Finding]]


def _settings(runtime: Runtime) -> Iterator[Finding]:
    s = runtime.settings
    yield Finding("settings", "good", f"profile {s.profile}, {counted(s.concurrent_workers, 'render worker')}")
    if not s.webhook_secrets:
        yield Finding("signatures", "warning", "Callbacks are not signed.", "Set REPORTQ_WEBHOOK_SECRETS.")
    if s.profile == "production" and s.embedded:
        said = "The broker lives in the API's process, so it serves one machine only."
        to_do = "Set REPORTQ_BROKER_URL to RabbitMQ and REPORTQ_DATABASE_URL to MariaDB."
        yield Finding("mode", "warning", said, to_do)
    if s.artifacts_url.startswith("gdrive:") and not s.public_url and s.profile == "production":
        yield Finding("links", "warning", f"Links begin with {s.links_base}.", "Set REPORTQ_PUBLIC_URL.")


def _keys(runtime: Runtime) -> Iterator[Finding]:
    if KeyRing(runtime.db, runtime.settings).in_use:
        yield Finding("keys", "good", "every call of the API needs one")
        return
    state = "warning" if runtime.settings.profile == "production" else "good"
    said = "None is needed: every program of this machine is an operator. No proxy may stand in front of the API."
    yield Finding("keys", state, said, "Before you add one, make a key: ops/reportq keys make NAME --role operate.")


def _run_dir(runtime: Runtime) -> Iterator[Finding]:
    folder = Path(runtime.settings.run_dir).absolute()
    try:
        run_folder.prove(folder)
    except OSError as error:
        yield Finding("run folder", "bad", run_folder.sentence(folder, error))
        return
    free = shutil.disk_usage(folder).free
    yield Finding("run folder", "good", f"{folder} can be written")
    if len(str(folder)) > _SOCKET:
        yield Finding("run folder", "bad", "Its path is too long for sockets.", "Choose a shorter REPORTQ_RUN_DIR.")
    if free < _DISK:
        yield Finding("disk", "warning", f"{free / 1e9:.1f} GB are free.", "Free some space.")


def _database(runtime: Runtime) -> Iterator[Finding]:
    db, began = runtime.db, time.monotonic()
    db.ping()
    taken = time.monotonic() - began
    yield Finding("database", "good", f"{db.dialect} answers in {taken * 1000:.0f} ms")
    skew = (db.clock() - datetime.now(UTC)).total_seconds()
    if abs(skew) > _SKEW:
        said = f"Its clock is {skew:+.0f} s from this machine's; only the database's decides."
        yield Finding("clock", "warning", said, "Let both follow a time server: log times will not match.")
    if behind := signs.clock_behind(db, runtime.settings):
        said = f"The database's clock was set back by {behind:.0f} s: earlier jobs wait so long."
        to_do = "Let a time server correct it; see ops/runbooks/ReportqClockSetBack.md."
        yield Finding("clock set back", "bad", said, to_do)
    if db.dialect == "mysql":
        yield from _durability(runtime)
        yield from _fitness(db)


def _durability(runtime: Runtime) -> Iterator[Finding]:
    flush, most = fitness.flushes_commits(runtime.db), fitness.most_connections(runtime.db)
    if flush != 1:
        said = f"innodb_flush_log_at_trx_commit is {flush}: a power cut loses accepted jobs."
        yield Finding("durability", "bad", said, "Set it to 1 in the server's configuration.")
    s = runtime.settings
    needed = s.api_workers * (s.api_threads + 2) + s.concurrent_workers * 3 + s.webhook_threads + 6
    if most < needed:
        said = f"It allows {most} connections; the processes of this host may open {needed}."
        yield Finding("connections", "bad", said, "Raise max_connections, or lower threads and workers.")


def _fitness(db: Database) -> Iterator[Finding]:
    try:
        fitness.require_transactions(db)
    except fitness.Unfit as unfit:
        yield Finding("tables", "bad", unfit.detail, "Convert them; the start refuses until then.")
    if small := fitness.small_packets(db):
        said = f"max_allowed_packet is {small / 1e6:.0f} MB: large reports cannot be kept while their upload waits."
        yield Finding("packets", "bad", said, "Set it to 16M or more in the server's configuration.")
    if engine := fitness.default_engine(db):
        said = f"The server makes tables in {engine}; reportq's own name InnoDB."
        yield Finding("engine", "warning", said, "Set default_storage_engine=InnoDB: a restored dump may name none.")


def _documents(runtime: Runtime) -> Iterator[Finding]:
    began = time.monotonic()
    runtime.documents.ping()
    runtime.documents.find_report("reportq-doctor", "reportq-doctor")  # reading is allowed, and quick by its index
    scheme = runtime.settings.documents_url.partition(":")[0]
    yield Finding("documents", "good", f"{scheme} is read in {(time.monotonic() - began) * 1000:.0f} ms")


def _artifacts(runtime: Runtime) -> Iterator[Finding]:
    """Create, read and delete a real file: a ping says nothing of quota, permission or a missing folder."""
    store, began = runtime.artifacts, time.monotonic()
    same = try_out(store, "reportq-doctor")
    taken = time.monotonic() - began
    if not same:
        yield Finding("PDF store", "bad", "A file read back was not what was stored.", "Check the store itself.")
        return
    yield Finding("PDF store", "good", f"{store.dependency}: a file was made, read and deleted in {taken:.1f} s")


def _broker(runtime: Runtime) -> Iterator[Finding]:
    if runtime.settings.embedded:
        yield Finding("broker", "good", "in the API's own process")
        return
    runtime.publisher.ping()
    ready = {queue: runtime.publisher.ready(queue) for queue in QUEUES}
    told = ", ".join(f"{queue} {count} ready" for queue, count in ready.items())
    yield Finding("broker", "good", told)


def _letters(runtime: Runtime) -> Iterator[Finding]:
    """Whether what the rows say lies in `.XQ` does."""
    for queue in () if runtime.settings.embedded else QUEUES:
        missing = letters.shown(runtime.db, queue) - runtime.publisher.ready(xq(queue))
        if missing > 0:
            said = f"{counted(missing, 'open letter')} of {queue} cannot be seen in {xq(queue)}."
            yield Finding("letters", "warning", said, _MOVED)


def _templates(runtime: Runtime) -> Iterator[Finding]:
    from actors.pdf.renderer import PdfRenderer  # fpdf2 takes a third of a second, while other answers are waited for

    products = runtime.renderer.products()
    wrong = False
    renderer: Any = runtime.renderer
    for product in products if isinstance(renderer, PdfRenderer) else ():
        try:
            renderer.template(product)
        except Permanent as error:
            wrong = True
            yield Finding("templates", "bad", f"{product}: {error.detail}", f"ops/reportq templates check {product}")
    if products and not wrong:
        yield Finding("templates", "good", ", ".join(products))
    elif not products:
        to_do = "Set REPORTQ_TEMPLATES_DIR, or restore actors/pdf/templates."
        yield Finding("templates", "bad", "There is no template.", to_do)


def _fonts(_runtime: Runtime) -> Iterator[Finding]:
    from actors.pdf.fonts.families import SCRIPTS, cjk_fonts

    said = f"{', '.join(SCRIPTS)}; Han, Kana and Hangul: "
    if found := cjk_fonts():
        yield Finding("fonts", "good", said + found[0].name)
    else:
        said += "none, shown as [U+738B]"
        yield Finding("fonts", "good", said, "For such names: apt-get install fonts-droid-fallback.")


def _processes(runtime: Runtime) -> Iterator[Finding]:
    live = workers.live(runtime.db, runtime.settings.lease)
    for queue in QUEUES:
        count = sum(worker["kind"] == queue for worker in live)
        if count:
            yield Finding(f"workers of {queue}", "good", f"{count} alive")
        else:
            yield Finding(f"workers of {queue}", "bad", f"None is heard of: {_UNDONE[queue]}.", _start(runtime, queue))
    versions = sorted({str(worker["version"]) for worker in live} - {VERSION})
    if versions:
        said = f"Workers of {', '.join(versions)} run beside {VERSION}."
        yield Finding("releases", "warning", said, "Restart them to finish the release.")


def _start(runtime: Runtime, queue: str) -> str:
    """How exactly these workers are started: a command that also names running ones would complain of them."""
    if runtime.settings.embedded:
        return (
            "Start the API, in whose process they live: ops/run, or gunicorn -c ops/gunicorn.conf.py service.wsgi:app."
        )
    program = {RENDER: "render", WEBHOOKS: "webhook"}[queue]  # named alike by supervisor and compose
    return f"ops/processes start {program}, or docker compose up -d {program}."


_MOVED = (
    "They were moved: look in RabbitMQ's page for a queue of another name than ours, and move them on. They can also be "
    "replayed as they are: ops/reportq dead-letters list."
)
_UNDONE = {RENDER: "no report is made", WEBHOOKS: "no caller is told"}

CHECKS: dict[str, Check] = {
    "settings": _settings,
    "keys": _keys,
    "run folder": _run_dir,
    "database": _database,
    "documents": _documents,
    "PDF store": _artifacts,
    "broker": _broker,
    "letters": _letters,
    "templates": _templates,
    "fonts": _fonts,
    "processes": _processes,
}
