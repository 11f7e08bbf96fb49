"""How things stand, asked in bounded time whatever is frozen: rows and dependencies, each by a thread of its own."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from schema.environment.server_urls import folder_path, mysql, sqlite_path
from schema.errors import Transient
from schema.rows import signs
from schema.rows.verdict import Said, Verdict, judge
from schema.settings import Settings
from schema.sql import fitness
from schema.sql.cached import Cached
from schema.sql.database import Database, DatabaseDown
from service.asked import Asked

_EVERY = 2.0  # Seconds between two looks at the rows.
_RARER = 3  # Times what a look took, when that is longer.
_STALE = 5.0  # Seconds after which what was seen counts as old: the database does not answer.
PATIENCE = 0.8  # Seconds that a caller waits for the rows, at most.
_LOW, _FEW = 1_000_000_000, 0.03  # Bytes, and share of a disk, that are little.
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Watch:
    """The verdict, for everybody who asks this process. A dependency or a database that hangs delays it by seconds at most."""

    def __init__(
        self, settings: Settings, db: Database, pings: Mapping[str, Callable[[], object]], patience: float = PATIENCE
    ) -> None:
        self._settings = settings
        read = partial(signs.read, db, settings)
        self._signs = Cached(read, _EVERY, stale=_STALE, share=_RARER, patience=patience, db=db)
        self._pings = {**pings, "disks": lambda: look_at_disks(settings, db)}
        self._asked = Asked(self._pings)

    def look(self, wait: float = 0.0, away: str | None = None) -> Verdict:
        """How things stand; dependencies that were not asked yet get `wait` seconds to answer.

        `away` is why the rows cannot be read, where that is known already.
        """
        until = time.monotonic() + wait
        self._asked.answers()  # they are asked while the rows are read
        try:
            if away is None:
                self._signs.get()
        except DatabaseDown as error:
            away = error.detail
        answers = self.answers(max(0.0, until - time.monotonic()))
        said = {name: answers.get(name) for name in self._pings}
        return judge(self._settings, self._signs.last, self._signs.age, said, away)

    def answers(self, wait: float = 0.0) -> dict[str, Said]:
        """What each dependency answered last; those that were not asked yet get `wait` seconds."""
        return self._asked.answers(wait)


def look_at_disks(settings: Settings, db: Database) -> None:
    """Raise Transient when a disk of this machine that something is written to has little room."""
    folders = {"the run folder": settings.run_dir}
    if settings.artifacts_url.startswith("file:"):
        folders["the PDF folder"] = folder_path(settings.artifacts_url)
    if settings.database_url.startswith("sqlite:"):
        folders["the database"] = os.path.dirname(os.path.abspath(sqlite_path(settings.database_url)))
    elif mysql(settings.database_url).host in _LOOPBACK:
        with contextlib.suppress(DatabaseDown):  # which is told by itself
            folders["the database"] = fitness.data_folder(db)
    low = []
    for name, folder in folders.items():
        if Path(folder).exists():  # another machine's, or a container's, is not there
            disk = shutil.disk_usage(folder)
            if disk.free < min(_LOW, _FEW * disk.total):
                low.append(f"{name} ({folder}) has {disk.free / 1e6:,.0f} MB left")
    db.close()
    if low:
        raise Transient(f"The disk of {'; of '.join(low)}.")
