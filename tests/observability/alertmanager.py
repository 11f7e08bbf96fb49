"""A private Alertmanager, alone in its cluster."""

from pathlib import Path
from typing import Any

from ops.servers.kinds import HttpServer
from ops.servers.loopback_http import told

SILENT = """\
route: {receiver: nobody, group_wait: 1s, group_interval: 1s}
receivers: [{name: nobody}]
"""


class Alertmanager(HttpServer):
    """`target` is what Prometheus is told."""

    name = "alertmanager"
    package = "prometheus-alertmanager"

    def __init__(self, folder: Path | str, configuration: str = SILENT) -> None:
        """`configuration` is the text of alertmanager.yml."""
        super().__init__(folder)
        self.configuration = configuration

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            "prometheus-alertmanager",
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'state'}",
            f"--web.listen-address={self.target}",
            "--cluster.listen-address=",
        ]

    def prepare(self) -> None:
        (self.folder / "alertmanager.yml").write_text(self.configuration)

    def alerts(self) -> list[dict[str, Any]]:
        """What it holds now."""
        alerts: list[dict[str, Any]] = told("GET", f"{self.url}/api/v2/alerts")
        return alerts
