"""Flask + RQ: the plan's own stack. One enqueue into Redis (append-only file) for each request."""

import os
import uuid
from typing import Any

import redis
import rq
from flask import Flask, request

QUEUE = "bench"

queue = rq.Queue(QUEUE, connection=redis.Redis.from_url(os.environ["BENCH_REDIS_URL"]))
app = Flask(__name__)


def render(job_id: str, code: str, product_id: str, callback: str | None) -> None:
    """Nothing to draw."""


@app.post("/api/reports/generate-async")
def generate_async() -> tuple[dict[str, Any], int]:
    body = request.get_json()
    if not isinstance(body.get("code"), str) or not isinstance(body.get("productId"), str):
        return {"error": "code and productId are needed"}, 422
    job_id = f"pdf_{uuid.uuid4().hex}"
    queue.enqueue(render, job_id, body["code"], body["productId"], body.get("callback"), job_id=job_id)
    return {"job_id": job_id, "status": "queued"}, 202
