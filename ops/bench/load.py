"""Load by wrk: submissions as quickly as they are answered, over a fixed number of connections."""

import http.client
import json
import os
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


def submit(url: str, *, seconds: float, connections: int) -> Figures:
    """Accepted requests a second and the times to answer; RuntimeError when any answer was no 2xx."""
    need("wrk")
    script, lasting = Path(__file__).with_name("submit.lua"), f"-d{max(1, round(seconds))}s"
    done = subprocess.run(
        ["wrk", "-t1", "--timeout", "10s", f"-c{connections}", lasting, "-s", str(script), url],
        env={**os.environ, "BODY": json.dumps(BODY)}, capture_output=True, text=True, timeout=seconds + 60, check=False,
    )  # fmt: skip
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
