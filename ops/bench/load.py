"""Load by wrk: submissions as quickly as they are answered, over a fixed number of connections."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import requests

from ops.bench.frame import Figures
from ops.servers.packages import need

SUBMIT = "/api/reports/generate-async"
BODY = {
    "code": "rb5YrWGWJXOHoj6r",
    "productId": "minatBakatUmum",
    "priority": "normal",
    "callback": "http://127.0.0.1:5678/webhook/pdf-complete",
}

# wrk tells percentiles in its own units; a done() hook gives microseconds and the answers that were no 2xx.
_SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
function done(summary, latency, requests)
  io.write(string.format("figures %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


def ask(client: http.client.HTTPConnection, path: str) -> Any:
    """What one request over a kept connection is answered, read to its end; RuntimeError when it was refused."""
    if path == SUBMIT:
        client.request("POST", path, json.dumps(BODY), {"Content-Type": "application/json"})
    else:
        client.request("GET", path)
    answer = client.getresponse()
    body = answer.read()
    if answer.status not in (200, 202):
        raise RuntimeError(f"{path}: {answer.status} {body.decode()[:500]}")
    return json.loads(body)


def submit(url: str, folder: Path, *, seconds: float, connections: int) -> Figures:
    """Accepted requests a second and the times to answer; RuntimeError when any answer was no 2xx."""
    need("wrk")
    script = folder / "submit.lua"
    script.write_text(_SCRIPT.format(body=json.dumps(BODY)))
    done = subprocess.run(
        ["wrk", "-t1", "--timeout", "10s", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), url],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    found = re.search(r"figures (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    count, micros, p50, p99, refused, broken = (int(one) for one in found.groups())
    if refused or broken or not count:
        one = requests.post(url, json=BODY, timeout=10)
        raise RuntimeError(
            f"{url}: {refused} of {count} answers were no 2xx, {broken} broken; {one.status_code} {one.text}"
        )
    return {
        "accepted_per_s": count / micros * 1e6,
        "median_ms": p50 / 1000,
        "p99_ms": p99 / 1000,
        "accepted": float(count),
    }
