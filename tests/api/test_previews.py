"""POST /api/products/{id}/preview: a worker draws while the caller waits; whatever happens, nothing of it stays."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from actors.pdf.renderer import PdfRenderer
from schema.errors import Permanent
from schema.rows import pauses
from schema.rows.jobs import PREVIEW
from schema.sql.database import Database
from service.waiters import WaiterBoard
from tests.api.conftest import Api
from tests.api.test_products import PRODUCT, SAMPLE
from tests.api.test_products import product as product
from tests.protocol.kit import World, make_world

PATH = f"/api/products/{PRODUCT}/preview"
AT_ONCE = {"Prefer": "wait=0"}


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[World]:
    """A worker's side over the same database; it draws really."""
    world = make_world(db, tmp_path)
    renderer = PdfRenderer([tmp_path / "templates"])
    world.pen.work = renderer.render
    yield world
    world.runtime.wake.close()


@contextmanager
def at_work(world: World) -> Iterator[None]:
    """Relay and worker, until the block is over."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.02):
            world.run()
        world.db.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def rows(api: Api) -> int:
    tables = ("pdf_job_results", "report_data", "rendered", "attempts", "deliveries", "dead_letters", "report_results")
    return sum(int(api.db.scalar(f"SELECT COUNT(*) FROM {table}")) for table in tables)


def test_the_sample_is_drawn_with_a_watermark_and_nothing_stays(api: Api, world: World) -> None:
    with at_work(world):
        for body in (None, {}, {"data": None}):
            answer = api.post(PATH, body)
            assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="preview-{PRODUCT}.pdf"'
    assert answer.headers["cache-control"] == "private, no-store"
    pages = PdfReader(io.BytesIO(answer.content)).pages
    assert all("CONTOH" in page.extract_text() for page in pages)
    assert SAMPLE["peserta"]["nama"].split()[0] in pages[0].extract_text()
    assert (rows(api), world.files.puts, world.mouth.posts) == (0, 0, [])
    assert api.get("/api/jobs").json["jobs"] == []


def test_given_data_is_drawn(api: Api, world: World) -> None:
    data = json.loads(json.dumps(SAMPLE))
    data["peserta"]["nama"] = "Zulaikha"
    with at_work(world):
        answer = api.post(PATH, {"data": data})
    assert "Zulaikha" in PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()


def test_data_that_does_not_fit_is_refused_before_anything_is_queued(api: Api) -> None:
    answer = api.post(PATH, {"data": {"peserta": {"nama": 7}}})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_data")
    assert answer.json["errors"]["data.peserta.nama"] == "expected string, found a number"
    assert rows(api) == 0


@pytest.mark.parametrize("body", [[], {"data": []}, {"x": 1}, {"data": {"a": "\0"}}, {"data": 1}])
def test_what_is_no_body_is_refused(api: Api, body: Any) -> None:
    answer = api.post(PATH, body)
    assert (answer.status_code, answer.json["code"], rows(api)) == (422, "invalid_request", 0)


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e", ".hidden", "a" * 200, "%00"])
def test_a_product_that_there_is_not(api: Api, name: str) -> None:
    answer = api.post(f"/api/products/{name}/preview")
    assert (answer.status_code, answer.json["code"], rows(api)) == (404, "product_not_found", 0)


def test_a_product_without_a_sample_needs_data(
    api_of: Callable[..., Api], product: Callable[..., str], world: World
) -> None:
    api = api_of(templates_dir=product({}))
    answer = api.post("/api/products/odd/preview")
    assert (answer.status_code, answer.json["code"], rows(api)) == (422, "invalid_data", 0)
    with at_work(world):
        drawn = api.post("/api/products/odd/preview", {"data": {}})
    assert (drawn.status_code, drawn.content[:5]) == (200, b"%PDF-")


def test_a_broken_template_says_what_is_wrong(api_of: Callable[..., Api], product: Callable[..., str]) -> None:
    answer = api_of(templates_dir=product({}, template="title: [\n")).post("/api/products/odd/preview", {"data": {}})
    assert (answer.status_code, answer.json["code"]) == (409, "template_invalid")


def test_one_that_fails_is_answered_with_its_own_code(api: Api, world: World) -> None:
    def fail(*_: object) -> bytes:
        raise Permanent("The scale is upside down.", code="template_invalid")

    world.pen.work = fail
    with at_work(world):
        answer = api.post(PATH)
    assert (answer.status_code, answer.json["code"]) == (409, "template_invalid")
    assert answer.json["detail"] == "The scale is upside down."
    assert rows(api) == 0


@pytest.mark.parametrize("header", ["wait=x", "wait=", "wait=-1"])
def test_a_wait_that_is_none_is_refused(api: Api, header: str) -> None:
    answer = api.post(PATH, headers={"Prefer": header})
    assert (answer.status_code, answer.json["code"], rows(api)) == (400, "invalid_header", 0)


def test_when_nobody_works_the_caller_is_told_and_the_preview_is_gone(api: Api, db: Database) -> None:
    pauses.pause(db, "queue:pdf", reason="x", by="t")
    answer = api.post(PATH, headers=AT_ONCE)
    assert (answer.status_code, answer.json["code"]) == (409, "preview_not_ready")
    assert answer.headers["retry-after"] == "2"
    assert "took too long" in answer.json["detail"]
    assert rows(api) == 0


def test_beyond_the_places_to_wait_nothing_stays_either(
    api_of: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaiterBoard, "wait", lambda *_: False)
    answer = api_of().post(PATH)
    assert (answer.status_code, answer.json["code"]) == (409, "preview_not_ready")
    assert "Too many callers" in answer.json["detail"]
    assert api_of().db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def test_it_counts_as_what_waits(api_of: Callable[..., Api]) -> None:
    api = api_of(max_backlog=1)
    api.submit()
    answer = api.anew().post(PATH)
    assert (answer.status_code, answer.json["code"]) == (429, "backlog_full")
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results WHERE job_id > %s", (PREVIEW,)) == 0
