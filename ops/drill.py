"""The on-call drill: break one part at a time on private servers, and see whether every face shows it.

    python -m ops.drill [--only relay,broker] [--no-alerts] [--after 45] [--limit 3]

Under a light load each fault lasts until all faces were asked (45 s in) and its alert rings. The alerts ring on a real
Prometheus with the shipped rules: critical ones within two minutes, warnings within seven. Exit code 0 only if every
face showed every fault in time. All rows take about 15 minutes; a row without its alert takes two.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests
import yaml

from ops.sample_report import SAMPLE
from ops.servers.process import wait_until
from ops.servers.prometheus import Prometheus
from ops.servers.receiver import ALL
from ops.stack import ROOT, Stack

FACES = ("status", "doctor", "/readyz", "/api/overview")  # the last one is what the console draws
_IN_TIME = {"critical": 120.0, "warning": 420.0}  # seconds until an alert rings
_EVERY = 0.5  # seconds between two jobs of the load


@dataclass(frozen=True)
class Fault:
    """One row: how it is done and undone, which facts tell it, and which alert rings."""

    name: str
    begin: Callable[[Stack], object]
    end: Callable[[Stack], object]
    facts: frozenset[str]
    alert: str
    of: tuple[str, ...] = ()  # the subjects that the fact may have; empty: any


def _drive_full(stack: Stack) -> None:
    for operation in ("insert", "upload"):
        stack.drive.fail(operation, "quota")


FAULTS = (
    Fault("relay", lambda s: s.programs.end("relay"), lambda s: s.programs.begin("relay"),
          frozenset({"relay_silent"}), "ReportqRelayStuck"),
    Fault("broker-memory", lambda s: s.rabbitmq.ctl("set_vm_memory_high_watermark", "absolute", "1MB"),
          lambda s: s.rabbitmq.ctl("set_vm_memory_high_watermark", "0.6"),
          frozenset({"broker_blocked"}), "RabbitmqMemoryAlarm"),
    Fault("broker", lambda s: s.rabbitmq.kill(), lambda s: s.rabbitmq.start(120),
          frozenset({"broker_down"}), "ReportqDependencyDown"),
    Fault("drive-hangs", lambda s: s.drive.fail("*", "hang"), lambda s: s.drive.clear(),
          frozenset({"dependency_down", "dependency_unknown"}), "ReportqDependencyDown", ("artifacts", "drive")),
    Fault("drive-full", _drive_full, lambda s: s.drive.clear(), frozenset({"storage_full"}), "ReportqStorageFull"),
    Fault("receiver", lambda s: s.receiver.script(ALL, {"status": 500, "body": "{}"}), lambda s: s.receiver.clear(),
          frozenset({"receiver_failing"}), "ReportqCallbacksFailing"),
    Fault("database", lambda s: s.mariadb.suspend(), lambda s: s.mariadb.resume(),
          frozenset({"database_down"}), "ReportqUnavailable"),
)  # fmt: skip


@dataclass
class Told:
    """What one face answered: its state, its facts, and how long it took."""

    seconds: float
    state: str
    facts: dict[tuple[str, str], str] = field(default_factory=dict)  # key and subject → what it means

    def right(self, fault: Fault, limit: float) -> bool:
        """Whether it told this fault in time."""
        return self.state != "good" and self.seconds <= limit and self.means(fault) is not None

    def means(self, fault: Fault) -> str | None:
        """What it said of this fault."""
        for (key, subject), text in self.facts.items():
            if key in fault.facts and (not fault.of or subject in fault.of):
                return text
        return None


def ask(stack: Stack, face: str) -> Told:
    """Ask one face as a person does, and take the time."""
    began = time.monotonic()
    try:
        if face.startswith("/"):
            verdict = stack.call("GET", face, timeout=30).json().get("verdict")
        else:
            done = subprocess.run(
                [sys.executable, "-m", "ops.cli", face, "--json"],
                cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(stack.folder), **stack.environment},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            verdict = json.loads(done.stdout)["verdict"] if done.stdout else None
    except (requests.RequestException, subprocess.TimeoutExpired, ValueError) as error:
        return Told(time.monotonic() - began, f"no answer ({type(error).__name__})")
    seconds = time.monotonic() - began
    if verdict is None:
        return Told(seconds, "no verdict")
    facts = {(fact["key"], fact.get("subject", "")): fact.get("means", "") for fact in verdict["facts"]}
    return Told(seconds, verdict["state"], facts)


def rings(prometheus: Prometheus, alert: str) -> str | None:
    """The severity of an alert that fires."""
    found = [one for one in prometheus.alerts() if one["labels"]["alertname"] == alert and one["state"] == "firing"]
    return str(found[0]["labels"]["severity"]) if found else None


def commands(runbook: str) -> list[str]:
    """The first commands of an alert's runbook: they show the cause."""
    text = (ROOT / "ops" / "runbooks" / f"{runbook}.md").read_text()
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    return block[1].splitlines()[:3] if block else []


