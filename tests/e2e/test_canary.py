"""What each way of not coming through is called, what canaries leave, and what the program says at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from actors.process.runtime import build
from middleware.meters.counters import Meters, folder_of
from ops import canary
from ops.canary import CODE, Canary, last_success
from ops.canary_listener import Listener, Told
from ops.demo import ROOT, Api
from ops.servers.process import free_port, wait_until
from schema.metrics import table as metrics
from schema.settings import Settings
from tests.observability.test_meters import value

pytestmark = pytest.mark.timeout(180)

KEYS = "canary:submit:canary-key-0123456789,boss:operate:operate-key-0123456789"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32


@dataclass
class Trial:
    """The embedded system, and the canary's side of it in this process."""

    api: Api
    environ: dict[str, str]
    listener: Listener
    canary: Canary

    def settings(self, **chosen: Any) -> Settings:
        return replace(Settings.from_env(self.environ), **chosen)

    def other(self, **chosen: Any) -> Canary:
        """A canary with other settings at the same listener."""
        return Canary(self.settings(**chosen), Meters(self.folder), self.listener)

    @property
    def folder(self) -> Path:
        return folder_of(self.environ["REPORTQ_RUN_DIR"], metrics.API)

    def operate(self, path: str) -> None:
        requests.post(
            self.api.url + path, headers={"X-API-Key": "operate-key-0123456789"}, timeout=30
        ).raise_for_status()

    def left(self) -> dict[str, Any]:
        """What is kept of canaries, and how many PDFs there are."""
        runtime = build(self.settings())
        try:
            tables = ("pdf_job_results", "dead_letters")
            rows = {table: runtime.db.fetch_all(f"SELECT * FROM {table} WHERE code=%s", (CODE,)) for table in tables}
            ends = runtime.documents.ends_of(CODE, None)
        finally:
            runtime.close()
        pdfs = Path(self.environ["REPORTQ_ARTIFACTS_URL"].removeprefix("file:")).glob("*.pdf")
        return {**rows, "ends": ends, "pdfs": list(pdfs)}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder, port, called = tmp_path_factory.mktemp("canary"), free_port(), free_port()
    environ = {
        "REPORTQ_DATABASE_URL": f"sqlite:///{folder}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{folder}/artifacts",
        "REPORTQ_RUN_DIR": str(folder / "run"),
        "REPORTQ_SWITCH_POLL": "0.1",
        "REPORTQ_PORT": str(port),
        "REPORTQ_API_KEYS": KEYS,
        "REPORTQ_WEBHOOK_SECRETS": SECRET,
        "REPORTQ_WEBHOOK_ALLOW": f"127.0.0.1:{called}",
        "REPORTQ_CANARY_KEY": "canary-key-0123456789",
        "REPORTQ_CANARY_PORT": str(called),
    }
    settings = Settings.from_env(environ)
    listener = Listener(settings)
    meters = Meters(folder_of(settings.run_dir, metrics.API))
    with Api(folder / "api", port, environ) as api:
        yield Trial(api, environ, listener, Canary(settings, meters, listener))
    listener.close()


def until(send: Callable[[], str], result: str) -> None:
    """Canaries until one has this result: a pause takes hold a moment after it was asked for."""
    wait_until(lambda: send() == result, 90, result)


def test_one_that_comes_through_is_counted_and_all_that_it_left_can_go(trial: Trial) -> None:
    assert trial.canary.run() == "succeeded"
    assert value(trial.folder, "reportq_canary_runs_total", result="succeeded") == 1
    assert value(trial.folder, "reportq_canary_duration_seconds_count") == 1
    assert last_success(trial.environ["REPORTQ_RUN_DIR"], metrics.API) > 0
    assert [len(kept) for kept in trial.left().values()] == [1, 0, 1, 1]
    trial.canary.tidy()
    assert [len(kept) for kept in trial.left().values()] == [0, 0, 0, 0]


def test_it_tidies_as_often_as_rows_are_cleaned_away(trial: Trial) -> None:
    sender = trial.other(cleanup_completed_after=0.0)
    assert sender.run() == "succeeded"
    assert trial.left()["ends"] == []


