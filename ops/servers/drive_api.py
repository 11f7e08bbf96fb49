"""The part of Google's token endpoint and Drive API v2 that PyDrive2 and googleapiclient use, with faults.

Written from the bundled discovery document (drive v2) and from what the clients send.
Errors have Google's shape: `{"error": {"code", "message", "errors": [{"domain", "reason", "message"}]}}`.
"""

import json
import re
import secrets
import time
from typing import Any

from ops.servers import drive_uploads
from ops.servers.drive_faults import REFUSALS
from ops.servers.drive_files import BadQuery, File, matching
from ops.servers.drive_state import DriveState, Refusal, partial
from ops.servers.loopback_http import Exchange, Unanswered

FOLDER_TYPE = "application/vnd.google-apps.folder"
_UPLOAD, _FILES, _ID = r"(?:/resumable)?/upload/drive/v2/files", "/drive/v2/files", "/(?P<id>[^/]+)"
# Method and path → operation; the first that fits. A request to a session by its `upload_id` is an `upload`, and one of a
# file's content (`alt=media`) a `download`.
ROUTES = [
    (re.compile(pattern), operation)
    for pattern, operation in (
        (r"\w+ /token", "token"),
        (rf"POST {_UPLOAD}", "insert"),
        (rf"\w+ {_UPLOAD}(?:{_ID})?", "update"),
        (rf"GET {_FILES}", "list"),
        (rf"\w+ {_FILES}", "insert"),
        (r"\w+ /drive/v2/about", "about"),
        (rf"\w+ {_FILES}/generateIds", "generateIds"),
        (rf"\w+ /file/d{_ID}/view", "view"),
        (rf"\w+ {_FILES}{_ID}/(?:un)?trash", "trash"),
        (rf"\w+ {_FILES}{_ID}/permissions(?:/(?P<sub>[^/]+))?", "permissions"),
        (rf"GET {_FILES}{_ID}", "get"),
        (rf"DELETE {_FILES}{_ID}", "delete"),
        (rf"\w+ {_FILES}{_ID}", "update"),
    )
]


