"""Source reports and results in MongoDB: `workflow.psikotes_v2` and `workflow.reportq_results`."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Unpack

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from pymongo import errors

from schema.documents.record import from_json, generation_of, order_of, require_text, source_fields, storable, to_json
from schema.errors import DependencyDown, Permanent
from schema.ports import End, EndsWanted
from schema.sql.times import instant

DATABASE, SOURCES, RESULTS = "workflow", "psikotes_v2", "reportq_results"
_REFUSED_LOGIN = {13, 18, 8000}  # Unauthorized, AuthenticationFailed, Atlas's own
# Waiting mends none of these: BadValue, FailedToParse, TypeMismatch, PathNotViable, DollarPrefixedFieldName, ImmutableField,
# DocumentValidationFailure, BSONObjectTooLarge (two of them).
_UNFIT = {2, 9, 14, 28, 52, 66, 121, 10334, 17419}
_UNTRUSTED = re.compile(r"certificate verify failed: (.{1,200}?) \(_ssl")
_PROBE = End(
    "reportq-probe", "reportq-probe", "", 1, "failed", datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(0, UTC)
)
# The fields of an end that stand in a result one by one; the whole of it is its `record`.
_SHOWN = (
    "job_id", "code", "product_id", "status", "google_drive_link", "artifact_id", "error_code", "error_message", "retry_count",
    "template_version", "requested_at", "ended_at", "round",
)  # fmt: skip
_LONG = 60.0  # seconds: an erasure looks through results without an index of their own
Document = dict[str, Any]


class MongoDocuments:
    """The production store. Every call is bounded by `timeout` seconds; a journaling majority acknowledges.

    MongoDB keeps milliseconds only. So each record carries `order`, the exact (requested_at, round) as text, and the
    guards compare it. Values reach the server under `$eq` or as plain fields, never where an operator could stand.
    """

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self._timeout = timeout
        milliseconds = round(timeout * 1000)
        try:
            self._client: pymongo.MongoClient[Document] = pymongo.MongoClient(
                url,
                w="majority",
                journal=True,
                timeoutMS=milliseconds,
                serverSelectionTimeoutMS=milliseconds,
                # Shorter: a handshake that gets no answer must be known as the reason when the selection gives up.
                connectTimeoutMS=milliseconds * 4 // 5,
                appname=None if "appname=" in url.lower() else "reportq",
                connect=False,  # a worker may fork before its first question
            )
        except (errors.InvalidURI, errors.ConfigurationError, ValueError) as error:
            raise ValueError(f"the documents URL cannot be used: {type(error).__name__}") from None
        database = self._client.get_database(DATABASE, codec_options=CodecOptions(tz_aware=True, tzinfo=UTC))
        self._sources = database[SOURCES]
        self._results = database[RESULTS]
        self._indexed = False

    def find_report(self, code: str, product_id: str) -> dict[str, Any] | None:
        require_text(code=code, product_id=product_id)
        with _outages():
            # Nothing makes {code, product_id} unique where others write: the newest document counts.
            found = self._sources.find_one(_key(code, product_id), sort=[("_id", pymongo.DESCENDING)])
        return None if found is None else {k: _plain(v) for k, v in source_fields(found).items()}

    def record_end(self, end: End) -> None:
        require_text(job_id=end.job_id, code=end.code, product_id=end.product_id)
        with _outages():
            self._index()
            self._write_result(end)
            self._write_generation(end)

    def find_end(self, job_id: str) -> End | None:
        require_text(job_id=job_id)
        with _outages():
            found = self._results.find_one({"_id": {"$eq": job_id}}, {"record": 1})
        return None if found is None else from_json(found["record"])

    def find_ends(self, code: str, **wanted: Unpack[EndsWanted]) -> list[End]:
        query = _report(code, wanted.get("product_id")) | {"_id": {"$gte": wanted.get("since", "")}}
        if (before := wanted.get("before")) is not None:
            query["_id"]["$lt"] = before
        if (status := wanted.get("status")) is not None:
            query["status"] = {"$eq": status}
        with _outages():
            newest = self._results.find(query, {"record": 1}).sort("_id", pymongo.DESCENDING)
            found = list(newest.limit(wanted.get("limit", 50)))
        return [from_json(result["record"]) for result in found]

    def ends_of(self, code: str, product_id: str | None) -> list[End]:
        with _outages(), pymongo.timeout(_LONG):
            found = list(self._results.find(_report(code, product_id), {"record": 1}).sort("_id"))
        return [from_json(result["record"]) for result in found]

    def forget(self, code: str, product_id: str | None) -> int:
        with _outages(), pymongo.timeout(_LONG):
            self._sources.update_many(_report(code, product_id), {"$unset": {"pdf_generation": ""}})
            return int(self._results.delete_many(_report(code, product_id)).deleted_count)

    def save_report(self, code: str, product_id: str, report: Mapping[str, Any]) -> None:
        require_text(code=code, product_id=product_id)
        document = {**source_fields(report), "code": code, "product_id": product_id}
        if any(name.startswith("$") for name in document):
            raise Permanent("A report's field names cannot begin with $.", code="invalid_data")
        with _outages():
            old = self._sources.find_one(_key(code, product_id), {"pdf_generation": 1})
            if old and "pdf_generation" in old:
                document["pdf_generation"] = old["pdf_generation"]
            self._sources.replace_one(_key(code, product_id), document, upsert=True)

    def ping(self) -> None:
        """Do what jobs do and leave nothing behind: a disk may be full, or rights may be lacking on one collection.

        For a moment a record stands among the others, under a name that no job has.
        """
        with _outages(), pymongo.timeout(self._timeout):
            nobody = {"_id": {"$eq": _PROBE.job_id}}
            self._sources.find_one(nobody, {"_id": 1})
            self._sources.update_one(nobody, {"$unset": {"pdf_generation": ""}})
            self._write_result(_PROBE)
            self._results.delete_one(nobody)

    def close(self) -> None:
        self._client.close()

    def _index(self) -> None:
        """Once a process: the index that lists a code's results. Without the right to make it, lists are slower."""
        if not self._indexed:
            self._indexed = True
            with contextlib.suppress(errors.PyMongoError), pymongo.timeout(_LONG):
                self._results.create_index([("code", 1), ("_id", -1)])

    def _write_result(self, end: End) -> None:
        record = {name: getattr(end, name) for name in _SHOWN} | {
            "error_message": None if end.error_message is None else storable(end.error_message),
            "order": order_of(end),
            "record": to_json(end),  # exact: what find_end reads; the fields beside it are for people and queries
        }
        not_newer = {"_id": {"$eq": end.job_id}, "order": {"$not": {"$gt": record["order"]}}}
        try:
            self._results.replace_one(not_newer, {"_id": end.job_id, **record}, upsert=True)
        except errors.DuplicateKeyError:
            # Either a newer end stands there, or another first end was quicker: the guard decides again.
            self._results.replace_one(not_newer, {"_id": end.job_id, **record})

    def _write_generation(self, end: End) -> None:
        generation = {**generation_of(end), "order": order_of(end)}
        guard = {**_key(end.code, end.product_id), **_not_newer(end)}
        newer = {"$gt": generation["order"]}
        if end.status == "completed":
            whole = {**guard, "pdf_generation.last_failure.order": {"$not": newer}}
            self._sources.update_many(whole, {"$set": {"pdf_generation": generation}})
            # A newer failure than this success stays beside it.
            beside = {**guard, "pdf_generation.last_failure.order": newer}
            self._sources.update_many(beside, {"$set": {f"pdf_generation.{k}": v for k, v in generation.items()}})
            return
        # In this order the two updates leave no gap. No success ever becomes a failure again, so a success that the
        # first update passes over is still one when the second looks.
        failed = {**guard, "pdf_generation.status": {"$ne": "completed"}}
        self._sources.update_many(failed, {"$set": {"pdf_generation": generation}})
        over = {
            **guard,
            "pdf_generation.status": {"$eq": "completed"},
            "pdf_generation.last_failure.order": {"$not": newer},
        }
        self._sources.update_many(over, {"$set": {"pdf_generation.last_failure": generation}})


