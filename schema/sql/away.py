"""What is raised when the database cannot do what it was asked, and for how long one statement tries."""

from __future__ import annotations

from schema.errors import Transient

AT_ONCE = 1.0  # seconds; a connection that failed later has hung, and asking again would only keep the caller waiting
PATIENCE = 10.0  # seconds of one statement or transaction, reruns included: the caller holds a thread meanwhile
BUSY = "The database is too busy: the same rows were wanted by too many."
LOCKED = "Another program has locked the database file."


class DatabaseDown(Transient):
    """The database is away: it did not answer in time, lost the connection, or cannot do its work for now (full, read-only,
    stopped). What was asked may or may not have happened."""

    code = "database_unavailable"


class DatabaseUnable(DatabaseDown):
    """It answers, and cannot do it for now: to ask again at once is of no use."""


class DatabaseBusy(DatabaseUnable):
    """It answers, but these rows were wanted by too many: nothing has happened."""


class Rerun(Transient):
    """A deadlock or a locked file: the transaction was rolled back and may simply run again."""

    code = "database_busy"
