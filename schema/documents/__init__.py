"""Source reports and permanent results: tables of the database, or MongoDB, by URL scheme (DESIGN §4).

What both adapters promise, proved by tests/contracts/test_documents.py:

* A round writes a report's `pdf_generation` unless a newer round is recorded there. The order is that of
  (requested_at, round), to the microsecond, in whatever order the rounds end.
* A failed or cancelled round never removes a link. It is kept as `last_failure` beside an older success.
* An end never creates a source document. Every end is kept by `job_id`, under the same rule of order.
"""

from schema.ports import Documents
from schema.sql.database import Database


def open_documents(url: str, database: Database, *, timeout: float = 5.0) -> Documents:
    """The store that `url` names: `database:` (tables of `database`) or `mongodb://…`, `mongodb+srv://…`.

    Opens no connection. `timeout` bounds every call to MongoDB, in seconds; the tables obey the database's own limits.
    Raises ValueError with a sentence, without the URL's password, when the URL cannot be used.
    """
    # Imported late: the embedded default needs no driver in memory.
    match url.partition(":")[0]:
        case "database":
            from schema.documents.tables import TableDocuments

            return TableDocuments(database)
        case "mongodb" | "mongodb+srv":
            from schema.documents.mongo import MongoDocuments

            return MongoDocuments(url, timeout=timeout)
        case scheme:
            raise ValueError(f"the documents URL begins with {scheme!r}; allowed are database:, mongodb:, mongodb+srv:")