def _report(code: str, product_id: str | None) -> Document:
    """The query for one report, or for all reports of a code."""
    require_text(code=code)
    return {"code": {"$eq": code}} if product_id is None else _key(code, product_id)


def _key(code: str, product_id: str) -> Document:
    return {"code": {"$eq": code}, "product_id": {"$eq": product_id}}


def _not_newer(end: End) -> Document:
    """The recorded `pdf_generation`, perhaps by others and without `order`, is not newer than this end."""
    unordered = {"pdf_generation.order": {"$exists": False}}
    truncated = end.requested_at.replace(microsecond=end.requested_at.microsecond // 1000 * 1000)
    same_moment = {"pdf_generation.requested_at": {"$eq": truncated}}
    return {
        "$nor": [
            {"pdf_generation.order": {"$gt": order_of(end)}},
            {**unordered, "pdf_generation.requested_at": {"$gt": truncated}},
            {**unordered, **same_moment, "pdf_generation.round": {"$gt": end.round}},
        ]
    }


def _plain(value: Any) -> Any:
    """A BSON value as JSON would hold it: templates see the same types from every store."""
    match value:
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case list():
            return [_plain(v) for v in value]
        case datetime():
            return instant(value)
        case bson.Int64():
            return int(value)
        case None | bool() | int() | float() | str():
            return value
        case bson.Decimal128():
            return float(value.to_decimal())
        case _:
            return str(value)


@contextlib.contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except (errors.DocumentTooLarge, BSONError, OverflowError, UnicodeEncodeError) as error:
        raise Permanent(f"The document cannot be kept in MongoDB: {error}.", code="invalid_data") from error
    except errors.OperationFailure as error:
        if error.code in _REFUSED_LOGIN:
            raise DependencyDown(
                "mongodb",
                "MongoDB refused our user name, password or rights. Check REPORTQ_DOCUMENTS_URL.",
                code="mongodb_access_refused",
            ) from error
        if error.code in _UNFIT:
            raise Permanent(f"MongoDB does not take the document (code {error.code}).", code="invalid_data") from error
        raise DependencyDown("mongodb", f"MongoDB could not do its work (code {error.code}).") from error
    except errors.PyMongoError as error:
        raise DependencyDown("mongodb", _silence(error)) from error


def _silence(error: errors.PyMongoError) -> str:
    """Why nothing was answered: the driver puts what the connections met into its text."""
    said = str(error)
    if untrusted := _UNTRUSTED.search(said):
        return f"MongoDB's certificate is not trusted: {untrusted[1].rstrip('.')}."
    if "SSL" in said or "TLS" in said:
        return (
            "TLS with MongoDB failed. Check tls and its files in REPORTQ_DOCUMENTS_URL, and that the server speaks it."
        )
    return f"MongoDB did not answer ({type(error).__name__})."
