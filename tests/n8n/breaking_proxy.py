"""An HTTP proxy that passes requests on and now and then loses the answer: what makes a careful client retry."""

from __future__ import annotations

import http.server
import threading
from types import TracebackType
from typing import Any

from ops.servers.loopback_http import call


class BreakingProxy:
    """Forwards to `target`. Answers to the POSTs whose numbers are in `spoiled` become 502, *after* they were served."""

    def __init__(self, target: str) -> None:
        self.posts = 0
        self.spoiled: set[int] = set()
        lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {
                    name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
                }
                answer = call("POST", target + self.path, data=body, headers=headers)
                with lock:
                    outer.posts += 1
                    broken = outer.posts in outer.spoiled
                content = b"{}" if broken else answer.content
                self.send_response(502 if broken else answer.status_code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> BreakingProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
