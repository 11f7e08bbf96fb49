"""The leader: one relay at a time does every duty of housekeeping (DESIGN §2.6–2.9, §2.14, §7).

Each duty is harmless when two relays do it at once. There is one leader so that the database is asked only once.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from ulid import ULID

from actors.housekeeping.letter_tidying import LetterTidying
from actors.housekeeping.lost_messages import LostMessages
from actors.housekeeping.news import News
from actors.housekeeping.probes import Probes
from actors.housekeeping.rescue import Rescue
from actors.housekeeping.retention import Retention
from schema.errors import DependencyDown
from schema.rows import leadership, workers
from schema.settings import Settings
from schema.sql.database import Database, DatabaseBusy, DatabaseDown

log = structlog.get_logger()


@dataclass
class Housekeeper:
    """The leader's loops, with their duties; every other relay only tries to become the leader."""

    settings: Settings
    db: Database
    rescue: Rescue
    retention: Retention
    probes: Probes
    lost_messages: LostMessages
    letters: LetterTidying
    news: News | None = None  # None: operators named no webhook
    stopping: threading.Event = field(default_factory=threading.Event)
    _token: str = field(default_factory=lambda: str(ULID()))
    _leads: bool = False
    _database_was_away: bool = False

    def loop(self, step: Callable[[], None]) -> None:
        """Do `sweep`, `ask_around` or `tell` every `sweep` seconds until stopped.

        Each has a thread of its own: a server that hangs delays no rescue, and a receiver that hangs delays no probe.
        """
        while not self.stopping.is_set():
            try:
                step()
            except DatabaseDown:
                log.warning("housekeeping.database_unavailable")
            except DependencyDown as error:
                log.warning("housekeeping.waits", code=error.code)
            except Exception:
                log.exception("housekeeping.failed")
            self.stopping.wait(self.settings.sweep)

    def sweep(self) -> None:
        """Rescue and remove old rows, if this is the leader."""
        try:
            self._leads = self.lead()
            if self._leads:
                self._rescue_in_time()
        except DatabaseBusy:
            raise  # the database answers, so workers can beat: only some rows are locked
        except DatabaseDown:
            self._database_was_away = True
            raise
        if self._leads:
            self.retention.step()
            workers.forget(self.db, older=max(60.0, 10 * self.settings.lease))

    def _rescue_in_time(self) -> None:
        if self._database_was_away:
            # Workers could not beat either. No worker counts as dead until a whole lease after the database came back.
            leadership.hold_back_rescue(self.db, self.settings.lease)
            self._database_was_away = False
        if leadership.may_rescue(self.db):
            self.rescue.step()

    def ask_around(self) -> None:
        """Ask dependencies and the broker, if this is the leader."""
        if self._leads:
            self.probes.step()
            self.lost_messages.step()
            self.letters.step()

    def tell(self) -> None:
        """Tell operators what has changed, if this is the leader."""
        if self.news is not None:
            self.news.step(leads=self._leads)

    def lead(self) -> bool:
        """Become or stay the leader."""
        turn = leadership.turn(self.settings.sweep)
        return leadership.lead(self.db, self._token, turn=turn, lease=self.settings.lease)
