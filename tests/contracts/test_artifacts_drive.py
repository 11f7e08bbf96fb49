"""What Google Drive promises beyond the contract: one file whatever goes wrong, and every trouble sorted."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httplib2
import pytest
from googleapiclient.errors import HttpError

from actors.artifacts import drive as adapter
from actors.artifacts import open_artifacts, try_out
from actors.artifacts.drive import GoogleDrive
from actors.artifacts.drive_errors import sort, until_reset
from ops.servers.drive import DriveDouble
from ops.servers.loopback_http import call
from schema.errors import DependencyDown, Permanent, RateLimited, ReportqError, Transient
from schema.settings import Settings

PDF = b"%PDF-1.7 first\n" + bytes(range(256)) * 40
OTHER = b"%PDF-1.7 second\n" + bytes(range(255, -1, -1)) * 50


def settings_of(double: DriveDouble, key: Path, url: str = "", **how: Any) -> Settings:
    return Settings(
        artifacts_url=url or double.url, gdrive_credentials=str(key), gdrive_api_root=double.api_root, **how
    )


@pytest.fixture
def double(drive: DriveDouble) -> Iterator[DriveDouble]:
    yield drive
    drive.clear()
    drive.set_list_delay(0)


@pytest.fixture
def key(double: DriveDouble, account: Path) -> Path:
    return account


@pytest.fixture
def opened(double: DriveDouble, key: Path) -> Iterator[Callable[..., GoogleDrive]]:
    stores = []

    def open_one(url: str = "", timeout: float = 10.0, **options: Any) -> GoogleDrive:
        store = open_artifacts(settings_of(double, key, url, gdrive_timeout=timeout, **options))
        assert isinstance(store, GoogleDrive)
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., GoogleDrive]) -> GoogleDrive:
    return opened()


@pytest.fixture
def in_a_session(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have every PDF uploaded as a large one, when the operation is one of an upload session."""

    def when(operation: str) -> None:
        if operation == "upload":
            monkeypatch.setattr(adapter, "ONE_REQUEST", 0)

    return when


def put(store: GoogleDrive, artifact_id: str, pdf: bytes = PDF, *, replace: bool = False) -> str | None:
    return store.put(artifact_id, "Laporan.pdf", pdf, replace=replace, labels={"job_id": "pdf_01"})


def stored(double: DriveDouble, artifact_id: str) -> list[dict[str, Any]]:
    return [file for file in double.files() if file["id"] == artifact_id]


def raised(act: Callable[[], object]) -> ReportqError:
    with pytest.raises(ReportqError) as error:
        act()
    return error.value


def test_the_file_lies_in_the_folder_with_link_title_and_labels(double: DriveDouble, store: GoogleDrive) -> None:
    artifact_id = store.reserve()

    link = put(store, artifact_id)

    (file,) = stored(double, artifact_id)
    assert link == file["alternateLink"]
    assert file["title"] == "Laporan.pdf"
    assert file["mimeType"] == "application/pdf"
    assert [parent["id"] for parent in file["parents"]] == [double.folder_id]
    assert {"key": "job_id", "value": "pdf_01", "visibility": "PRIVATE"} in file["properties"]


@pytest.mark.parametrize("operation", ["insert", "upload"])
@pytest.mark.parametrize("kind", ["lost_answer", "drop", "server_error", "html", "rate_limit"])
def test_however_an_upload_breaks_the_next_try_ends_with_one_whole_file(
    double: DriveDouble, store: GoogleDrive, operation: str, kind: str, in_a_session: Callable[[str], None]
) -> None:
    in_a_session(operation)
    artifact_id = store.reserve()
    before = len(double.files())
    double.fail(operation, kind, times=3)  # more than the client's own silent second send

    def tried() -> None:
        with contextlib.suppress(DependencyDown):
            put(store, artifact_id)

    for _ in range(3):
        tried()
    put(store, artifact_id)

    assert len(double.files()) == before + 1
    assert double.content(artifact_id) == PDF


@pytest.mark.parametrize("operation", ["insert", "upload"])
def test_a_dropped_upload_is_never_resent_empty(
    double: DriveDouble, store: GoogleDrive, operation: str, in_a_session: Callable[[str], None]
) -> None:
    in_a_session(operation)
    artifact_id = store.reserve()
    double.fail(operation, "drop", times=1)

    put(store, artifact_id)

    assert double.content(artifact_id) == PDF


