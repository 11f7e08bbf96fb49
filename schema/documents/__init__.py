"""Source reports and permanent results: tables of the database, or MongoDB, by URL scheme (DESIGN §4).

What both adapters promise, proved by tests/contracts/test_documents.py:

* `pdf_generation` of a report is written only by a round whose (requested_at, round) is not older than the
  recorded one, to the microsecond, in whatever order rounds end.
* A failed or cancelled round never removes a link: over an older success it is kept as `last_failure`.
* Source documents are never created by an end. Every end is kept by `job_id`, under the same rule of order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schema.ports import Documents
from schema.sql.database import Database


def open_documents(url: str, database: Database, *, timeout: float = 5.0) -> Documents:
    """The store that `url` names: `database:` (tables of `database`) or `mongodb://…`, `mongodb+srv://…`.

    Opens no connection. `timeout` bounds every call to MongoDB, in seconds; the tables obey the database's
    own limits. ValueError with a sentence, without the URL's password, when the URL cannot be used.
    """
    scheme = url.partition(":")[0]
    try:
        opener = SCHEMES[scheme]
    except KeyError:
        allowed = ", ".join(f"{name}:" for name in SCHEMES)
        raise ValueError(f"the documents URL begins with {scheme!r}; allowed are {allowed}") from None
    return opener(url, database, timeout)


def _open_tables(_url: str, database: Database, _timeout: float) -> Documents:
    from schema.documents.tables import TableDocuments

    return TableDocuments(database)


def _open_mongo(url: str, _database: Database, timeout: float) -> Documents:
    # Imported late: the embedded default needs no driver in memory.
    from schema.documents.mongo import MongoDocuments

    return MongoDocuments(url, timeout=timeout)


SCHEMES: Mapping[str, Callable[[str, Database, float], Documents]] = {
    "database": _open_tables,
    "mongodb": _open_mongo,
    "mongodb+srv": _open_mongo,
}
