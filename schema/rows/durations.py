"""How long reports and uploads take: one moving average for each product (table `durations`), for estimates alone."""

from typing import TypedDict

from schema.sql.database import Database, put

STORE = ""  # The name of an upload's average; no product has it.


class Duration(TypedDict):
    """One average."""

    product_id: str
    seconds: float
    samples: int


def note(db: Database, product_id: str, seconds: float, count: int = 1) -> None:
    """Fold `count` measured times, `seconds` on average, into a product's average."""
    kept = 0.9**count
    put(
        db,
        f"UPDATE durations SET seconds=seconds*%s+%s*%s, samples=samples+%s, changed_at={db.now()} WHERE product_id=%s",
        (kept, seconds, 1 - kept, count, product_id),
        f"INSERT INTO durations (product_id, seconds, samples, changed_at) VALUES (%s,%s,%s,{db.now()})",
        (product_id, seconds, count),
    )


def measured(db: Database) -> list[Duration]:
    """Every average, that of uploads too."""
    return db.fetch_all("SELECT product_id, seconds, samples FROM durations", of=Duration)
