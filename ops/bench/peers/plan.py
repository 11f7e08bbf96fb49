"""The plan's work as it was written: one job after another is looked up, drawn by fpdf2, uploaded by PyDrive2, told.

RQ runs it as the plan says, in worker processes that fork for each job; Celery runs the same in its child processes.
"""

import functools
import io
import os

import pymongo
import redis
import requests
import rq
from celery import Celery
from pydrive2.drive import GoogleDrive

from actors.artifacts.drive_client import _Auth
from ops.bench import render_fpdf2
from schema.settings import Settings

queue = rq.Queue("plan", connection=redis.Redis.from_url(os.environ["BENCH_REDIS_URL"]))
celery = Celery("plan", broker=os.environ["BENCH_AMQP_URL"], backend=os.environ["BENCH_RESULTS_URL"])
celery.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_default_queue="plan",
    worker_hijack_root_logger=False,
)


@functools.cache
def _drive() -> GoogleDrive:
    key, api_root = os.environ["BENCH_KEY"], os.environ["BENCH_DRIVE"]
    auth = _Auth(Settings(gdrive_credentials=key, gdrive_api_root=api_root, gdrive_timeout=60))
    auth.ServiceAuth()
    return GoogleDrive(auth)


@functools.cache
def _reports() -> pymongo.collection.Collection[dict[str, object]]:
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(os.environ["BENCH_MONGO_URL"])
    return client["workflow"]["psikotes_v2"]


def generate(code: str) -> None:
    """One report from its source to its callback."""
    report = _reports().find_one({"code": code})
    if report is None:
        raise LookupError(code)
    file = _drive().CreateFile({"title": f"{code}.pdf", "parents": [{"id": os.environ["BENCH_FOLDER"]}]})
    file.content = io.BytesIO(render_fpdf2.render(report))
    file.Upload()
    body = {"code": code, "status": "completed", "google_drive_link": file["alternateLink"]}
    requests.post(os.environ["BENCH_CALLBACK"], json=body, timeout=30).raise_for_status()


generate_later = celery.task(generate, name="generate")
