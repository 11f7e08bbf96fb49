"""What a caller waits for, with a million rows beside a thousand: submit, status, position, lists, dead letters.

Two whole systems on private servers take turns, everything as shipped, their queues held. One row in twenty is queued, the
others ended with their attempt and callback. One client asks over a kept connection, so that a figure is the time of
one request. Rows are picked at random, so ended ones are mostly cold in the large database. The hard lists are asked
too. One is a page in the middle; one is a product so rare that the whole table lies between its jobs.

MariaDB has the buffer pool of docker-compose.yml, which holds a million rows with all that hangs on them. With MariaDB's
own 128 MB a random old job's status costs 3.5 page reads more (1.6 ms of SQL instead of 0.9).

Dead letters: 200 beside 5,000, of the same eight errors. The large number is one job in two hundred; the small one fills
a page, or the two would not be asked for the same.

For what runs by itself there are callbacks owed to one paused host (half as many as rows) and resolved letters (as many
as rows). Timed are a relay's look, a retention sweep's letters, the letters to sweep from `.XQ`, and a look at a bulk
replay's siblings. The gauges are timed too; they count what waits and may therefore take longer.
"""

import contextlib
import hashlib
import http.client
import random
import time
from collections.abc import Callable
from functools import partial

from rich.table import Table

from actors.housekeeping.retention import Retention
from actors.publish.callbacks import Callbacks
from ops.bench.frame import Contender, Figures, console, last_line, over, parser, percentile, take_turns
from ops.bench.load import SUBMIT, ask
from ops.bench.ours import Ours, opened
from ops.bench.retention import fill
from ops.bench.rows import lay_out
from schema.metrics import gauges
from schema.rows import letter_search, letters, pauses
from schema.rows.listing import cursor_after
from schema.rows.pauses import PauseBoard
from schema.settings import Settings

TARGET, MOST = 1.2, 1.5
ALONE_MOST = 3.0  # a busy machine doubles milliseconds by itself; a scan of a million rows costs a thousand times
QUEUED = 20  # one row in so many
LETTERS = (200, 5000)
ERRORS = 8
RARE, RARE_JOBS = "profilLangka", 60
AWAY = "away.example.com:443"
POOL = 2 * 1024**3  # bytes
NEWER = "pdf_01M"  # what the API gives out is newer than what was laid out


