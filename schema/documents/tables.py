"""Source reports and results in two tables of the SQL database, with MongoDB's semantics."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from schema.documents.record import from_json, generation_of, require_text, source_fields, to_json
from schema.errors import Permanent
from schema.ports import End, EndsWanted
from schema.sql.database import Database, Row
from schema.sql.times import instant


class TableDocuments:
    """`report_documents` keyed by (code, product_id) and `report_results` keyed by job_id.

    The database's own errors pass through: these tables are away when the database is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_report(self, code: str, product_id: str) -> dict[str, Any] | None:
        require_text(code=code, product_id=product_id)
        row = self._find((code, product_id))
        return None if row is None else source_fields(json.loads(row["body"]))

    def record_end(self, end: End) -> None:
        def write() -> None:
            self._write_result(end)
            self._write_generation(end)

        self._database.transaction(write)

    def find_end(self, job_id: str) -> End | None:
        require_text(job_id=job_id)
        row = self._database.fetch_one("SELECT body FROM report_results WHERE job_id = %s", (job_id,))
        return None if row is None else from_json(row["body"])

    def find_ends(self, code: str, **wanted: Unpack[EndsWanted]) -> list[End]:
        where, params = _report(code, wanted.get("product_id"))
        told: list[object] = [*params, wanted.get("since", "")]
        where += " AND job_id >= %s"
        if (before := wanted.get("before")) is not None:
            where, told = f"{where} AND job_id < %s", [*told, before]
        if (status := wanted.get("status")) is not None:
            text = "JSON_EXTRACT(body, '$.status')"
            unquoted = f"JSON_UNQUOTE({text})" if self._database.dialect == "mysql" else text
            where, told = f"{where} AND {unquoted} = %s", [*told, status]
        rows = self._database.fetch_all(
            f"SELECT body FROM report_results WHERE {where} ORDER BY job_id DESC LIMIT %s",
            [*told, wanted.get("limit", 50)],
        )
        return [from_json(row["body"]) for row in rows]

    def ends_of(self, code: str, product_id: str | None) -> list[End]:
        where, params = _report(code, product_id)
        rows = self._database.fetch_all(f"SELECT body FROM report_results WHERE {where} ORDER BY job_id", params)
        return [from_json(row["body"]) for row in rows]

    def forget(self, code: str, product_id: str | None) -> int:
        where, params = _report(code, product_id)

        def work() -> int:
            self._database.execute(
                f"UPDATE report_documents SET pdf_generation=NULL, requested_at=NULL, round=NULL WHERE {where}", params
            )
            return self._database.execute(f"DELETE FROM report_results WHERE {where}", params)

        return self._database.transaction(work)

    def save_report(self, code: str, product_id: str, report: Mapping[str, Any]) -> None:
        require_text(code=code, product_id=product_id)
        try:
            body = json.dumps({**source_fields(report), "code": code, "product_id": product_id})
        except (TypeError, ValueError) as error:
            raise Permanent(f"The report cannot be stored as JSON: {error}.", code="invalid_data") from error
        upsert = (
            "ON DUPLICATE KEY UPDATE body = VALUES(body)"
            if self._database.dialect == "mysql"
            else "ON CONFLICT (code, product_id) DO UPDATE SET body = excluded.body"
        )
        self._database.execute(
            f"INSERT INTO report_documents (code, product_id, body) VALUES (%s, %s, %s) {upsert}",
            (code, product_id, body),
        )

    def ping(self) -> None:
        self._database.ping()

    def close(self) -> None:
        """The database belongs to whoever opened it."""

    def _find(self, key: tuple[str, str], lock: str = "") -> Row | None:
        query = "SELECT code, product_id, body, pdf_generation FROM report_documents"
        row = self._database.fetch_one(f"{query} WHERE code = %s AND product_id = %s{lock}", key)
        # MySQL's utf8mb4_bin passes over trailing spaces ("K1 " = "K1"), MongoDB and SQLite do not.
        return row if row is not None and (row["code"], row["product_id"]) == key else None

    def _write_result(self, end: End) -> None:
        # Insert first, then the guarded update. Two first ends of one job meet at the key. Whichever inserted, the
        # older one's update finds the newer row.
        insert = "INSERT IGNORE INTO" if self._database.dialect == "mysql" else "INSERT OR IGNORE INTO"
        body, requested_at = to_json(end), instant(end.requested_at)
        inserted = self._database.execute(
            f"{insert} report_results (job_id, code, product_id, body, requested_at, round) VALUES (%s,%s,%s,%s,%s,%s)",
            (end.job_id, end.code, end.product_id, body, requested_at, end.round),
        )
        if not inserted:
            self._database.execute(
                "UPDATE report_results SET body = %s, requested_at = %s, round = %s WHERE job_id = %s"
                " AND (requested_at < %s OR (requested_at = %s AND round <= %s))",
                (body, requested_at, end.round, end.job_id, requested_at, requested_at, end.round),
            )

    def _write_generation(self, end: End) -> None:
        # SQLite's transaction holds the write lock from its begin; MySQL locks the row it reads.
        key = (end.code, end.product_id)
        row = self._find(key, lock=self._database.lock())
        if row is None:
            return
        recorded = json.loads(row["pdf_generation"]) if row["pdf_generation"] else None
        new = {k: instant(v) if isinstance(v, datetime) else v for k, v in generation_of(end).items()}
        merged = merge(recorded, new)
        if merged is not None:
            self._database.execute(
                "UPDATE report_documents SET pdf_generation = %s, requested_at = %s, round = %s"
                " WHERE code = %s AND product_id = %s",
                (json.dumps(merged), merged["requested_at"], merged["round"], *key),
            )


def _report(code: str, product_id: str | None) -> tuple[str, tuple[str, ...]]:
    """The condition for one report, or for all reports of a code."""
    require_text(code=code)
    return ("code=%s", (code,)) if product_id is None else ("code=%s AND product_id=%s", (code, product_id))


def merge(recorded: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `pdf_generation` becomes when `new` ends; None when it stays as it is."""
    if recorded is None:
        return dict(new)
    if _order(new) < _order(recorded):
        return None
    failure = recorded.get("last_failure")
    newer_failure = failure is not None and _order(failure) > _order(new)
    if new["status"] == "completed":
        return {**new, "last_failure": failure} if newer_failure else dict(new)
    if recorded["status"] == "completed":
        return None if newer_failure else {**recorded, "last_failure": dict(new)}
    return dict(new)


def _order(generation: Mapping[str, Any]) -> tuple[str, int]:
    return generation["requested_at"], generation["round"]
