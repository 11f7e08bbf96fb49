"""The contract of `schema.ports.Artifacts`, on a folder and on Google Drive's API."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.artifacts import open_artifacts
from ops.servers.drive import DriveDouble
from schema.errors import Permanent
from schema.ports import Artifacts
from schema.settings import Settings

PDF = b"%PDF-1.7 first\n" + bytes(range(256)) * 40
OTHER = b"%PDF-1.7 second\n" + bytes(range(255, -1, -1)) * 50
LABELS = {"job_id": "pdf_01", "code": "K1", "product_id": "minat"}


@pytest.fixture(params=["folder", "drive"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Artifacts]:
    if request.param == "folder":
        store = open_artifacts(Settings(artifacts_url=f"file:{tmp_path}/artifacts"))
    else:
        drive: DriveDouble = request.getfixturevalue("drive")
        drive.clear()
        key: Path = request.getfixturevalue("account")
        how = {"gdrive_credentials": str(key), "gdrive_api_root": drive.api_root, "gdrive_timeout": 10.0}
        store = open_artifacts(Settings(artifacts_url=drive.url, **how))
    yield store
    store.close()


def put(store: Artifacts, artifact_id: str, pdf: bytes = PDF, *, replace: bool = False) -> str | None:
    return store.put(artifact_id, "Laporan Ayu.pdf", pdf, replace=replace, labels=LABELS)


def read(store: Artifacts, artifact_id: str) -> bytes:
    return b"".join(store.read(artifact_id))


def test_what_was_put_is_read(store: Artifacts) -> None:
    artifact_id = store.reserve()

    put(store, artifact_id)

    assert read(store, artifact_id) == PDF


def test_reserved_ids_differ(store: Artifacts) -> None:
    assert len({store.reserve() for _ in range(20)}) == 20


def test_a_second_try_of_the_round_finds_the_file_and_leaves_it(store: Artifacts) -> None:
    artifact_id = store.reserve()
    link = put(store, artifact_id)

    again = put(store, artifact_id, OTHER)

    assert again == link
    assert read(store, artifact_id) == PDF


def test_a_later_round_replaces_the_content_of_the_same_file(store: Artifacts) -> None:
    artifact_id = store.reserve()
    link = put(store, artifact_id)

    again = put(store, artifact_id, OTHER, replace=True)

    assert again == link
    assert read(store, artifact_id) == OTHER
    put(store, artifact_id, PDF)  # a try of the first round that was thought dead
    assert read(store, artifact_id) == OTHER


def test_a_later_round_may_be_the_first_to_store(store: Artifacts) -> None:
    artifact_id = store.reserve()

    put(store, artifact_id, OTHER, replace=True)

    assert read(store, artifact_id) == OTHER


def test_a_large_file_comes_in_parts(store: Artifacts) -> None:
    artifact_id = store.reserve()
    large = hashlib.sha512(b"seed").digest() * 50_000  # 3.2 MB

    put(store, artifact_id, large)

    parts = list(store.read(artifact_id))
    assert len(parts) > 1
    assert b"".join(parts) == large


def test_a_reader_may_leave_early(store: Artifacts) -> None:
    artifact_id = store.reserve()
    put(store, artifact_id, PDF * 300)

    next(iter(store.read(artifact_id)))

    assert read(store, artifact_id) == PDF * 300


def test_a_file_that_never_was_is_gone_at_once(store: Artifacts) -> None:
    with pytest.raises(Permanent) as gone:
        store.read(store.reserve())

    assert gone.value.code == "artifact_gone"


def test_a_deleted_file_is_gone_and_deleting_again_is_harmless(store: Artifacts) -> None:
    artifact_id = store.reserve()
    put(store, artifact_id)

    store.delete(artifact_id)
    store.delete(artifact_id)

    with pytest.raises(Permanent) as gone:
        store.read(artifact_id)
    assert gone.value.code == "artifact_gone"


@pytest.mark.parametrize(
    "artifact_id", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a\x00b", "a?b", "x" * 300]
)
def test_an_id_leads_nowhere_else(store: Artifacts, artifact_id: str) -> None:
    for act in (store.read, store.delete, lambda i: put(store, i)):
        with pytest.raises(Permanent) as refused:
            act(artifact_id)
        assert refused.value.code == "artifact_id_invalid"


@pytest.mark.parametrize("filename", ["../../x.pdf", "", 'Ngũgĩ – O\'Brien "?" 日本.pdf', "n" * 400 + ".pdf"])
def test_any_filename_will_do(store: Artifacts, filename: str) -> None:
    artifact_id = store.reserve()

    store.put(artifact_id, filename, PDF, replace=False, labels={"code": "ß" * 300, "product_id": ""})

    assert read(store, artifact_id) == PDF


def test_the_store_answers(store: Artifacts) -> None:
    store.ping()


def test_many_threads_share_one_store(store: Artifacts) -> None:
    def work(thread: int) -> None:
        for turn in range(5):
            pdf = PDF + f"{thread}.{turn}".encode()
            artifact_id = store.reserve()
            put(store, artifact_id, pdf)
            assert read(store, artifact_id) == pdf

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_of_two_racing_writers_one_file_stays_whole(store: Artifacts) -> None:
    for _ in range(5):
        artifact_id = store.reserve()
        start = threading.Barrier(2)

        def write(pdf: bytes, artifact_id: str = artifact_id, start: threading.Barrier = start) -> None:
            start.wait()
            put(store, artifact_id, pdf)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, (PDF, OTHER)))

        assert read(store, artifact_id) in (PDF, OTHER)


@pytest.mark.parametrize(
    "url", ["", "var/artifacts", "s3://bucket", "file:", "file://var/artifacts", "gdrive:", "gdrive:///x"]
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        open_artifacts(Settings(artifacts_url=url))
