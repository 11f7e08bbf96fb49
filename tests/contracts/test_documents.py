"""The contract of `schema.ports.Documents`, on tables in SQLite and MariaDB, and on MongoDB's protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymongo
import pytest

from ops.servers.mariadb import MariaDB
from ops.servers.mongodb import MongoWire
from ops.servers.process import Server
from ops.servers.small_disk import SmallDisk
from schema.documents import open_documents
from schema.errors import DependencyDown, Permanent
from schema.ports import Documents, End
from schema.sql.database import Database, DatabaseDown
from schema.sql.migrate import migrate

NOON = datetime(2025, 3, 14, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
LATEST = NOON + timedelta(seconds=2)
FIRST = End("pdf_1", "K1", "minat", 1, "completed", NOON, NOON + timedelta(seconds=9), "https://d/1", "file1")
FAILED = replace(
    FIRST,
    job_id="pdf_f",
    status="failed",
    google_drive_link=None,
    error_code="boom",
    error_message="It broke.",
)
REPORT = {"name": "Ayu Ningsih ✓", "scores": [1, 2.5, None, True], "nested": {"deep": {"x": "y"}}}

on_servers = pytest.mark.parametrize("store", ["table-mariadb", "mongodb"], indirect=True)


@dataclass
class Store:
    """One adapter, and how a test looks behind it."""

    documents: Documents
    generation: Callable[[], dict[str, Any] | None]  # pdf_generation of (K1, minat), moments as datetimes
    sources: Callable[[], int]
    leave: Callable[[], None]  # a thread's farewell
    server: Server | None
    outage: type[Exception]


def tables(database: Database, server: Server | None) -> Store:
    migrate(database)
    database.execute("DELETE FROM report_documents")
    database.execute("DELETE FROM report_results")

    def generation() -> dict[str, Any] | None:
        text = database.scalar("SELECT pdf_generation FROM report_documents WHERE code = %s", ("K1",))
        return moments(json.loads(text)) if text else None

    def sources() -> int:
        return int(database.scalar("SELECT COUNT(*) FROM report_documents"))

    return Store(open_documents("database:", database), generation, sources, database.close, server, DatabaseDown)


def moments(generation: dict[str, Any]) -> dict[str, Any]:
    named = ("requested_at", "completed_at", "failed_at")
    read = {k: datetime.fromisoformat(v) if k in named else v for k, v in generation.items()}
    if "last_failure" in read:
        read["last_failure"] = moments(read["last_failure"])
    return read


@pytest.fixture(scope="module")
def sqlite(memory: Path) -> Iterator[Database]:
    """Made once: `tables` empties what the documents fill."""
    database = Database(f"sqlite:///{memory}/documents.db")
    migrate(database)
    yield database
    database.close()


@pytest.fixture(params=["table-sqlite", "table-mariadb", "mongodb"])
def store(request: pytest.FixtureRequest, sqlite: Database) -> Iterator[Store]:
    if request.param == "table-sqlite":
        yield tables(sqlite, None)
    elif request.param == "table-mariadb":
        server: MariaDB = request.getfixturevalue("mariadb")
        database = Database(server.url, io_timeout=2)
        yield tables(database, server)
        database.close()
    else:
        wire: MongoWire = request.getfixturevalue("mongo")
        with pymongo.MongoClient[dict[str, Any]](wire.url, tz_aware=True, timeoutMS=20_000) as client:
            workflow = client["workflow"]
            for name in ("psikotes_v2", "reportq_results"):
                workflow[name].delete_many({})

            def generation() -> dict[str, Any] | None:
                found = workflow["psikotes_v2"].find_one({"code": "K1"})
                return found.get("pdf_generation") if found else None

            documents = open_documents(wire.url, sqlite, timeout=2)
            yield Store(
                documents,
                generation,
                lambda: workflow["psikotes_v2"].count_documents({}),
                lambda: None,
                wire,
                DependencyDown,
            )
            documents.close()


def near(one: datetime, other: datetime) -> bool:
    """Equal in MongoDB's eyes: it keeps milliseconds."""
    return abs(one - other) < timedelta(milliseconds=1)


