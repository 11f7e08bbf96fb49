"""A private Prometheus that scrapes what it is told and evaluates the project's rules."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ops.servers.kinds import HttpServer
from ops.servers.loopback_http import call, told
from ops.servers.process import ServerFailed, output_of


class Prometheus(HttpServer):
    """Short intervals by default: tests wait for alerts, not for a minute."""

    name = "prometheus"
    package = "prometheus"

    def __init__(
        self,
        folder: Path | str,
        targets: Mapping[str, Sequence[str]],
        *,
        rules: Sequence[Path] = (),
        alertmanagers: Sequence[str] = (),
        interval: str = "1s",
        scrapes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """`targets` is job name → `127.0.0.1:port` list; `scrapes` adds keys to a job (metrics_path …)."""
        super().__init__(folder)
        self.targets, self.rules, self.alertmanagers = targets, rules, alertmanagers
        self.interval, self.scrapes = interval, scrapes or {}

    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--rules.alert.resend-delay=1s",
            "--web.enable-lifecycle",
        ]

    def prepare(self) -> None:
        jobs = [
            {"job_name": job, "static_configs": [{"targets": list(targets)}], **self.scrapes.get(job, {})}
            for job, targets in self.targets.items()
        ]
        managers = [{"static_configs": [{"targets": list(self.alertmanagers)}]}]
        configuration = {
            "global": {"scrape_interval": self.interval, "evaluation_interval": self.interval},
            "rule_files": [str(path.resolve()) for path in self.rules],
            "alerting": {"alertmanagers": managers if self.alertmanagers else []},
            "scrape_configs": jobs,
        }
        file = self.folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration, sort_keys=False))
        output_of(["promtool", "check", "config", str(file)], "the configuration")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's vector; ServerFailed with Prometheus's own words when it is refused."""
        answer = call("POST", f"{self.url}/api/v1/query", data={"query": expression}).json()
        if answer["status"] != "success":
            raise ServerFailed(answer["error"])
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts."""
        alerts: list[dict[str, Any]] = told("GET", f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return alerts
