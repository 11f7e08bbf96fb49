"""What is raised when the database cannot do what it was asked, for how long one statement tries, and who waits longer."""

import time
from collections.abc import Callable
from typing import TypeVar

from schema.errors import Transient

T = TypeVar("T")

AT_ONCE = 1.0  # Seconds. A connection that fails later has hung: a second try would only keep the caller waiting.
PATIENCE = 10.0  # Seconds of one statement or transaction, reruns included: meanwhile the caller holds a thread.
BUSY = "The database is too busy: the same rows were wanted by too many."
LOCKED = "Another program has locked the database file."


class DatabaseDown(Transient):
    """The database did not answer in time, lost the connection, or cannot work for now (full, read-only, stopped).

    What was asked may or may not have happened.
    """

    code = "database_unavailable"


class DatabaseUnable(DatabaseDown):
    """The database answers that it cannot work for now: a second try at once would fail, too."""


class DatabaseBusy(DatabaseUnable):
    """Too many wanted these rows, or the file: nothing has happened."""


class Rerun(Transient):
    """A deadlock or a locked file: the transaction was rolled back and may simply run again."""

    code = "database_busy"


def patiently(
    work: Callable[[], T],
    seconds: float | None = None,
    *,
    waiting: Callable[[str], None] = lambda why: None,
    able: bool = False,
) -> T:
    """Run `work` again until the database answers, for at most `seconds` (None: for ever); `waiting` is told why.

    With `able`, the answer "full" or "locked" ends the wait, because such a database must not hold a thread. The `work`
    must be guarded: perhaps it has happened, and only its answer was lost.
    """
    until = None if seconds is None else time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return work()
        except DatabaseDown as error:
            if (until is not None and time.monotonic() + pause > until) or (able and isinstance(error, DatabaseUnable)):
                raise
            waiting(error.detail)
            time.sleep(pause)
            pause = min(1.0, pause * 2)
