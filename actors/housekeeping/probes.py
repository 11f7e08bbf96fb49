"""Probes: a dependency that an outage has paused is asked whether it is back (DESIGN §2.14)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from schema.rows import pauses
from schema.sql.database import Database

log = structlog.get_logger()


@dataclass
class Probes:
    """Asks paused dependencies, each every `every` seconds. Without it, an outage's pause stays until a person lifts it."""

    db: Database
    board: pauses.PauseBoard
    asks: Mapping[str, Callable[[], object]]  # dependency → a question that raises while it is down
    full: Mapping[str, Callable[[], object]]  # code of a pause → the question that tells whether it is over
    every: float
    wake: Callable[[], None]

    def step(self) -> None:
        """Ask each dependency whose probe is due, as its only prober, and lift the pause when it answers."""
        for row in pauses.due_probes(self.db):
            name = row["scope"].removeprefix(pauses.DEPENDENCY)
            if not row["scope"].startswith(pauses.DEPENDENCY):
                continue
            ask = self.full.get(row["code"] or "") or self.asks.get(name)
            if ask is None or not pauses.win_probe(self.db, row["scope"], self.every):
                continue
            try:
                ask()
            except Exception as error:
                log.warning("dependency.still_down", dependency=name, error=type(error).__name__)
                continue
            pauses.resume(self.db, row["scope"], outages_only=True)
            self.board.active(fresh=True)
            log.info("dependency.is_back", dependency=name)
            self.wake()
