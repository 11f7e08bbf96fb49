"""FastAPI + Celery on RabbitMQ, set up for jobs that must not be lost: confirms, late acks, results in MariaDB."""

import os
import uuid
from typing import Any, Literal

from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel, Field

celery = Celery("bench", broker=os.environ["BENCH_AMQP_URL"], backend=os.environ["BENCH_RESULTS_URL"])
celery.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_track_started=True,
    task_default_queue="celery_bench",
    task_queue_max_priority=10,
    worker_hijack_root_logger=False,
)


def render(job_id: str, code: str, product_id: str, callback: str | None) -> None:
    """Nothing to draw."""


render_pdf = celery.task(render, name="render_pdf")
app = FastAPI()


class Submission(BaseModel):
    """The plan's request."""

    code: str = Field(min_length=1, max_length=255)
    productId: str = Field(min_length=1, max_length=255)
    priority: Literal["high", "normal", "low"] = "normal"
    callback: str | None = None


@app.post("/api/reports/generate-async", status_code=202)
def generate_async(body: Submission) -> dict[str, Any]:
    job_id = f"pdf_{uuid.uuid4().hex}"
    render_pdf.apply_async((job_id, body.code, body.productId, body.callback), task_id=job_id, priority=5)
    return {"job_id": job_id, "status": "queued"}