class DriveExchange(Exchange):
    """One connection to the double; `state` is set on a subclass made for the running server."""

    state: DriveState
    named: dict[str, str | None]
    lost = False  # the answer to this request

    def respond(self, method: str) -> None:
        body = self.body()
        if self.route.startswith("/_control/"):
            self._control(method, body)
            return
        operation = self._operation(method)
        self.state.counts[operation] += 1
        fault = self.state.faults.take(operation)
        kind = fault.kind if fault else ""
        if fault and kind == "hang":
            self.state.faults.hang(operation)
            raise Unanswered
        if kind == "drop":
            raise Unanswered
        if fault and kind == "delay":
            self.state.faults.wait(fault.seconds)
        if kind == "html":
            page = b"<!DOCTYPE html><html><title>Error 502 (Server Error)!!1</title></html>"
            self.answer(502, page, {"Content-Type": "text/html; charset=UTF-8"})
            return
        self.lost = kind == "lost_answer"
        try:
            if kind in REFUSALS:
                raise Refusal(*REFUSALS[kind])
            self._perform(operation, method, body)
        except Refusal as refusal:
            error = {"domain": "global", "reason": refusal.reason, "message": refusal.message}
            content = {"error": {"errors": [error], "code": refusal.status, "message": refusal.message}}
            self.answer_json(refusal.status, content)

    def answer(self, status: int, body: bytes = b"", headers: Any = None) -> None:
        if self.lost:
            self.lost = False
            raise Unanswered
        super().answer(status, body, headers)

    def _operation(self, method: str) -> str:
        """What is asked; the ids in the path are kept in `named`."""
        for pattern, operation in ROUTES:
            if found := pattern.fullmatch(f"{method} {self.route}"):
                self.named = found.groupdict()
                if "upload_id" in self.query and operation in ("insert", "update"):
                    return "upload"
                return "download" if operation == "get" and self.query.get("alt") == "media" else operation
        return "unknown"

    def _perform(self, operation: str, method: str, body: bytes) -> None:
        if operation == "token":
            self._token(body)
            return
        if operation == "view":  # people follow links without a token; the double trusts loopback
            file = self._file()
            self.answer(200, self.state.files.content(file), {"Content-Type": str(file["mimeType"])})
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.state.files.tokens.get(token, 0) < time.time():
            raise Refusal(*REFUSALS["unauthorized"])
        if operation == "unknown":
            raise Refusal(404, "notFound", f"This double does not know {method} {self.route}")
        getattr(self, f"_perform_{operation}")(method, body)

    def _token(self, body: bytes) -> None:
        token = self.state.sell_token(body.decode())
        refused = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        self.answer_json(200 if token else 400, token or refused)

    def _perform_about(self, method: str, body: bytes) -> None:
        used = sum(int(file.get("fileSize", 0)) for file in self.state.files.now.values())
        self._ok({
            "kind": "drive#about", "name": "reportq trial", "rootFolderId": "root",
            "quotaBytesTotal": str(15 * 2**30), "quotaBytesUsed": str(used),
            "user": {"kind": "drive#user", "displayName": "reportq trial"},
        })  # fmt: skip

    def _perform_generateIds(self, method: str, body: bytes) -> None:
        ids = self.state.files.reserve(int(self.query.get("maxResults", "10")))
        self._ok({"kind": "drive#generatedIds", "space": "drive", "ids": ids})

    def _perform_list(self, method: str, body: bytes) -> None:
        try:
            fits = matching(self.query.get("q", ""))
        except BadQuery:
            raise Refusal(400, "invalid", "Invalid Value") from None
        lag = float(self.state.settings["list_delay"])
        found = [self.state.shown(file) for file in self.state.files.listed(lag) if fits(file)]
        start, size = int(self.query.get("pageToken", "0")), int(self.query.get("maxResults", "100"))
        page: dict[str, Any] = {"kind": "drive#fileList", "items": found[start : start + size]}
        if start + size < len(found):
            page["nextPageToken"] = str(start + size)
        self._ok(page)

    def _perform_get(self, method: str, body: bytes) -> None:
        self._ok(self.state.shown(self._file()))

    def _perform_download(self, method: str, body: bytes) -> None:
        file = self._file()
        content = self.state.files.content(file)
        headers = {"Content-Type": str(file["mimeType"])}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first = int(wanted[1])
            last = min(int(wanted[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self.answer(206, content[first : last + 1], headers)
        else:
            self.answer(200, content, headers)

    def _perform_delete(self, method: str, body: bytes) -> None:
        self.state.files.remove(self._file()["id"])
        self.answer(204)

    def _perform_trash(self, method: str, body: bytes) -> None:
        file = self._file()
        labels = file["labels"] | {"trashed": self.route.endswith("/trash")}
        self._ok(self.state.shown(self.state.files.put(file | {"labels": labels})))

    def _perform_permissions(self, method: str, body: bytes) -> None:
        file, wanted = self._file(), self.named["sub"]
        granted: list[dict[str, Any]] = list(file.get("_permissions", []))
        one = next((permission for permission in granted if permission["id"] == wanted), None)
        if wanted and one is None:
            raise Refusal(404, "notFound", f"Permission not found: {wanted}.")
        if method == "POST":
            one = {"kind": "drive#permission", "id": secrets.token_hex(8), **json.loads(body)}
            self.state.files.put(file | {"_permissions": [*granted, one]})
            self._ok(one)
        elif method == "DELETE":
            left = [permission for permission in granted if permission is not one]
            self.state.files.put(file | {"_permissions": left})
            self.answer(204)
        else:
            self._ok(one or {"kind": "drive#permissionList", "items": granted})

    def _perform_insert(self, method: str, body: bytes) -> None:
        metadata, content, mime = self._parsed(body)
        self._written(content)
        with self.state.files.lock:  # two with one id may come at once
            drive_uploads.check_new(self.state, metadata)
            if self.query.get("uploadType") != "resumable":
                metadata = self.state.shown(drive_uploads.create(self.state, metadata, content, mime))
        if self.query.get("uploadType") == "resumable":
            self._open_session(None, metadata)
        else:
            self._ok(metadata)

    def _perform_update(self, method: str, body: bytes) -> None:
        file = self._file()
        metadata, content, mime = self._parsed(body)
        self._written(content)
        if self.query.get("uploadType") == "resumable":
            self._open_session(file["id"], metadata)
        else:
            changed = file | metadata | ({"mimeType": mime} if mime else {})
            self._ok(self.state.shown(self.state.files.put(changed, content)))

    def _perform_upload(self, method: str, body: bytes) -> None:
        spread = self.headers.get("Content-Range", "")
        self.state.faults.wait(float(self.state.settings["latency"]))
        done, fields, arrived = drive_uploads.receive(self.state, self.query["upload_id"], spread, body)
        if done is None:
            self.answer(308, b"", {"Range": f"bytes=0-{arrived - 1}"} if arrived else {})
        else:
            self._ok(done, fields)

    def _open_session(self, identifier: str | None, metadata: File) -> None:
        mime, fields = self.headers.get("X-Upload-Content-Type"), self.query.get("fields", "")
        name = drive_uploads.open_session(self.state, identifier, metadata, mime, fields)
        location = f"{self.state.root}{self.route[1:]}?uploadType=resumable&upload_id={name}"
        self.answer(200, b"", {"Location": location, "X-GUploader-UploadID": name})

    def _written(self, content: bytes | None) -> None:
        """Take a write from the account's bucket; the time that an upload takes passes here when it is whole."""
        if not self.state.may_write():
            raise Refusal(*REFUSALS["rate_limit"])
        if content is not None:
            self.state.faults.wait(float(self.state.settings["latency"]))

    def _parsed(self, body: bytes) -> tuple[File, bytes | None, str | None]:
        return drive_uploads.parsed(self.headers.get("Content-Type", ""), self.query.get("uploadType"), body)

    def _file(self) -> File:
        """The file that the path names."""
        identifier = self.named["id"] or ""
        file = self.state.files.now.get(identifier)
        if file is None:
            raise Refusal(404, "notFound", f"File not found: {identifier}.")
        return file

    def _ok(self, content: dict[str, Any], fields: str = "") -> None:
        self.answer_json(200, partial(content, self.query.get("fields", fields)))

    def _control(self, method: str, body: bytes) -> None:
        """What the tests say to us; never counted, never faulty."""
        state, asked = self.state, json.loads(body or b"{}")
        match (method, self.route):
            case ("POST", "/_control/faults"):
                state.faults.add(asked)
            case ("DELETE", "/_control/faults"):
                state.faults.clear(self.query.get("operation", "*"))
            case ("PUT", "/_control/settings"):
                state.change(asked)
            case ("POST", "/_control/revoke"):
                state.files.revoke_tokens()
            case ("POST", "/_control/folders"):
                with state.files.lock:
                    if asked["id"] not in state.files.now:
                        state.files.reserved.add(asked["id"])
                        drive_uploads.create(state, asked | {"mimeType": FOLDER_TYPE}, None, None)
        files = [state.shown(file) for file in list(state.files.now.values())]
        shown = {
            "counts": dict(state.counts),
            "faults": state.faults.shown(),
            "hanging": {key: count for key, count in state.faults.hanging.items() if count},
            "settings": state.settings,
            "files": [file for file in files if file["mimeType"] != FOLDER_TYPE],
        }
        self.answer_json(200, shown)
