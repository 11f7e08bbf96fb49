"""What the console is shown with: jobs that went well and ill, hostile names, callbacks that were refused."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ops.servers.process import wait_until
from ops.stack import ROOT, Stack

SAMPLE = json.loads((ROOT / "actors" / "pdf" / "templates" / "minatBakatUmum" / "sample.json").read_text())
OPERATOR, READER = "operator-key-0123456789", "reader-key-0123456789"
KEYS = f"night:operate:{OPERATOR},builder:read:{READER}"
IMG = "<img src=x onerror=window.hacked=1>"
SCRIPT = '"><script>window.hacked=1</script>'
JS_LINK = "javascript:window.hacked=1"


@dataclass
class Scene:
    """The jobs by what became of them."""

    completed: str
    refused: str  # completed, its callback was refused with a hint
    missing: str  # failed: no such report; it can be put right
    hostile: str
    batch: str  # two completed, one failed


def play(stack: Stack) -> Scene:
    """Submit, and wait until each has ended and its callback was told or given up."""
    hooks = stack.receiver
    hooks.script("/webhook/ill", {"status": 410, "body": f'{{"message":"{IMG} gone"}}'})
    hooks.script("/webhook/slow", {"status": 503, "body": "<h1>n8n is starting up</h1>"})
    meta = {IMG: SCRIPT}
    completed = stack.submit(data=SAMPLE, code="K-2041", callback=hooks.url("/webhook/well"))
    refused = stack.submit(data=SAMPLE, code="K-2042", callback=hooks.url("/webhook/ill"))
    missing = stack.submit(code="K-2043", callback=hooks.url("/webhook/well"))
    hostile = stack.submit(
        data=SAMPLE, code=IMG, productId=SCRIPT, meta=meta, callback=hooks.url(f"/webhook/ill?{JS_LINK}")
    )
    stack.submit(data=SAMPLE, code="K-2044", priority="high", callback=hooks.url("/webhook/slow"))
    for number in range(12):
        stack.submit(data=SAMPLE, code=f"K-{2050 + number}", priority=("high", "normal", "low")[number % 3])
    for number in range(3):
        stack.submit(code=f"K-{2070 + number}")
    together = enumerate((SAMPLE, {}, SAMPLE))
    wanted = [{"code": f"K-{2080 + n}", "productId": "minatBakatUmum", "data": data} for n, data in together]
    batch = stack.call("POST", "/api/reports/batch", json={"jobs": wanted}).json()["batch_id"]
    wait_until(
        lambda: not stack.sql("SELECT 1 FROM pdf_job_results WHERE status IN ('queued','processing')"), 180, "jobs end"
    )
    wait_until(
        lambda: int(stack.sql("SELECT COUNT(*) AS n FROM dead_letters WHERE kind='delivery'")[0]["n"]) >= 2,
        120,
        "refused callbacks are given up",
    )
    return Scene(completed, refused, missing, hostile, batch)
