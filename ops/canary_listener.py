"""What receives the canary's callbacks: a small HTTP server on an address of its own."""

import http.server
import json
import queue
import socket
import threading
import time
from dataclasses import dataclass

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from schema.environment.server_urls import origin
from schema.settings import Settings

_MAX_BODY = 64 * 1024  # bytes of a callback


@dataclass(frozen=True, slots=True)
class Told:
    """One callback: which job, which end, and whether its signature was right."""

    job_id: str
    status: str
    signed: bool


class Listener(http.server.ThreadingHTTPServer):
    """Receives callbacks on (host, port). Takes every one with 204: what is wrong with it is the canary's verdict, and a
    refusal would only be sent again. Raises OSError when the address cannot be had."""

    daemon_threads = True

    def __init__(self, settings: Settings) -> None:
        self.secrets = settings.signing_secrets
        self.url = f"{origin(settings.canary_host, settings.canary_port)}/canary"
        self.address_family = socket.AF_INET6 if ":" in settings.canary_host else socket.AF_INET
        self._came: queue.SimpleQueue[Told] = queue.SimpleQueue()
        super().__init__((settings.canary_host, settings.canary_port), _Callback)
        threading.Thread(target=self.serve_forever, name="listener", daemon=True).start()

    def came(self, body: bytes, headers: dict[str, str]) -> None:
        """Keep one callback; raises ValueError for what is none."""
        told = json.loads(body)
        if not isinstance(told, dict):
            raise ValueError("no object")
        self._came.put(Told(str(told.get("job_id")), str(told.get("status")), self._signed(body, headers)))

    def wait(self, job_id: str, seconds: float) -> Told | None:
        """The callback of this job; None when it does not come in time. Those of earlier ones are forgotten."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                told = self._came.get(timeout=left)
            except queue.Empty:
                break
            if told.job_id == job_id:
                return told
        return None

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def _signed(self, body: bytes, headers: dict[str, str]) -> bool:
        """Whether one of our secrets has signed it; without secrets nothing is signed, and nothing is to be checked."""
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers, json_parse=False)
                return True
            except (WebhookVerificationError, ValueError):
                continue
        return not self.secrets


class _Callback(http.server.BaseHTTPRequestHandler):
    server: Listener
    timeout = 10  # seconds a silent connection may stay

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        status = 413
        if size.isdigit() and int(size) <= _MAX_BODY:
            try:
                self.server.came(self.rfile.read(int(size)), dict(self.headers))
                status = 204
            except ValueError:
                status = 400
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what came of the canary is logged."""