def test_a_saved_report_is_found_without_ids_of_the_store(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)

    assert store.documents.find_report("K1", "minat") == {**REPORT, "code": "K1", "product_id": "minat"}


def test_saving_again_replaces_the_report_and_keeps_what_was_generated(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)

    store.documents.save_report("K1", "minat", {"name": "Budi"})

    assert store.documents.find_report("K1", "minat") == {"name": "Budi", "code": "K1", "product_id": "minat"}
    assert (store.generation() or {})["job_id"] == "pdf_1"


@pytest.mark.parametrize(("code", "product"), [("K2", "minat"), ("K1", "other"), ("k1", "minat"), ("K1 ", "minat")])
def test_another_key_finds_nothing(store: Store, code: str, product: str) -> None:
    store.documents.save_report("K1", "minat", REPORT)

    assert store.documents.find_report(code, product) is None


@pytest.mark.parametrize("key", ["$ne", "' OR 1=1 --", "%s", '{"$gt": ""}', "a\x00b", "日本", "K1\u0301"])
def test_odd_keys_are_only_text(store: Store, key: str) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    assert store.documents.find_report(key, "minat") is None

    store.documents.save_report(key, "minat", {"name": key})

    found = store.documents.find_report(key, "minat")
    assert found is not None
    assert found["name"] == key


def test_a_mapping_in_place_of_a_key_is_refused(store: Store) -> None:
    operator: Any = {"$gt": ""}
    with pytest.raises(Permanent):
        store.documents.find_report(operator, "minat")
    with pytest.raises(Permanent):
        store.documents.find_end(operator)


def test_a_success_is_written_into_its_report(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)

    store.documents.record_end(FIRST)

    generation = store.generation() or {}
    assert generation["status"] == "completed"
    assert generation["google_drive_link"] == "https://d/1"
    assert generation["job_id"] == "pdf_1"
    assert generation["round"] == 1
    assert near(generation["requested_at"], NOON)
    assert near(generation["completed_at"], FIRST.ended_at)
    assert not {"error_message", "failed_at", "last_failure"} & set(generation)


def test_a_failure_is_written_into_its_report(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)

    store.documents.record_end(FAILED)

    generation = store.generation() or {}
    assert generation["status"] == "failed"
    assert generation["error_message"] == "It broke."
    assert near(generation["failed_at"], FAILED.ended_at)
    assert not {"google_drive_link", "completed_at"} & set(generation)