@contextlib.contextmanager
def load(stack: Stack) -> Iterator[None]:
    """A job with a callback every half second; what is refused meanwhile is part of the drill."""
    done, data = threading.Event(), json.loads(SAMPLE.read_text())

    def run() -> None:
        number = 0
        while not done.wait(_EVERY):
            number += 1
            with contextlib.suppress(RuntimeError, requests.RequestException):
                stack.submit(code=f"D{number}", data=data, callback=stack.receiver.url(f"/webhook/{number % 5}"))

    thread = threading.Thread(target=run, name="load", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(60)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Stack, Prometheus]]:
    """The system under load, with production's clocks, and Prometheus with the shipped rules."""
    with Stack(folder / "stack") as stack:
        ports = {"reportq-api": stack.port, "reportq-workers": stack.metrics_port}
        ports |= dict.fromkeys(("rabbitmq", "rabbitmq-queues"), stack.rabbitmq.prometheus_port)
        targets = {job: [f"127.0.0.1:{port}"] for job, port in ports.items()}
        shipped = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())["scrape_configs"]
        scrapes = {
            job["job_name"]: {key: job[key] for key in ("metrics_path", "params") if key in job} for job in shipped
        }
        rules = [ROOT / "ops" / "prometheus" / "rules.yml"]
        watches = Prometheus(folder / "prometheus", targets, rules=rules, interval="5s", scrapes=scrapes)
        with watches as prometheus, load(stack):
            yield stack, prometheus


def say(text: str) -> None:
    """Progress, while minutes pass."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def play(stack: Stack, prometheus: Prometheus, fault: Fault, chosen: argparse.Namespace) -> tuple[dict[str, Told], str]:
    """Break, ask, wait for the alert, mend; what each face told, and what became of the alert."""
    wait_until(lambda: ask(stack, "/readyz").state == "good", 300, "all is well before something is broken")
    say(f"{fault.name}: broken")
    began = time.monotonic()
    fault.begin(stack)
    try:
        rang = ""
        time.sleep(max(0.0, chosen.after - (time.monotonic() - began)))
        told = {face: ask(stack, face) for face in FACES}  # one after the other: a person asks one
        say(f"{fault.name}: " + ", ".join(f"{face} {one.state} {one.seconds:.1f} s" for face, one in told.items()))
        while not chosen.no_alerts and not rang:
            if severity := rings(prometheus, fault.alert):
                seconds = time.monotonic() - began
                late = "" if seconds <= _IN_TIME[severity] else ", TOO LATE"
                rang = f"{fault.alert} ({severity}) after at most {seconds:.0f} s{late}"
            elif time.monotonic() - began > max(_IN_TIME.values()):
                rang = f"{fault.alert} DID NOT RING"
            else:
                time.sleep(1)
    finally:
        fault.end(stack)
    say(f"{fault.name}: mended. {rang}")
    return told, rang


def main() -> int:
    """Play the chosen rows and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.drill", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", help="rows, separated by commas: " + ", ".join(fault.name for fault in FAULTS))
    parser.add_argument("--no-alerts", action="store_true", help="ask the faces alone")
    parser.add_argument("--after", type=float, default=45.0, help="seconds from the fault to the questions")
    parser.add_argument("--limit", type=float, default=3.0, help="seconds that a face may take")
    chosen = parser.parse_args()
    names = chosen.only.split(",") if chosen.only else [fault.name for fault in FAULTS]
    if unknown := set(names) - {fault.name for fault in FAULTS}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, running(Path(folder)) as (stack, prometheus):
        say("everything runs")
        rows = [(fault, *play(stack, prometheus, fault, chosen)) for fault in FAULTS if fault.name in names]
    return show(rows, chosen.limit)


def show(rows: list[tuple[Fault, dict[str, Told], str]], limit: float) -> int:
    """The table, and below it each fault in words, its alert, and the commands to its cause."""
    wrong = 0
    print("\n| fault | " + " | ".join(FACES) + " | alert |\n|" + "---|" * (len(FACES) + 2))
    for fault, told, rang in rows:
        cells = []
        for face in FACES:
            one = told[face]
            right = one.right(fault, limit)
            wrong += not right
            cells.append(f"{'✓' if right else '✘'} {one.state}, {one.seconds:.1f} s")
        wrong += "DID NOT" in rang or "TOO LATE" in rang
        print(f"| {fault.name} | " + " | ".join(cells) + f" | {rang or 'not waited for'} |")
    for fault, told, _ in rows:
        means = [text for one in told.values() if (text := one.means(fault))]
        print(f"\n{fault.name}: {means[0] if means else 'NOBODY TELLS IT'}")
        for command in commands(fault.alert):
            print(f"    {command}")
    print(f"\n{'Every face tells every fault.' if not wrong else f'{wrong} cells are wrong.'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