@pytest.mark.parametrize("left", [b"", PDF[:100]])
def test_a_file_cut_short_by_somebody_is_repaired(double: DriveDouble, store: GoogleDrive, left: bytes) -> None:
    """An upload that lost its end, as the library's own way of sending would leave it."""
    artifact_id = store.reserve()
    put(store, artifact_id)
    request = store._client.files.update(fileId=artifact_id, media_body=_media(left))
    with store._client.asking("cut", missing="artifact_gone") as http:
        request.execute(http=http)
    assert double.content(artifact_id) == left

    put(store, artifact_id)

    assert double.content(artifact_id) == PDF
    assert len(stored(double, artifact_id)) == 1


def test_lists_that_lag_make_no_second_file(double: DriveDouble, store: GoogleDrive) -> None:
    double.set_list_delay(60)
    artifact_id = store.reserve()
    before = len(double.files())

    for _ in range(3):
        put(store, artifact_id)

    assert len(double.files()) == before + 1


@pytest.mark.parametrize("operation", ["token", "generateIds", "insert", "upload", "get", "download"])
def test_silence_is_an_outage_and_not_a_hang(
    double: DriveDouble, opened: Callable[..., GoogleDrive], operation: str, in_a_session: Callable[[str], None]
) -> None:
    in_a_session(operation)
    quiet, before = opened(timeout=0.5), opened()
    artifact_id, fresh = before.reserve(), before.reserve()
    put(before, artifact_id)
    double.fail(operation, "hang")

    acts = {
        "token": quiet.ping,
        "generateIds": quiet.reserve,
        "insert": lambda: put(quiet, fresh),
        "upload": lambda: put(quiet, fresh),
        "get": quiet.ping,
        "download": lambda: quiet.read(artifact_id),
    }

    error = raised(acts[operation])
    assert isinstance(error, DependencyDown)
    assert error.dependency == "drive"
    double.clear()
    put(quiet, fresh)
    assert double.content(fresh) == PDF


@pytest.mark.parametrize("kind", ["rate_limit", "too_many_requests", "server_error", "html", "drop"])
@pytest.mark.parametrize("operation", ["token", "generateIds", "insert", "get", "download", "update", "delete"])
def test_outages_pause_the_dependency(
    double: DriveDouble, opened: Callable[..., GoogleDrive], operation: str, kind: str
) -> None:
    store = opened()
    if operation != "token":
        artifact_id, fresh = store.reserve(), store.reserve()
        put(store, artifact_id)
    double.fail(operation, kind)
    acts: dict[str, Callable[[], object]] = {
        "token": store.ping,
        "generateIds": opened().reserve,
        "insert": lambda: put(store, fresh),
        "get": store.ping,
        "download": lambda: store.read(artifact_id),
        "update": lambda: put(store, artifact_id, OTHER, replace=True),
        "delete": lambda: store.delete(artifact_id),
    }

    error = raised(acts[operation])

    assert isinstance(error, DependencyDown)
    assert error.code == "drive_unavailable"
    assert isinstance(error, RateLimited) == (operation != "token" and kind in ("rate_limit", "too_many_requests"))


def test_the_days_share_is_an_outage_and_the_minutes_is_none() -> None:
    def refused(status: int, reason: str, **headers: str) -> ReportqError:
        content = json.dumps({"error": {"errors": [{"reason": reason}]}}).encode()
        answer = HttpError(httplib2.Response({"status": status, **headers}), content)
        return sort(answer, "store the PDF", "artifact_gone")

    for reason in ("userRateLimitExceeded", "rateLimitExceeded", "sharingRateLimitExceeded"):
        error = refused(403, reason)
        assert isinstance(error, RateLimited)
        assert error.retry_after is None
    error = refused(429, "", **{"retry-after": "7"})
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7
    for status, reason in ((403, "dailyLimitExceeded"), (429, "dailyLimitExceeded"), (503, "rateLimitExceeded")):
        assert type(refused(status, reason)) is DependencyDown
    assert refused(429, "dailyLimitExceeded").code == "drive_daily_limit"


