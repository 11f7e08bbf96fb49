"""The real supervisor on our configuration, with stand-ins for the programs it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

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