def test_what_was_generated_is_no_part_of_the_report(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    before = store.documents.find_report("K1", "minat")

    store.documents.record_end(FIRST)

    assert store.documents.find_report("K1", "minat") == before


def test_an_end_never_creates_a_report(store: Store) -> None:
    store.documents.record_end(FIRST)
    store.documents.record_end(FAILED)

    assert store.sources() == 0
    assert store.documents.find_end("pdf_1") == FIRST


def test_an_older_end_changes_nothing(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(replace(FIRST, job_id="pdf_2", requested_at=LATER, google_drive_link="https://d/2"))
    before = store.generation()

    store.documents.record_end(FIRST)
    store.documents.record_end(FAILED)

    assert store.generation() == before


def test_an_older_success_changes_nothing_about_a_newer_failure(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(replace(FAILED, requested_at=LATER))

    store.documents.record_end(FIRST)

    assert (store.generation() or {})["status"] == "failed"


def test_ends_within_one_millisecond_keep_their_order(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    newer = replace(FIRST, job_id="pdf_2", requested_at=NOON + timedelta(microseconds=1))
    store.documents.record_end(newer)

    store.documents.record_end(FIRST)

    assert (store.generation() or {})["job_id"] == "pdf_2"


def test_of_one_moment_the_higher_round_counts(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(replace(FIRST, round=10, google_drive_link="https://d/10"))

    store.documents.record_end(replace(FIRST, round=9, google_drive_link="https://d/9"))

    assert (store.generation() or {})["google_drive_link"] == "https://d/10"
    end = store.documents.find_end("pdf_1")
    assert end is not None
    assert end.round == 10


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failure_never_removes_a_link(store: Store, status: str) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)

    store.documents.record_end(replace(FAILED, status=status, requested_at=LATER))

    generation = store.generation() or {}
    assert generation["status"] == "completed"
    assert generation["google_drive_link"] == "https://d/1"
    assert generation["last_failure"]["status"] == status
    assert generation["last_failure"]["error_message"] == "It broke."
    assert generation["last_failure"]["job_id"] == "pdf_f"


def test_a_newer_success_ends_the_last_failure(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)
    store.documents.record_end(replace(FAILED, requested_at=LATER))

    store.documents.record_end(replace(FIRST, job_id="pdf_3", requested_at=LATEST))

    generation = store.generation() or {}
    assert generation["job_id"] == "pdf_3"
    assert "last_failure" not in generation


def test_a_success_between_an_older_success_and_a_newer_failure_keeps_both(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)
    store.documents.record_end(replace(FAILED, requested_at=LATEST))

    store.documents.record_end(replace(FIRST, job_id="pdf_2", requested_at=LATER, google_drive_link="https://d/2"))

    generation = store.generation() or {}
    assert generation["google_drive_link"] == "https://d/2"
    assert generation["last_failure"]["job_id"] == "pdf_f"


def test_an_older_failure_does_not_replace_the_last_failure(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)
    store.documents.record_end(replace(FAILED, job_id="pdf_new", requested_at=LATEST))

    store.documents.record_end(replace(FAILED, job_id="pdf_old", requested_at=LATER))

    assert (store.generation() or {})["last_failure"]["job_id"] == "pdf_new"


def test_a_repeated_end_is_harmless(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)
    before = store.generation()

    store.documents.record_end(FIRST)

    assert store.generation() == before
    assert store.documents.find_end("pdf_1") == FIRST


def test_every_end_is_found_exactly_as_it_was(store: Store) -> None:
    meta = {"$set": {"a.b": 2**70}, "text": "é\u0000", "list": [None, 1.5]}
    end = replace(FAILED, round=3, retry_count=3, meta=meta, error_message="x" * 5000)

    store.documents.record_end(end)

    assert store.documents.find_end("pdf_f") == end
    assert store.documents.find_end("PDF_F") is None


@pytest.mark.parametrize("meta", ["order-42", "", 42, 0, True, False, [1, {"a": None}], [["a", 1]], None])
def test_meta_is_any_json_value(store: Store, meta: Any) -> None:
    store.documents.record_end(replace(FAILED, meta=meta))

    assert store.documents.find_end("pdf_f") == replace(FAILED, meta=meta)


def test_a_message_that_is_no_valid_text_is_recorded_all_the_same(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)

    store.documents.record_end(replace(FAILED, error_message="broken \ud800 text"))

    assert (store.generation() or {})["error_message"] == "broken ? text"


def test_a_replay_replaces_the_record_of_the_round_before(store: Store) -> None:
    again = replace(FIRST, round=2, requested_at=LATER)
    store.documents.record_end(replace(FAILED, job_id="pdf_1"))
    store.documents.record_end(again)

    store.documents.record_end(replace(FAILED, job_id="pdf_1"))

    assert store.documents.find_end("pdf_1") == again


def test_racing_writers_leave_the_newest(store: Store) -> None:
    """Eight threads end forty rounds of one report and one job, each in another order."""
    store.documents.save_report("K1", "minat", REPORT)
    ends = [
        replace(FIRST if n % 3 else FAILED, job_id="pdf_r", round=n, requested_at=NOON + timedelta(microseconds=n))
        for n in range(1, 41)
    ]
    start = threading.Barrier(8)

    def write(thread: int) -> None:
        start.wait()
        for n in range(40):
            store.documents.record_end(ends[(n * 7 + thread * 11) % 40])
        store.leave()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))

    assert store.documents.find_end("pdf_r") == ends[-1]
    generation = store.generation() or {}
    assert generation["round"] == 40
    assert generation["status"] == "completed"
    assert "last_failure" not in generation


@pytest.mark.parametrize("jobs", [1, 2])
def test_of_two_ends_that_race_the_newer_one_stays(store: Store, jobs: int) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    older = [replace(FIRST, job_id=f"pdf_{n}", requested_at=NOON + timedelta(seconds=n)) for n in range(60)]
    newer = [
        replace(end, round=2, job_id=end.job_id if jobs == 1 else f"{end.job_id}_again", requested_at=moment)
        for end in older
        for moment in (end.requested_at + timedelta(microseconds=1),)
    ]
    together = threading.Barrier(2)
    seen: list[tuple[str, int]] = []

    def write(ends: list[End]) -> None:
        for end in ends:
            together.wait()
            store.documents.record_end(end)
            if together.wait() == 0:
                generation = store.generation() or {}
                seen.append((generation["job_id"], generation["round"]))
        store.leave()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (older, newer)))

    assert seen == [(end.job_id, 2) for end in newer]
    assert [store.documents.find_end(end.job_id) for end in newer] == newer


