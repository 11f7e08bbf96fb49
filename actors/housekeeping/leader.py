"""Housekeeping: rescue, lost hints, probes, `.XQ` tidying (DESIGN §2.6–2.9, §2.14, §7).

Everything here is harmless when two do it at once; one leader does it so that the database is asked once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from ulid import ULID

from actors.housekeeping import delivery_rescue
from actors.housekeeping.letter_tidying import LetterTidying
from middleware.rabbitmq.publisher import RabbitPublisher
from schema.errors import DependencyDown
from schema.life import rounds
from schema.life.retention import Retention
from schema.life.rounds import RetryPolicy
from schema.ports import Publisher
from schema.rows import leadership, leases, letters, messages, outbox, pauses, workers
from schema.rows.leases import Leased
from schema.rows.outbox import Outbox
from schema.rows.pauses import PauseBoard
from schema.settings import Settings
from schema.sql.database import AT_ONCE, Database, DatabaseBusy, DatabaseDown, Row

log = structlog.get_logger()

_LETTERS_EVERY = 2.0  # seconds between looks for resolved letters whose copy lies in .XQ


class Housekeeper:
    """The leader's loop; everybody else only tries to become leader."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        publisher: Publisher,
        board: PauseBoard,
        *,
        policy: RetryPolicy,
        probes: dict[str, Callable[[], None]],
        wake: Callable[[], None],
        ended: Callable[[Row, str, str | None], None] = lambda row, outcome, code: None,
        given_up: Callable[[str], None] = lambda code: None,
    ) -> None:
        self._settings = settings
        self._db = db
        self._publisher = publisher
        self._board = board
        self._policy = policy
        self._probes = probes
        self._wake = wake
        self._ended = ended
        self._given_up = given_up
        self._token = str(ULID())
        self._database_was_away = False
        self._leads = False
        self._missing_since: dict[str, float] = {}
        self._least_missing: dict[str, int] = {}
        self._letters_at = 0.0
        self._letters: dict[str, LetterTidying] = {}
        self._retention = Retention(
            db,
            keep=settings.cleanup_completed_after,
            keep_letters=settings.keep_resolved_letters,
            letters_are_swept=isinstance(publisher, RabbitPublisher),
        )
        self.stopping = threading.Event()

    def run(self) -> None:
        """Sweep every `sweep` seconds until stopped: what asks nobody but the database."""
        self._loop(self.sweep)

    def run_outside(self) -> None:
        """The same for what asks others, in a thread of its own: one of them that hangs keeps no rescue waiting."""
        self._loop(self.ask_around)

    def _loop(self, step: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            try:
                step()
            except DatabaseDown:
                log.warning("housekeeping.database_unavailable")
            except DependencyDown as error:
                log.warning("housekeeping.waits", code=error.code)
            except Exception:
                log.exception("housekeeping.failed")
            self.stopping.wait(self._settings.sweep)

    def step(self) -> None:
        """Everything once, if this is the leader."""
        self.sweep()
        self.ask_around()

    def sweep(self) -> None:
        """Rescue and retention, if this is the leader."""
        try:
            self._leads = self.lead()
            if self._leads:
                self._rescue_in_time()
        except DatabaseBusy:
            raise  # it answers: who holds these rows keeps nobody from beating
        except DatabaseDown:
            self._database_was_away = True
            raise
        if self._leads:
            self._retention.step()
            workers.forget(self._db, older=max(60.0, 10 * self._settings.lease))

    def _rescue_in_time(self) -> None:
        if self._database_was_away:
            # Workers could not beat either: nobody is dead until a whole lease after the database came back.
            leadership.hold_back_rescue(self._db, self._settings.lease)
            self._database_was_away = False
        if leadership.may_rescue(self._db):
            self.rescue()

    def ask_around(self) -> None:
        """Dependencies' probes and what the broker holds, if this is the leader."""
        if not self._leads:
            return
        self.probe()
        self.find_lost_hints()
        if time.monotonic() - self._letters_at >= min(_LETTERS_EVERY, self._settings.sweep * 2):
            self._letters_at = time.monotonic()
            self.tidy_letters()

    def lead(self) -> bool:
        """Become or stay the leader."""
        turn = leadership.turn(self._settings.sweep)
        return leadership.lead(self._db, self._token, turn=turn, lease=self._settings.lease)

    def rescue(self) -> int:
        """Decide about every row whose worker was not heard of for a whole lease."""
        count = 0
        for job in leases.JOBS.expired(self._db):
            count += self._rescued(leases.JOBS, job, self._rescue_job)
        for row in leases.DELIVERIES.expired(self._db):
            count += self._rescued(leases.DELIVERIES, row, self._rescue_delivery)
        if count:
            self._wake()
        return count

    def _rescued(self, leased: Leased, row: Row, work: Callable[[Row], None]) -> bool:
        """Whether one row could be decided about; one that cannot must not keep the others waiting."""
        began = time.monotonic()
        try:
            work(row)
        except DatabaseBusy:  # somebody holds this row, as a host that has lost its power does for half a minute
            log.warning("rescue.busy", table=leased.table, key=row[leased.key])
            return False
        except DatabaseDown as error:
            if time.monotonic() - began > AT_ONCE:
                raise
            self._db.ping()  # it answers all others: what it refuses is this row
            log.warning("rescue.refused", table=leased.table, key=row[leased.key], detail=error.detail)
            return False
        except Exception:
            log.exception("rescue.failed", table=leased.table, key=row[leased.key])
            return False
        return True

    def _rescue_job(self, job: Row) -> None:
        became = rounds.rescue(self._db, job, self._policy)
        log.warning(
            "job.rescued", job_id=job["job_id"], attempt=job["start_no"], worker=job["worker_id"], outcome=became
        )
        self._ended(job, became, "timeout" if job["overdue"] else "worker_died")

    def _rescue_delivery(self, row: Row) -> None:
        became, code = delivery_rescue.rescue(self._db, row, schedule_scale=self._settings.webhook_scale)
        log.warning("delivery.rescued", delivery_id=row["delivery_id"], attempt=row["start_no"], outcome=became)
        if code is not None:
            self._given_up(code)

    def probe(self) -> None:
        """Ask a paused dependency, once per interval and by one prober; lift the pause when it answers."""
        for row in pauses.due_probes(self._db):
            name = row["scope"].removeprefix("dependency:")
            ask = self._probes.get(name) if row["scope"].startswith("dependency:") else None
            if ask is None or not pauses.win_probe(self._db, row["scope"], self._settings.probe_every):
                continue
            try:
                ask()
            except Exception as error:
                log.warning("dependency.still_down", dependency=name, error=type(error).__name__)
                continue
            pauses.resume(self._db, row["scope"], outages_only=True)
            self._board.active(fresh=True)
            log.info("dependency.is_back", dependency=name)
            self._wake()

    def find_lost_hints(self) -> None:
        """Ready messages must cover the published rows, except for moments (DESIGN §2.9).

        Idle threads are no excuse: a thread holds a hint for the time of a claim, and with them counted in, the last few
        lost hints of a quiet system would never be missed. The least difference seen in the window is what was lost.
        """
        for queue, box in ((messages.RENDER, outbox.JOBS), (messages.WEBHOOKS, outbox.DELIVERIES)):
            published = box.published(self._db)
            missing = published - self._publisher.ready(queue) if published else 0
            if missing <= 0:
                self._missing_since.pop(queue, None)
                self._least_missing.pop(queue, None)
                continue
            since = self._missing_since.setdefault(queue, time.monotonic())
            least = self._least_missing[queue] = min(missing, self._least_missing.get(queue, missing))
            if time.monotonic() - since >= self._settings.lost_hint_after:
                count = self._publish_again(box, least)
                log.warning("hints.lost", queue=queue, count=count)
                self._missing_since.pop(queue, None)
                self._least_missing.pop(queue, None)
                self._wake()

    def _publish_again(self, box: Outbox, count: int) -> int:
        return box.unpublish_oldest(self._db, count)

    def tidy_letters(self) -> None:
        """Take the copies of resolved dead letters out of `.XQ`, and give strangers in it a row."""
        if not isinstance(self._publisher, RabbitPublisher):
            return
        resolved = letters.to_sweep(self._db)
        for queue in messages.QUEUES:
            keeper = self._letters.get(queue)
            if keeper is None:
                keeper = self._letters[queue] = LetterTidying(self._db, self._publisher, queue)
            keeper.step(resolved.get(queue, set()))
