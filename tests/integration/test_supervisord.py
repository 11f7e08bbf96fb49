"""The real supervisor on our configuration, with stand-ins for the programs it runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from ops.processes import prepared
from ops.servers.process import Server, wait_until

TOP = Path(__file__).parents[2]
STAND_IN = """#!/bin/sh
echo "$0 $* in $PWD"
trap 'echo "asked to stop"; exit 0' TERM
while :; do sleep 0.1; done
"""


class Supervisor(Server):
    """Supervisord as an unprivileged process in a folder of its own."""

    name = "supervisord"

    def command(self) -> list[str]:
        return [str(Path(sys.executable).parent / "supervisord"), "-c", str(TOP / "ops/supervisord.conf")]

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "REPORTQ_RUN_DIR": str(self.folder),
            "REPORTQ_CONCURRENT_WORKERS": "3",
            "REPORTQ_WEBHOOK_THREADS": "7",
        }

    def prepare(self) -> None:
        (self.folder / "bin").mkdir(exist_ok=True)
        for name in ("gunicorn", "dramatiq", "python"):
            program = self.folder / "bin" / name
            program.write_text(STAND_IN)
            program.chmod(0o755)

    def status(self) -> dict[str, tuple[str, int]]:
        """Process name → state and process id."""
        control = [str(Path(sys.executable).parent / "supervisorctl"), "-c", str(TOP / "ops/supervisord.conf")]
        shown = subprocess.run(
            [*control, "status"],
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [line.split() for line in shown.stdout.splitlines() if "pid" in line]
        return {row[0].rpartition(":")[2]: (row[1], int(row[3].rstrip(","))) for row in rows}

    def answers(self) -> bool:
        states = self.status()
        return len(states) == 7 and all(state == "RUNNING" for state, _ in states.values())

    def said(self, log: str) -> str:
        return (self.folder / log).read_text()


def test_all_processes_run_come_back_when_killed_and_stop_with_their_supervisor(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        before = supervisor.status()
        assert set(before) == {"api", "relay", "webhook", "canary", "render-0", "render-1", "render-2"}
        assert "--threads 7 --queues webhooks" in supervisor.said("webhook.log")
        assert f"service.wsgi:app in {TOP}" in supervisor.said("api.log")
        os.kill(before["render-1"][1], signal.SIGKILL)
        wait_until(lambda: supervisor.status().get("render-1", before["render-1"])[1] != before["render-1"][1], 20,
                   "the killed process again")  # fmt: skip
        assert supervisor.status()["render-0"] == before["render-0"]
        supervisor.wait_ready()
        pids = supervisor.processes()
        supervisor.stop()
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert "asked to stop" in supervisor.said("render-2.log")


def processes(supervisor: Supervisor, *words: str) -> subprocess.CompletedProcess[str]:
    """`ops/processes` with nothing but the run folder in its environment, as far as reportq is concerned."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REPORTQ_")}
    return subprocess.run(
        [sys.executable, "-m", "ops.processes", *words],
        cwd=TOP,
        env={**environ, "REPORTQ_RUN_DIR": str(supervisor.folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_for_operators_finds_the_processes_starts_what_is_down_and_shows_logs(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    refused = processes(supervisor, "status")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"No supervisor runs in {tmp_path}.")
    assert "ops/runbooks/README.md" in refused.stderr
    with supervisor:
        before = supervisor.status()
        assert processes(supervisor, "status").stdout.count("RUNNING") == 7
        assert processes(supervisor, "stop", "render-1").returncode == 0
        assert "render-1" not in supervisor.status()
        started = processes(supervisor, "start", "render", "webhook")
        assert started.returncode == 0, started.stdout + started.stderr
        assert "render:render-1: started" in started.stdout
        assert "webhook: left alone, was started before" in started.stdout
        assert "ERROR" not in started.stdout
        now = supervisor.status()
        assert {name for name in now if now[name] != before[name]} == {"render-1"}
        assert processes(supervisor, "restart", "relay").returncode == 0
    said = processes(supervisor, "logs", "relay").stdout
    assert said.count("-m actors.relay") == 2
    assert processes(supervisor, "logs", "-n", "1", "relay").stdout == "asked to stop\n"
    assert processes(supervisor, "logs", "render").stdout.count("--queues pdf") == 4


def test_without_an_environment_nothing_is_started(tmp_path: Path) -> None:
    refused = processes(Supervisor(tmp_path), "run")
    assert refused.returncode == 1
    assert "REPORTQ_BROKER_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_supervisor_finds_in_its_environment_what_its_configuration_names() -> None:
    """Whatever is not set has the default that the programs themselves would take."""
    environ, run_dir = prepared({"REPORTQ_PROFILE": "production", "PATH": "/usr/bin"})
    assert run_dir == TOP / "var" / "run"
    needed = set(re.findall(r"%\(ENV_(\w+)\)s", (TOP / "ops" / "supervisord.conf").read_text()))
    assert needed <= set(environ)
    assert environ["REPORTQ_CONCURRENT_WORKERS"] == "5"
    assert environ["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
