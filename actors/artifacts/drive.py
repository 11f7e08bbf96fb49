"""PDFs in a folder of Google Drive, through PyDrive2 (Drive API v2), as a service account."""

import hashlib
import io
import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload, MediaUpload

from actors.artifacts.drive_client import DriveClient
from actors.artifacts.drive_errors import Refusal, refusal_of
from schema.errors import DependencyDown, Permanent, Transient
from schema.settings import Settings

PDF = "application/pdf"
FOLDER = "application/vnd.google-apps.folder"
CHUNK = 1024 * 1024  # Bytes per download request.
ONE_REQUEST = 5_000_000  # Most bytes that Drive takes in one request with their description.
IDS = 100  # So many are reserved at once.
REPAIRS = 2  # One put uploads incomplete content again, at most so often.
PROPERTY_BYTES = 124  # Drive's limit for one property's key and value together.
_ID = re.compile(r"[0-9A-Za-z_-]{8,200}")
_MD5 = "content_md5"
# How Drive is asked about files: with all that `put` looks at.
_WHOLE: dict[str, Any] = {
    "supportsAllDrives": True,
    "fields": "id,md5Checksum,fileSize,alternateLink,properties,labels",
}

File = dict[str, Any]


class GoogleDrive:
    """One file per job, under an id reserved beforehand. One object serves many threads.

    An insert with an id cannot happen twice; a search would not see a file that was written just now. The file has its
    content's MD5 as a property, so a whole file can be told from one cut short. A `put` returns only when Drive reports
    the whole content.
    """

    dependency = "drive"

    def __init__(self, folder_id: str, settings: Settings) -> None:
        self.folder_id = folder_id
        self._link_sharing = settings.gdrive_share_links
        self._client = DriveClient(settings)
        self._reserving = threading.Lock()
        self._ids: list[str] = []
        self._process = os.getpid()

    def reserve(self) -> str:
        with self._reserving:
            if self._process != os.getpid():  # a fork has the same ids as its parent
                self._ids, self._process = [], os.getpid()
            if not self._ids:
                self._ids = self._reserved(IDS)
            return self._ids.pop()

    def _reserved(self, count: int) -> list[str]:
        answer = self._client.ask("reserve file ids", lambda files: files.generateIds(maxResults=count, space="drive"))
        ids = answer.get("ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
            raise DependencyDown("drive", "Google Drive answered without the ids that were asked for.")
        return ids

    def put(
        self, artifact_id: str, filename: str, pdf: bytes, *, replace: bool, labels: Mapping[str, str]
    ) -> str | None:
        """Also raises Permanent("artifact_gone") when the id's file was deleted: Drive takes an id only once."""
        _check_id(artifact_id)
        md5 = hashlib.md5(pdf, usedforsecurity=False).hexdigest()
        body = {"title": filename, "properties": _properties({**labels, _MD5: md5})}
        file = self._insert(artifact_id, body, pdf)
        if file is None:
            file = self._get(artifact_id)
            if file.get("labels", {}).get("trashed"):
                self._ask("take the PDF out of the trash", "untrash", artifact_id, fields="id")
            if not replace and _complete(file, len(pdf)):
                md5 = str(file.get("md5Checksum"))
        for _ in range(REPAIRS):
            if file.get("md5Checksum") == md5:
                break
            file = self._update(artifact_id, body, pdf)
        if file.get("md5Checksum") != md5:
            raise Transient("Google Drive kept storing the PDF incompletely.", code="drive_content_mismatch")
        if self._link_sharing:
            self._share(artifact_id)
        return str(file.get("alternateLink") or f"https://drive.google.com/file/d/{artifact_id}/view")

    def read(self, artifact_id: str) -> Iterator[bytes]:
        """Chunks of 1 MiB. The first is fetched before this returns, so a missing file raises at once."""
        _check_id(artifact_id)
        sink = io.BytesIO()  # holds one chunk
        request = self._client.files.get_media(fileId=artifact_id, supportsAllDrives=True)
        download = MediaIoBaseDownload(sink, request, chunksize=CHUNK)

        def fetch() -> bool:
            with self._client.asking("read the PDF", missing="artifact_gone") as http:
                download._request.http = http
                _, done = download.next_chunk()
            return bool(done)

        done = fetch()

        def chunks(done: bool) -> Iterator[bytes]:
            while True:
                content = sink.getvalue()
                sink.seek(0)
                sink.truncate()
                if content:
                    yield content
                elif not done:
                    raise DependencyDown("drive", "Google Drive sent an empty part of the PDF.")
                if done:
                    return
                done = fetch()

        return chunks(done)

    def delete(self, artifact_id: str) -> None:
        """Delete for good, or move to the trash when that is all we may do (contributors of a shared drive)."""
        _check_id(artifact_id)
        try:
            self._ask("delete the PDF", "delete", artifact_id)
        except Permanent as refused:
            if refused.code == "drive_permission_denied":
                self._ask("move the PDF to the trash", "trash", artifact_id)
            elif refused.code != "artifact_gone":
                raise

    def ping(self) -> None:
        """Take an upload's first steps: look at the folder and our rights in it, and reserve an id.

        Free room is not tested: that would leave a file, or use up the account's writes per second.
        """
        fields = "id,mimeType,labels,capabilities/canAddChildren"
        folder = self._ask("look at the folder", "get", self.folder_id, Refusal.FOLDER.code, fields=fields)
        if folder.get("mimeType") != FOLDER or folder.get("labels", {}).get("trashed"):
            raise Refusal.FOLDER.error()
        if folder.get("capabilities", {}).get("canAddChildren") is False:
            raise Refusal.PERMISSION.error()
        self._reserved(1)

    def close(self) -> None:
        self._client.close()

    def _insert(self, artifact_id: str, body: File, pdf: bytes) -> File | None:
        """The new file, or None when a file with this id is there already."""
        body = {**body, "id": artifact_id, "mimeType": PDF, "parents": [{"id": self.folder_id}]}
        with self._client.asking("store the PDF", missing="drive_folder_not_found") as http:
            return _upload(self._client.files.insert(body=body, media_body=_Bytes(pdf), **_WHOLE), http)

    def _update(self, artifact_id: str, body: File, pdf: bytes) -> File:
        with self._client.asking("replace the PDF", missing="artifact_gone") as http:
            request = self._client.files.update(fileId=artifact_id, body=body, media_body=_Bytes(pdf), **_WHOLE)
            file = _upload(request, http)
        return file if file is not None else self._get(artifact_id)

    def _get(self, artifact_id: str) -> File:
        return self._ask("look at the PDF", "get", artifact_id, **_WHOLE)

    def _ask(self, action: str, method: str, file_id: str, missing: str = "artifact_gone", **more: Any) -> File:
        options = {"fileId": file_id, "supportsAllDrives": True, **more}
        return self._client.ask(action, lambda files: getattr(files, method)(**options), missing=missing)

    def _share(self, artifact_id: str) -> None:
        body = {"type": "anyone", "role": "reader", "withLink": True}
        options = {"fileId": artifact_id, "body": body, "supportsAllDrives": True, "fields": "id"}
        self._client.ask("share the PDF by link", lambda _: self._client.service.permissions().insert(**options))


class _Bytes(MediaUpload):  # type: ignore[misc]
    """The PDF as one chunk of bytes, never as a stream; a small one leaves in one request with its description.

    httplib2 repeats a dropped request by itself. A stream would be at its end by then, and go out empty.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def chunksize(self) -> int:
        return max(len(self._content), 1)

    def mimetype(self) -> str:
        return PDF

    def size(self) -> int:
        return len(self._content)

    def resumable(self) -> bool:
        return len(self._content) > ONE_REQUEST

    def getbytes(self, begin: int, length: int) -> bytes:
        return self._content[begin : begin + length]


def _upload(request: Any, http: Any) -> File | None:
    """Run an upload to its end: the file as stored, or None when the id is taken (409)."""
    sent = -1
    try:
        while True:
            if request.resumable is None:
                answer = request.execute(http=http)
                break
            _, answer = request.next_chunk(http=http)
            if answer is not None:
                break
            if request.resumable_progress <= sent:
                raise DependencyDown("drive", "Google Drive took no more of the upload.")
            sent = request.resumable_progress
    except HttpError as error:
        if error.resp.status == 409 or refusal_of(error) == "fileIdInUse":
            return None
        if request.resumable_uri is not None and error.resp.status in (404, 410):
            # The folder is there. The upload's session is gone, perhaps because its last answer was lost.
            raise Transient("The upload to Google Drive broke off.", code="drive_upload_interrupted") from error
        raise
    if not isinstance(answer, dict):
        raise DependencyDown("drive", "Google Drive answered an upload with something else than a file.")
    return answer


def _complete(file: File, size: int) -> bool:
    """Whether an existing file holds all that its uploader meant to store, by the MD5 that it noted."""
    noted = {p.get("key"): p.get("value") for p in file.get("properties") or ()}.get(_MD5)
    return bool(file.get("md5Checksum") == noted) if noted else str(file.get("fileSize")) == str(size)


def _properties(labels: Mapping[str, str]) -> list[File]:
    """Labels as private properties, each cut to what Drive takes."""
    properties = []
    for key, value in labels.items():
        room = PROPERTY_BYTES - len(key.encode())
        cut = value.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
        properties.append({"key": key, "value": cut, "visibility": "PRIVATE"})
    return properties


def _check_id(artifact_id: str) -> None:
    if not _ID.fullmatch(artifact_id):
        raise Permanent("The artifact id is malformed.", code="artifact_id_invalid", artifact_id=artifact_id[:100])
