"""The double's files: an append-only journal on disk; kill -9 loses nothing and the past can be listed."""

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

File = dict[str, Any]


class BadQuery(ValueError):
    """A `q` that Drive, or this double, does not understand."""


class DriveFiles:
    """Files by id, as they are now and as they were a moment ago."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        (folder / "content").mkdir(parents=True, exist_ok=True)
        (folder / "sessions").mkdir(exist_ok=True)
        self._journal = folder / "journal.jsonl"
        self._history: list[tuple[float, str, File | None]] = []
        self.now: dict[str, File] = {}
        self.reserved: set[str] = set()
        self.tokens: dict[str, float] = {}
        if self._journal.exists():
            for line in self._journal.read_text().splitlines():
                self._apply(json.loads(line))

    def _write(self, entry: dict[str, Any]) -> None:
        with self._journal.open("a") as journal:
            journal.write(json.dumps(entry) + "\n")
        self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        if "reserved" in entry:
            self.reserved.update(entry["reserved"])
        elif "token" in entry:
            self.tokens[entry["token"]] = entry["until"]
        elif "revoked" in entry:
            self.tokens.clear()
        else:
            identifier, file = entry["id"], entry["file"]
            self._history.append((entry["at"], identifier, file))
            if file is None:
                self.now.pop(identifier, None)
            else:
                self.now[identifier] = file

    def reserve(self, count: int) -> list[str]:
        with self.lock:
            made = [secrets.token_urlsafe(24) for _ in range(count)]
            self._write({"reserved": made})
            return made

    def issue_token(self, lifetime: float) -> str:
        with self.lock:
            token = "ya29." + secrets.token_urlsafe(32)
            self._write({"token": token, "until": time.time() + lifetime})
            return token

    def revoke_tokens(self) -> None:
        with self.lock:
            self._write({"revoked": True})

    def put(self, file: File, content: bytes | None = None) -> File:
        """Create or change a file; with `content` its bytes, too."""
        with self.lock:
            identifier = file["id"]
            version = int(file.get("version", "0")) + 1
            file = {**file, "version": str(version), "modifiedDate": timestamp()}
            if content is not None:
                target = self.folder / "content" / f"{identifier}.{version}"
                target.write_bytes(content)
                digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
                file |= {"fileSize": str(len(content)), "md5Checksum": digest, "_content": target.name}
            self._write({"at": time.time(), "id": identifier, "file": file})
            return file

    def remove(self, identifier: str) -> None:
        with self.lock:
            self._write({"at": time.time(), "id": identifier, "file": None})

    def content(self, file: File) -> bytes:
        name = file.get("_content")
        return (self.folder / "content" / name).read_bytes() if name else b""

    def listed(self, lag: float) -> list[File]:
        """What a list shows: the files as they were `lag` seconds ago, newest change first."""
        horizon = time.time() - lag
        with self.lock:
            seen: dict[str, File | None] = {}
            for at, identifier, file in self._history:
                if at <= horizon:
                    seen[identifier] = file
        files = [file for file in seen.values() if file is not None]
        return sorted(files, key=lambda file: str(file["modifiedDate"]), reverse=True)

    def session(self, identifier: str) -> tuple[Path, Path]:
        """Where an upload session keeps what was announced and what has arrived."""
        if not re.fullmatch(r"[\w-]+", identifier):
            raise KeyError(identifier)
        base = self.folder / "sessions" / identifier
        return base.with_suffix(".json"), base.with_suffix(".part")


def timestamp() -> str:
    """Now as Drive writes it: RFC 3339, UTC, milliseconds."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


TEXT = r"'((?:[^'\\]|\\.)*)'"
SEEN = r"(?:\s+and\s+visibility\s*=\s*'(?:PUBLIC|PRIVATE)')?"
Test = Callable[[re.Match[str], File], bool]
# A clause of a query, and whether a file fits it.
CLAUSES: dict[str, Test] = {
    rf"{TEXT}\s+in\s+parents": lambda found, file: any(parent["id"] == plain(found[1]) for parent in file["parents"]),
    r"trashed\s*=\s*(true|false)": lambda found, file: bool(file["labels"]["trashed"]) is (found[1] == "true"),
    rf"(title|mimeType)\s*(=|!=|contains)\s*{TEXT}": lambda found, file: _compare(
        str(file.get(found[1], "")), found[2], plain(found[3])
    ),
    rf"properties\s+has\s*\{{\s*key\s*=\s*{TEXT}\s+and\s+value\s*=\s*{TEXT}{SEEN}\s*\}}": lambda found, file: any(
        (own["key"], own["value"]) == (plain(found[1]), plain(found[2])) for own in file.get("properties", [])
    ),
}


def plain(text: str) -> str:
    """A quoted value without its backslashes."""
    return re.sub(r"\\(.)", r"\1", text)


def _compare(value: str, how: str, wanted: str) -> bool:
    if how == "contains":
        return wanted in value
    return (value == wanted) is (how == "=")


def matching(query: str) -> Callable[[File], bool]:
    """The test that a `q` of and-joined clauses stands for; BadQuery for anything else."""
    tests: list[tuple[Test, re.Match[str]]] = []
    rest = query.strip()
    while rest:
        for clause, test in CLAUSES.items():
            if found := re.match(rf"{clause}(?:\s*$|\s*and\s+(?=\S))", rest):
                tests.append((test, found))
                rest = rest[found.end() :]
                break
        else:
            raise BadQuery(query)
    return lambda file: all(test(found, file) for test, found in tests)