@on_servers
def test_what_was_recorded_survives_the_death_of_the_server(store: Store) -> None:
    assert store.server is not None
    store.documents.save_report("K1", "minat", REPORT)
    store.documents.record_end(FIRST)

    store.server.kill()
    with pytest.raises(store.outage):
        store.documents.record_end(replace(FIRST, round=2))
    with pytest.raises(store.outage):
        store.documents.ping()
    store.server.start()

    assert store.documents.find_end("pdf_1") == FIRST
    store.documents.record_end(replace(FIRST, round=2))
    assert (store.generation() or {})["round"] == 2


@on_servers
def test_a_silent_server_is_an_outage_and_not_a_hang(store: Store) -> None:
    assert store.server is not None
    store.documents.save_report("K1", "minat", REPORT)
    store.server.suspend()
    try:
        for ask in (
            store.documents.ping,
            lambda: store.documents.record_end(FIRST),
            lambda: store.documents.find_report("K1", "minat"),
            lambda: store.documents.find_end("pdf_1"),
        ):
            with pytest.raises(store.outage):
                ask()
    finally:
        store.server.resume()

    assert store.documents.find_report("K1", "minat") is not None


def test_the_probe_leaves_nothing_behind_however_many_ask_at_once(mongo: MongoWire, sqlite: Database) -> None:
    documents = open_documents(mongo.url, sqlite)
    with pymongo.MongoClient[dict[str, Any]](mongo.url) as client:

        def everything() -> dict[str, list[Any]]:
            database = client["workflow"]
            return {name: sorted(database[name].find(), key=str) for name in database.list_collection_names()}

        documents.ping()
        before = everything()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: documents.ping(), range(80)))
        assert everything() == before
    documents.close()


@pytest.mark.own_server
def test_the_probe_meets_lacking_rights_to_write(tmp_path: Path, sqlite: Database) -> None:
    with MongoWire(tmp_path / "mongodb", rights="read") as server:
        reader = open_documents(server.url, sqlite, timeout=5)
        assert reader.find_report("K1", "minat") is None
        with pytest.raises(DependencyDown) as refused:
            reader.ping()
        reader.close()
    assert refused.value.code == "mongodb_access_refused"


@pytest.mark.own_server
def test_the_probe_meets_a_server_that_reads_and_does_not_write(
    tmp_path: Path, sqlite: Database, small_disk: Callable[..., SmallDisk]
) -> None:
    disk = small_disk(96 << 20)
    with MongoWire(disk.folder / "mongodb") as server:
        documents = open_documents(server.url, sqlite, timeout=5)
        documents.ping()
        disk.fill()
        refused = 0
        for number in range(400):  # what its files still hold is used up first
            try:
                documents.record_end(replace(FIRST, job_id=f"pdf_{number}", meta="x" * 100_000))
            except DependencyDown:
                refused = number
                break
        assert refused
        with pytest.raises(DependencyDown):
            documents.ping()
        documents.close()


