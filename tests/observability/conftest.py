"""The whole system under load on real servers, watched by a real Prometheus that has our rules and a real Alertmanager."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.servers.prometheus import Prometheus
from ops.servers.receiver import Receiver
from ops.stack import ROOT, Stack
from tests.observability.alertmanager import Alertmanager
from tests.observability.expressions import OPS, RULES

SAMPLE = json.loads((ROOT / "actors" / "pdf" / "templates" / "minatBakatUmum" / "sample.json").read_text())


@dataclass
class Live:
    """System, Prometheus, Alertmanager, and who is notified."""

    stack: Stack
    prometheus: Prometheus
    alertmanager: Alertmanager
    notified: Receiver
    jobs: list[str] = field(default_factory=list)

    def value(self, expression: str) -> float:
        """The one value of an expression; NaN when it has none."""
        found = self.prometheus.query(expression)
        return float(found[0]["value"][1]) if found else float("nan")

    @contextlib.contextmanager
    def canary(self) -> Iterator[None]:
        """Canaries are sent for as long as the block lasts; elsewhere jobs are counted."""
        self.stack.programs.begin("canary")
        try:
            yield
        finally:
            self.stack.programs.end("canary")

    def one_of_each(self) -> None:
        """Jobs that go well at every priority, jobs and callbacks that fail, repeated, wrong and cancelled requests."""
        hooks, stack = self.stack.receiver.url, self.stack
        for priority in ("high", "normal", "low"):
            self.jobs.append(stack.submit(priority=priority, data=SAMPLE, callback=hooks("/webhook/well")))
        self.jobs.append(stack.submit(code="nobody", callback=hooks("/webhook/well")))
        self.jobs.append(stack.submit(productId="noSuchProduct", data=SAMPLE))
        self.jobs.append(stack.submit(data=SAMPLE, callback=hooks("/webhook/ill")))
        self.jobs.append(stack.submit(data=SAMPLE, callback=hooks("/webhook/gone")))
        self.jobs.append(stack.submit(data=SAMPLE, priority="low"))
        stack.call("POST", f"/api/jobs/{self.jobs[-1]}/cancel")
        stack.call("POST", "/api/reports/generate-async", json={"code": 5})
        failed = next((job for job in self.jobs if stack.job(job)["status"] == "failed"), None)
        if failed:
            stack.call("POST", f"/api/jobs/{failed}/replay", json={})

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        """Work goes on for as long as the block lasts."""
        done = threading.Event()
        failures: list[BaseException] = []

        def run() -> None:
            while not done.wait(0.3):
                try:
                    self.one_of_each()
                except BaseException as error:
                    failures.append(error)
                    return

        thread = threading.Thread(target=run, name="load")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        assert not failures, failures


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Everything, started once; rules evaluated every second, and what they wait for (`for`) cut to seconds."""
    folder = tmp_path_factory.mktemp("live")
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "2s"
    quick = folder / "rules.yml"
    quick.write_text(yaml.safe_dump(rules, sort_keys=False))
    settings = {"REPORTQ_WEBHOOK_SCALE": "0.05", "REPORTQ_LEASE": "6", "REPORTQ_HEARTBEAT": "1",
                "REPORTQ_LOG_FORMAT": "json", "REPORTQ_CANARY_EVERY": "5"}  # fmt: skip
    with contextlib.ExitStack() as all_of_it:
        stack = all_of_it.enter_context(Stack(folder / "stack", settings=settings))
        stack.programs.end("canary")
        stack.receiver.script("/webhook/ill", {"status": 500, "body": "{}"})
        stack.receiver.script("/webhook/gone", {"status": 410, "body": "{}"})
        notified = all_of_it.enter_context(Receiver(folder / "notified"))
        alertmanager = all_of_it.enter_context(Alertmanager(folder / "alertmanager", routes(notified.url("/page"))))
        targets = {
            "reportq-api": [f"127.0.0.1:{stack.port}"],
            "reportq-workers": [f"127.0.0.1:{stack.metrics_port}"],
            "rabbitmq": [f"127.0.0.1:{stack.rabbitmq.prometheus_port}"],
            "rabbitmq-queues": [f"127.0.0.1:{stack.rabbitmq.prometheus_port}"],
        }
        shipped = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
        extra: dict[str, dict[str, Any]] = {
            job["job_name"]: {key: job[key] for key in ("metrics_path", "params") if key in job} for job in shipped
        }
        assert set(extra) == set(targets)
        prometheus = all_of_it.enter_context(
            Prometheus(
                folder / "prometheus", targets, rules=[quick], alertmanagers=[alertmanager.target], scrapes=extra
            )
        )
        yield Live(stack, prometheus, alertmanager, notified)


def routes(url: str) -> str:
    """The shipped configuration, its waits cut to a second and its receiver pointed at the test's."""
    text = yaml.safe_load((Path(OPS) / "alertmanager" / "alertmanager.yml").read_text())
    text["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for route in text["route"]["routes"]:
        route["group_wait"] = "1s"
    for receiver in text["receivers"]:
        receiver["webhook_configs"] = [{"url": url + "/" + receiver["name"], "send_resolved": True}]
    return str(yaml.safe_dump(text, sort_keys=False))