class Asked:
    """One system and the requests that it is asked."""

    def __init__(self, ours: Ours, rows: int, letters: int) -> None:
        self._ours = ours
        self._queued = rows // QUEUED
        self._ended = rows - self._queued
        self._letters = letters
        self._rows = rows
        self._chance = random.Random(1)

    def lay_out(self) -> None:
        """Write all rows; the queues are held before."""
        db = self._ours.db
        self._ours.stack.mariadb.query(f"SET GLOBAL innodb_buffer_pool_size={POOL}")
        self._ours.hold("pdf", "webhooks")
        fill(db, self._ended, 0)
        self._ours.lay_out(self._queued)
        ended, step = self._ended, self._ended // RARE_JOBS
        lay_out(db, "rare", range(ended), part=ended, product=RARE, step=step)
        lay_out(db, "letters", range(self._letters), step=ended // self._letters, errors=ERRORS)
        pauses.pause(db, f"host:{AWAY}", reason="bench", by="bench")
        lay_out(db, "owed", range(self._rows // 2), host=AWAY)
        lay_out(db, "resolved", range(self._rows), errors=ERRORS)
        for table in ("pdf_job_results", "attempts", "deliveries", "delivery_attempts", "dead_letters"):
            db.fetch_all(f"ANALYZE TABLE {table}")

    def by_itself(self) -> dict[str, Callable[[], object]]:
        """What runs without being asked, by its name."""
        db = self._ours.db
        settings = Settings()
        callbacks = Callbacks(settings, db, PauseBoard(db, 3600.0))
        retention = Retention(db, keep=86_400.0, keep_letters=86_400.0)
        mark = hashlib.sha256(b"1").hexdigest()[:16]
        return {
            "relay_look": lambda: callbacks.take(32),
            "retention": retention.step,
            "sweep": lambda: letters.to_sweep(db),
            "siblings": lambda: letter_search.lately_replayed(db, mark),
            "gauges": lambda: gauges.read(db, settings),
        }

    def requests(self) -> dict[str, Callable[[], str]]:
        """What is asked by which path; a submission is a POST."""
        middle = cursor_after(self._ended_id(self._ended * 3 // 4))
        return {
            "submit": lambda: SUBMIT,
            "status": lambda: f"/api/jobs/{self._ended_id(self._chance.randrange(self._ended))}",
            "position": lambda: f"/api/jobs/{self._low_id()}",
            "list": lambda: "/api/jobs?status=queued",
            "list_cursor": lambda: f"/api/jobs?status=completed&cursor={middle}",
            "list_code": lambda: f"/api/jobs?code=K{self._chance.randrange(self._ended)}",
            "list_product": lambda: f"/api/jobs?product_id=minatBakatUmum&cursor={middle}",
            "list_rare": lambda: f"/api/jobs?product_id={RARE}",
            "letters": lambda: "/api/dead-letters",
            "letters_page": lambda: "/api/dead-letters?view=letters",
        }

    def turn(self, asks: int) -> Figures:
        """Median milliseconds of each request; what was submitted is taken away again."""
        figures = {}
        client = http.client.HTTPConnection("127.0.0.1", self._ours.stack.port, timeout=60)
        with contextlib.closing(client):
            for name, path in self.requests().items():
                took = [_took(partial(ask, client, path())) for _ in range(asks)]
                figures[f"{name}_ms"] = percentile(took, 0.5)
        self._ours.db.execute("DELETE FROM pdf_job_results WHERE job_id >= %s", (NEWER,))
        for name, work in self.by_itself().items():
            figures[f"{name}_ms"] = percentile([_took(work) for _ in range(max(20, asks // 5))], 0.5)
        return figures

    @staticmethod
    def _ended_id(number: int) -> str:
        return f"pdf_01J{number:023}"

    def _low_id(self) -> str:
        """A waiting job of low priority: every third one is (ours.lay_out)."""
        return f"pdf_01K{self._chance.randrange(self._queued // 3) * 3 + 2:023}"


def main(argv: list[str]) -> int:
    """Print both tables; 1 when a million rows make one of the requests slower than what was promised."""
    options = parser("scale", __doc__, turns=5)
    options.add_argument("--rows", type=int, default=1_000_000, help="of the large database (1,000,000)")
    options.add_argument("--small", type=int, default=1000, help="rows of the small one (1,000)")
    options.add_argument("--asks", type=int, default=150, help="of each kind in a turn (150)")
    asked = options.parse_args(argv)
    sizes = {f"{asked.small:,} rows": (asked.small, LETTERS[0]), f"{asked.rows:,} rows": (asked.rows, LETTERS[1])}
    small, large = sizes
    with contextlib.ExitStack() as held:
        contenders: dict[str, Contender] = {}
        for who, (rows, letters) in sizes.items():
            ours = held.enter_context(opened(render_workers=1, noop=True))
            system = Asked(ours, rows, letters)
            began = time.monotonic()
            system.lay_out()
            console.print(f"[dim]{who} laid out in {time.monotonic() - began:.0f} s[/]")
            system.turn(20)  # connections and pages that everybody needs are there
            contenders[who] = partial(system.turn, asked.asks)
        results = take_turns(contenders, asked.turns)
    ratios: dict[str, float] = {}
    alone: dict[str, float] = {}
    parts = ((f"{asked.turns} turns", Asked.requests, ratios), ("what runs by itself", Asked.by_itself, alone))
    for title, names, found in parts:
        table = Table("milliseconds, medians", small, large, "ratio", title=title, title_justify="left")
        for name in names(system):
            found[name] = results.ratio(large, small, f"{name}_ms")
            medians = (f"{results.median(who, f'{name}_ms'):.2f}" for who in (small, large))
            table.add_row(name, *medians, f"{found[name]:.2f}")
        console.print(table)
    counted = alone.pop("gauges")
    console.print(f"[dim]gauges count what waits: {counted:.1f} × is no fault, and at most a twentieth of the time[/]")
    worst, worst_alone = max(ratios, key=lambda name: ratios[name]), max(alone, key=lambda name: alone[name])
    if asked.plot:
        results.plot(asked.plot, f"{worst}_ms", f"{worst}, the worst of {len(ratios)} requests")
    over(worst, ratios[worst], TARGET)
    if alone[worst_alone] > ALONE_MOST:
        console.print(f"[yellow]{worst_alone} grows with the rows[/]")
    last_line("scale", worst_ratio=ratios[worst], worst_ratio_by_itself=alone[worst_alone])
    return 0 if ratios[worst] <= MOST and alone[worst_alone] <= ALONE_MOST else 1


def _took(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
