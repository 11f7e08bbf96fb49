"""What all connections to the Drive double share: files, faults, counts, settings, tokens, and how files are shown."""

import base64
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from google.auth.crypt import verify_signature

from ops.servers.drive_faults import Faults
from ops.servers.drive_files import DriveFiles, File

Selection = dict[str, "Selection"]
FREELY: dict[str, Any] = {"latency": 0.0, "writes": None, "burst": 10}  # uploads at any pace


class Refusal(Exception):
    """An error answer of the API."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class DriveState:
    """What all connections share."""

    def __init__(self, folder: Path, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}/"
        self.files = DriveFiles(folder)
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self.settings_file = folder / "settings.json"
        self.settings: dict[str, Any] = {"list_delay": 0.0, "token_lifetime": 3600, **FREELY}
        if self.settings_file.exists():
            self.settings |= json.loads(self.settings_file.read_text())
        self.keys = folder / "keys"
        self._bucket = threading.Lock()
        self._filled, self._tokens = time.monotonic(), float(self.settings["burst"])

    def may_write(self) -> bool:
        """Whether the account's bucket of writes has one left; it is taken."""
        with self._bucket:
            self.fill()
            if self.settings["writes"] is None:
                return True
            if self._tokens < 1:
                self.counts["refused"] += 1
                return False
            self._tokens -= 1
            return True

    def fill(self) -> None:
        """Refill the bucket at the rate that has held so far; stands before every change of it."""
        now, rate = time.monotonic(), self.settings["writes"]
        more = float("inf") if rate is None else rate * (now - self._filled)
        self._filled, self._tokens = now, min(float(self.settings["burst"]), self._tokens + more)

    def change(self, settings: dict[str, Any]) -> None:
        """Change settings, for good."""
        with self._bucket:
            self.fill()
            self.settings |= settings
        self.settings_file.write_text(json.dumps(self.settings))

    def shown(self, file: File) -> File:
        """A file as the API shows it, links included."""
        identifier = file["id"]
        public = {key: value for key, value in file.items() if not key.startswith("_")}
        return public | {
            "kind": "drive#file",
            "etag": f'"{file["version"]}"',
            "selfLink": f"{self.root}drive/v2/files/{identifier}",
            "alternateLink": f"{self.root}file/d/{identifier}/view?usp=drivesdk",
            "webContentLink": f"{self.root}file/d/{identifier}/view?export=download",
            "downloadUrl": f"{self.root}drive/v2/files/{identifier}?alt=media",
        }

    def sell_token(self, form: str) -> dict[str, Any] | None:
        """RFC 7523: a JWT signed with a service account's key buys an access token; None when it does not."""
        fields = {key: values[-1] for key, values in parse_qs(form).items()}
        try:
            head, claims, signature = fields["assertion"].split(".")
            issuer = json.loads(_unpadded(claims))["iss"]
            key = (self.keys / f"{issuer}.pem").read_bytes()
            if not verify_signature(f"{head}.{claims}", _unpadded(signature), key):  # type: ignore[no-untyped-call]
                return None
        except (KeyError, ValueError, OSError):
            return None
        lifetime = self.settings["token_lifetime"]
        token = self.files.issue_token(lifetime)
        return {"access_token": token, "expires_in": int(lifetime), "token_type": "Bearer"}


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def partial(content: dict[str, Any], fields: str) -> dict[str, Any]:
    """The content cut to Google's parameter `fields` (`id,labels/trashed,items(id,title)`), so that nobody relies on more;
    all of it without any."""
    cut: dict[str, Any] = _cut(content, _selection(iter(re.findall(r"[(),]|[^(),\s]+", fields))))
    return cut


def _selection(signs: Iterator[str]) -> Selection:
    chosen: Selection = {}
    place = chosen
    for sign in signs:
        if sign == ")":
            break
        if sign == "(":
            place.update(_selection(signs))
        elif sign != ",":
            place = chosen
            for name in sign.split("/"):
                place = place.setdefault(name, {})
    return chosen


def _cut(content: Any, chosen: Selection) -> Any:
    if not chosen or "*" in chosen:
        return content
    if isinstance(content, list):
        return [_cut(entry, chosen) for entry in content]
    if isinstance(content, dict):
        return {key: _cut(value, chosen[key]) for key, value in content.items() if key in chosen}
    return content