def test_an_outage_names_its_dependency_and_no_secret(mongo: MongoWire, sqlite: Database) -> None:
    documents = open_documents(mongo.url.replace(mongo.password, "wrong-secret"), sqlite, timeout=2)
    with pytest.raises(DependencyDown) as refused:
        documents.ping()
    documents.close()

    assert refused.value.dependency == "mongodb"
    assert refused.value.code == "mongodb_access_refused"
    assert "wrong-secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://x", "nothing", "mongodb://user:pa%ss@:x/"])
def test_a_url_that_names_no_store_is_refused_without_its_password(sqlite: Database, url: str) -> None:
    with pytest.raises(ValueError) as refused:
        open_documents(url, sqlite)

    assert "pa%ss" not in str(refused.value)


def test_documents_that_others_wrote_are_read_as_json_would_hold_them(mongo: MongoWire, sqlite: Database) -> None:
    documents = open_documents(mongo.url, sqlite)
    with pymongo.MongoClient[dict[str, Any]](mongo.url) as client:
        sources = client["workflow"]["psikotes_v2"]
        sources.delete_many({})
        for name in ("old", "new"):
            sources.insert_one({"code": "K9", "product_id": "p", "name": name, "at": NOON, "n": 1})
        sources.update_many(
            {}, {"$set": {"pdf_generation": {"status": "completed", "requested_at": LATER, "round": 1}}}
        )

    found = documents.find_report("K9", "p")
    documents.record_end(replace(FIRST, code="K9", product_id="p"))

    assert found == {
        "code": "K9",
        "product_id": "p",
        "name": "new",
        "at": "2025-03-14T12:00:00.123000Z",
        "n": 1,
    }
    with pymongo.MongoClient[dict[str, Any]](mongo.url) as client:
        kept = client["workflow"]["psikotes_v2"].find_one({"code": "K9"}) or {}
    assert "job_id" not in kept["pdf_generation"]
    documents.close()


def test_what_was_recorded_of_a_report_can_be_listed_and_forgotten(store: Store) -> None:
    store.documents.save_report("K1", "minat", REPORT)
    other = replace(FIRST, job_id="pdf_2", product_id="other", artifact_id="file2")
    stranger = replace(FIRST, job_id="pdf_3", code="K2")
    for end in (FIRST, other, stranger):
        store.documents.record_end(end)

    assert [end.artifact_id for end in store.documents.ends_of("K1", None)] == ["file1", "file2"]
    assert [end.job_id for end in store.documents.ends_of("K1", "other")] == ["pdf_2"]
    assert store.documents.forget("K1", "minat") == 1

    assert store.generation() is None
    assert store.documents.find_report("K1", "minat") is not None
    assert store.documents.find_end("pdf_1") is None
    assert store.documents.forget("K1", None) == 1
    assert store.documents.find_end("pdf_3") == stranger


def test_ends_of_a_code_are_listed_newest_job_first_a_page_at_a_time(store: Store) -> None:
    ends = [
        replace(FIRST, job_id=f"pdf_{n:02}", product_id="ab"[n % 2], status=("completed", "failed")[n % 3 == 0])
        for n in range(10)
    ]
    for end in [*ends, replace(FIRST, job_id="pdf_x", code="K2"), replace(FIRST, job_id="pdf_y", code="K1 ")]:
        store.documents.record_end(end)

    def found(**query: Any) -> list[str]:
        return [end.job_id for end in store.documents.find_ends("K1", **query)]

    assert store.documents.find_ends("K1", limit=3) == ends[:6:-1]
    assert found() == [end.job_id for end in reversed(ends)]
    assert found(product_id="a", limit=2) == ["pdf_08", "pdf_06"]
    assert found(status="failed", before="pdf_09") == ["pdf_06", "pdf_03", "pdf_00"]
    assert found(since="pdf_04", before="pdf_06") == ["pdf_05", "pdf_04"]
    assert found(product_id="c") == []
    assert store.documents.find_ends("K3") == []