def test_a_job_that_fails_is_failed_and_stays_to_be_looked_at(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "PRODUCT", "noSuchProduct")
    assert trial.canary.run() == "failed"
    (letter,) = trial.left()["dead_letters"]
    assert letter["error_code"] == "template_not_found"
    monkeypatch.undo()
    trial.canary.tidy()
    assert trial.left()["dead_letters"] == []


def test_one_that_waits_too_long_is_cancelled(trial: Trial) -> None:
    trial.operate("/api/queues/pdf/pause")
    try:
        until(trial.other(canary_every=1.0).run, "too_late")
        assert {row["status"] for row in trial.left()["pdf_job_results"]} <= {"completed", "cancelled"}
    finally:
        trial.operate("/api/queues/pdf/resume")
    until(trial.canary.run, "succeeded")


def test_one_that_is_made_and_not_told_says_so(trial: Trial) -> None:
    trial.operate("/api/queues/webhooks/pause")
    try:
        until(trial.other(canary_every=2.0).run, "no_callback")
    finally:
        trial.operate("/api/queues/webhooks/resume")
    until(trial.canary.run, "succeeded")


def test_a_callback_that_we_have_not_signed_is_not_believed(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.listener, "secrets", [OTHER])
    assert trial.canary.run() == "bad_signature"
    monkeypatch.setattr(trial.listener, "secrets", [OTHER, SECRET])
    assert trial.canary.run() == "succeeded", "while secrets rotate"


def test_a_pdf_that_is_not_there_is_missed(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = trial.listener.wait

    def told(job_id: str, seconds: float) -> Told | None:
        found = wait(job_id, seconds)
        for pdf in trial.left()["pdfs"]:
            pdf.unlink()
        return found

    monkeypatch.setattr(trial.listener, "wait", told)
    assert trial.canary.run() == "no_pdf"


@pytest.mark.parametrize(
    "chosen",
    [{"canary_key": ""}, {"canary_api": "http://127.0.0.1:1"}],
    ids=["no key", "no API"],
)
def test_what_is_not_accepted_is_called_so(trial: Trial, chosen: dict[str, str]) -> None:
    assert trial.other(**chosen).run() == "not_accepted"


def test_posts_that_are_no_callbacks_do_not_disturb_it(trial: Trial) -> None:
    for body in (b"", b"no JSON", b"[]", b"\xff"):
        assert requests.post(trial.listener.url, data=body, timeout=30).status_code == 400
    assert requests.post(trial.listener.url, data=b" " * 70_000, timeout=30).status_code == 413
    assert trial.canary.run() == "succeeded"


def program(environ: dict[str, str], said: str) -> str:
    """What `python -m ops.canary` has written when it ends after a SIGTERM, which it gets once it has said this."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.canary"],
        env={"PATH": os.environ["PATH"], "REPORTQ_LOG_FORMAT": "json", **environ},
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if said in line:
            break
    process.terminate()
    text += process.communicate(timeout=90)[0]
    assert process.returncode == 0, text
    return text


def test_a_listener_that_is_not_allowed_is_told_of_at_the_start(trial: Trial) -> None:
    port = free_port()
    environ = {**trial.environ, "REPORTQ_CANARY_PORT": str(port), "REPORTQ_CANARY_EVERY": "1"}
    events = [json.loads(line) for line in program(environ, "canary.missed").splitlines()]
    told = {event["event"]: event for event in events}
    assert f"127.0.0.1:{port}" in told["canary.not_allowed"]["detail"]
    assert "REPORTQ_WEBHOOK_ALLOW" in told["canary.not_allowed"]["detail"]
    assert told["canary.missed"]["result"] == "not_accepted"
    assert "callback_refused" in told["canary.missed"]["detail"]


def test_switched_off_it_waits_and_shows_no_moment(trial: Trial) -> None:
    until(trial.canary.run, "succeeded")
    assert last_success(trial.environ["REPORTQ_RUN_DIR"], metrics.API) > 0
    assert "canary.off" in program({**trial.environ, "REPORTQ_CANARY_EVERY": "0"}, "canary.off")
    assert last_success(trial.environ["REPORTQ_RUN_DIR"], metrics.API) == 0