def test_a_report_costs_one_call(double: DriveDouble, store: GoogleDrive) -> None:
    before = sum(double.counts().values())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: put(store, store.reserve(), PDF + b"%d" % n), range(100)))
    assert sum(double.counts().values()) - before <= 102


def test_a_large_pdf_is_stored_whole(double: DriveDouble, store: GoogleDrive) -> None:
    artifact_id, before = store.reserve(), double.counts().get("upload", 0)
    large = PDF * 500
    put(store, artifact_id, large)
    assert double.content(artifact_id) == large
    assert double.counts()["upload"] == before + 1


def test_a_fork_hands_out_no_id_of_its_parent(store: GoogleDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.reserve()
    kept = set(store._ids)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert store.reserve() not in kept | {first}


def test_writes_beyond_the_accounts_limit_are_refused_and_leave_nothing(
    double: DriveDouble, store: GoogleDrive
) -> None:
    artifact_ids = [store.reserve() for _ in range(4)]
    double.pace(writes=0.001, burst=3)
    try:
        for artifact_id in artifact_ids[:3]:
            put(store, artifact_id)
        assert isinstance(raised(lambda: put(store, artifact_ids[3])), RateLimited)
        assert not stored(double, artifact_ids[3])
        assert double.counts()["refused"] == 1
    finally:
        double.pace()
    put(store, artifact_ids[3])


@pytest.mark.parametrize(("kind", "code"), [("quota", "drive_quota_exceeded"), ("daily_limit", "drive_daily_limit")])
def test_what_every_other_job_would_meet_too_is_an_outage_at_once(
    double: DriveDouble, store: GoogleDrive, kind: str, code: str
) -> None:
    double.fail("insert", kind)
    error = raised(lambda: put(store, store.reserve()))
    assert isinstance(error, DependencyDown)
    assert (error.code, error.dependency, error.fields["at_once"]) == (code, "drive", True)
    store.ping()  # which knows nothing of it: therefore it is probed by a file
    assert raised(lambda: try_out(store, "reportq-probe", 100_000)).code == code
    double.clear()
    before = len(double.files())
    assert try_out(store, "reportq-probe", 100_000)
    assert len(double.files()) == before


@pytest.mark.parametrize(
    ("at", "hours"),
    [
        ("2026-01-15T08:00:00", 24.0),  # winter: UTC-8
        ("2026-01-15T07:59:00", 1 / 60),
        ("2026-07-15T06:00:00", 1.0),  # summer: UTC-7
        ("2026-07-15T12:30:00", 18.5),
        ("2026-03-08T09:59:00", 22 + 1 / 60),  # the clocks are turned a minute later
        ("2026-03-08T10:01:00", 20 + 59 / 60),
        ("2026-11-01T08:59:00", 22 + 1 / 60),
        ("2026-11-01T09:01:00", 22 + 59 / 60),
    ],
)
def test_a_days_limit_is_reset_at_midnight_in_california(at: str, hours: float) -> None:
    assert until_reset(datetime.fromisoformat(at).replace(tzinfo=UTC)) == pytest.approx(hours * 3600)


@pytest.mark.parametrize(
    ("kind", "code", "sort"),
    [
        ("forbidden", "drive_permission_denied", Permanent),
        ("not_found", "drive_folder_not_found", Permanent),
        ("unauthorized", "drive_credentials_invalid", Transient),
    ],
)
def test_what_a_person_must_put_right_is_said(
    double: DriveDouble, store: GoogleDrive, kind: str, code: str, sort: type[ReportqError]
) -> None:
    artifact_id = store.reserve()
    double.fail("insert", kind)

    error = raised(lambda: put(store, artifact_id))

    assert isinstance(error, sort)
    assert not isinstance(error, DependencyDown)
    assert error.code == code


def test_a_folder_that_is_none_is_said(opened: Callable[..., GoogleDrive], store: GoogleDrive) -> None:
    file = store.reserve()
    put(store, file)
    for folder in ("no-such-folder", file):
        other = opened(f"gdrive://{folder}")
        assert raised(other.ping).code == "drive_folder_not_found"
    lost = opened("gdrive://no-such-folder")
    assert raised(lambda: put(lost, lost.reserve())).code == "drive_folder_not_found"


def test_a_folder_that_we_may_only_read_is_met_by_the_probe(
    double: DriveDouble, opened: Callable[..., GoogleDrive]
) -> None:
    call(
        "POST", f"{double.api_root}_control/folders",
        json={"id": "read-only-folder", "title": "x", "capabilities": {"canAddChildren": False}},
    ).raise_for_status()  # fmt: skip
    assert raised(opened("gdrive://read-only-folder").ping).code == "drive_permission_denied"


def test_the_probe_takes_an_uploads_first_steps_and_leaves_no_file(double: DriveDouble, store: GoogleDrive) -> None:
    before = double.files()
    store.ping()
    assert double.files() == before
    double.fail("generateIds", "server_error")
    assert isinstance(raised(store.ping), DependencyDown)


def test_an_unknown_service_account_is_said(double: DriveDouble, key: Path, tmp_path: Path) -> None:
    account = json.loads(key.read_text())
    account["client_email"] = "stranger@trial.iam.gserviceaccount.com"
    other = tmp_path / "stranger.json"
    other.write_text(json.dumps(account))
    store = open_artifacts(settings_of(double, other))

    error = raised(store.ping)
    store.close()

    assert error.code == "drive_credentials_invalid"
    assert "PRIVATE KEY" not in str(error)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_key_file_with_a_byte_order_mark_is_read_as_meant(
    double: DriveDouble, key: Path, tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "key.json"
    path.write_text(key.read_text().replace("\n", "\r\n"), encoding)
    store = open_artifacts(settings_of(double, path))
    store.ping()
    store.close()


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"type": "service_account", "private_key": "x"}'])
def test_a_key_file_that_cannot_be_used_is_refused_at_start(
    double: DriveDouble, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)

    error = raised(lambda: open_artifacts(settings_of(double, path)))

    assert error.code == "drive_credentials_invalid"
    assert str(path) in str(error)


def test_tokens_that_were_revoked_are_fetched_again(double: DriveDouble, store: GoogleDrive) -> None:
    store.ping()
    double.expire_tokens()

    artifact_id = store.reserve()
    double.expire_tokens()
    put(store, artifact_id)

    assert double.content(artifact_id) == PDF


def test_eight_threads_fetch_one_token(double: DriveDouble, store: GoogleDrive) -> None:
    before = double.counts().get("token", 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.ping(), range(16)))

    assert double.counts()["token"] == before + 1


