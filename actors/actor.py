"""The parts that every actor gets: it claims a row under a lease, works, and writes the outcome."""

from collections.abc import Callable
from dataclasses import dataclass

from middleware.hooks.lifecycle import Attempts
from middleware.meters.worker import WorkerMeters
from schema.rows.pauses import PauseBoard
from schema.settings import Settings
from schema.sql.database import Database


@dataclass
class Actor:
    """The part of a process that its actors share."""

    settings: Settings
    db: Database
    attempts: Attempts
    board: PauseBoard
    meters: WorkerMeters
    worker_id: str
    wake: Callable[[], None]
