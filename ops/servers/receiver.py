"""A receiver of webhooks as a process of its own: `python -m ops.servers.receiver FOLDER PORT`.

Keeps every POST as one JSON line in `posts.jsonl` before it answers, and answers as it was told:
by default 200 with a JSON body. Scripts live in the process and end with it; posts survive kill -9.
"""

import base64
import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.servers.kinds import ModuleServer
from ops.servers.loopback_http import Exchange, Unanswered, Waiting, call, serve
from ops.servers.process import listening, wait_until

STEP = {
    "status": 200,
    "body": '{"message":"received"}',
    "content_type": "application/json",
    "headers": {},  # Retry-After, Location …
    "delay": 0.0,  # Seconds before the answer.
    "drip": 0.0,  # Seconds between two bytes of the body.
    "size": 0,  # Answer so many bytes instead of `body`.
    "reset": False,  # Cut the connection once the request was read.
    "hang": False,  # Read the request and never answer.
    "interim": [],  # The status codes of interim answers before this one.
    "told": True,  # A 2xx means that somebody took the callback. False marks a page that everybody gets.
}
#: What n8n answers to every request while it migrates its database.
START_PAGE = {"body": "n8n is starting up. Please wait", "content_type": "text/html; charset=utf-8", "told": False}
ALL = "**"  # the path of a script that stands above all others


@dataclass(frozen=True)
class Received:
    """One POST as it arrived. `time` is seconds since the epoch, header names are as sent."""

    time: float
    method: str
    path: str  # with its query, byte for byte
    headers: Mapping[str, str]
    body: bytes
    told: bool = True  # it was answered, or was about to be, by a 2xx that means it

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)


class Receiver(ModuleServer):
    """`url("/webhook/x")` is where callbacks go; `posts()` is what came."""

    name = "receiver"
    module = "ops.servers.receiver"

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        self.journal = self.folder / "posts.jsonl"

    def url(self, path: str = "/webhook/pdf-complete") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answers(self) -> bool:
        return listening(self.port) and call("GET", self.url("/_control/state")).ok

    def script(self, path: str, *steps: Mapping[str, Any]) -> None:
        """Answer requests to `path` (without query; `*` for all others, ALL for all) by these steps, the last for ever.

        Without steps the path has no script any more. A step names what differs from STEP: `{"status": 409}`.
        """
        call("PUT", self.url("/_control/script"), json={"path": path, "steps": steps}).raise_for_status()

    def clear(self) -> None:
        """Forget all scripts and let go of what hangs."""
        call("DELETE", self.url("/_control/script")).raise_for_status()

    def posts(self, path: str | None = None) -> list[Received]:
        """Everything received so far, oldest first; with `path` only what came there (query aside)."""
        if not self.journal.exists():
            return []
        found = []
        for line in self.journal.read_text().splitlines():
            kept = json.loads(line)
            kept["body"] = base64.b64decode(kept.pop("body_base64"))
            if path is None or kept["path"].partition("?")[0] == path:
                kept.pop("text", None)
                found.append(Received(**kept))
        return found

    def wait_posts(self, count: int, path: str | None = None, timeout: float = 30) -> list[Received]:
        """The posts once there are at least `count`."""
        wait_until(lambda: len(self.posts(path)) >= count, timeout, f"{count} posts")
        return self.posts(path)


class Scripts(Waiting):
    """Which step comes next for each path."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: dict[str, list[dict[str, Any]]] = {}

    def set(self, path: str, steps: Sequence[dict[str, Any]]) -> None:
        for step in steps:
            if unknown := set(step) - set(STEP):
                raise ValueError(f"a step has no {unknown}")
        with self.changed:
            self._steps[path] = [{**STEP, **step} for step in steps]
            if not steps:
                del self._steps[path]

    def clear(self) -> None:
        with self.changed:
            self._steps.clear()
            self.let_go()

    def next(self, path: str) -> dict[str, Any]:
        with self.changed:
            steps = self._steps.get(ALL) or self._steps.get(path) or self._steps.get("*") or [STEP]
            return steps.pop(0) if len(steps) > 1 else steps[0]


class ReceiverExchange(Exchange):
    """One connection; the attributes are set on a subclass made for the running server."""

    scripts: Scripts
    journal: Path
    writing: threading.Lock

    def respond(self, method: str) -> None:
        body = self.body()
        if len(body) < int(self.headers.get("Content-Length") or 0):
            raise Unanswered  # its sender died in the middle: nobody has received that
        if self.route.startswith("/_control/"):
            self._control(method, body)
            return
        step = self.scripts.next(self.route)
        kept = {
            "time": time.time(),
            "method": method,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "text": body.decode(errors="replace"),  # for people who open the file
            "body_base64": base64.b64encode(body).decode(),
            "told": step["told"] and 200 <= step["status"] < 300 and not step["reset"] and not step["hang"],
        }
        if method == "POST":
            with self.writing, self.journal.open("a") as journal:
                journal.write(json.dumps(kept, ensure_ascii=False) + "\n")
        self._play(step)

    def _play(self, step: dict[str, Any]) -> None:
        if step["reset"]:
            self.reset()
        if step["hang"]:
            self.scripts.wait(600)
            raise Unanswered
        if step["delay"]:
            self.scripts.wait(step["delay"])
        for status in step["interim"]:
            self.send_response_only(status)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
        answer = b"x" * step["size"] if step["size"] else str(step["body"]).encode()
        headers = {"Content-Type": step["content_type"], **step["headers"]}
        if not step["drip"]:
            self.answer(step["status"], answer, headers)
            return
        self.send_response(step["status"])
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        for byte in answer:
            self.wfile.write(bytes([byte]))
            self.scripts.wait(step["drip"])

    def _control(self, method: str, body: bytes) -> None:
        if method == "PUT":
            asked = json.loads(body)
            try:
                self.scripts.set(asked["path"], asked["steps"])
            except ValueError as error:
                self.answer_json(400, {"error": str(error)})
                return
        elif method == "DELETE":
            self.scripts.clear()
        self.answer_json(200, {})


def main() -> None:
    """Serve until the process is ended."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    attributes = {"scripts": Scripts(), "journal": folder / "posts.jsonl", "writing": threading.Lock()}
    serve(port, type("RunningReceiver", (ReceiverExchange,), attributes))


if __name__ == "__main__":
    main()