def test_links_are_shared_only_when_asked_for(double: DriveDouble, opened: Callable[..., GoogleDrive]) -> None:
    private, public = opened(), opened(gdrive_share_links=True)
    before = double.counts().get("permissions", 0)

    put(private, private.reserve())
    assert double.counts().get("permissions", 0) == before

    put(public, public.reserve())
    assert double.counts()["permissions"] == before + 1


def test_where_deleting_is_denied_the_file_goes_to_the_trash_and_comes_back(
    double: DriveDouble, store: GoogleDrive
) -> None:
    artifact_id = store.reserve()
    put(store, artifact_id)
    double.fail("delete", "forbidden")

    store.delete(artifact_id)
    (file,) = stored(double, artifact_id)
    assert file["labels"]["trashed"]

    put(store, artifact_id, OTHER, replace=True)
    (file,) = stored(double, artifact_id)
    assert not file["labels"]["trashed"]
    assert double.content(artifact_id) == OTHER


def test_files_survive_the_death_of_the_server_and_so_does_the_client(double: DriveDouble, store: GoogleDrive) -> None:
    artifact_id, unused = store.reserve(), store.reserve()
    put(store, artifact_id)

    double.kill()
    for act in (store.ping, lambda: put(store, unused), lambda: store.read(artifact_id)):
        assert isinstance(raised(act), DependencyDown)
    double.start()

    assert b"".join(store.read(artifact_id)) == PDF
    put(store, unused)
    assert double.content(unused) == PDF


def _media(content: bytes) -> Any:
    from googleapiclient.http import MediaInMemoryUpload

    return MediaInMemoryUpload(content, mimetype="application/pdf", resumable=False)
