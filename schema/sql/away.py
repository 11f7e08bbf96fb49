"""What is raised when the database cannot do what it was asked, and for how long one statement tries."""

from __future__ import annotations

from schema.errors import Transient

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
