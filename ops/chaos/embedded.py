"""The embedded default beside production's programs: SQLite, the in-process broker, and PDFs in a folder on a small disk.

The other programs store in Drive, whose files cannot fill a disk of ours. The embedded default keeps its PDFs in a
folder. So its disk is filled here, with real reports of real size.
"""

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from ops.chaos.judge import TABLES
from ops.demo import Api
from ops.sample_report import PRODUCT, SAMPLE
from ops.servers.loopback_http import call
from ops.servers.process import filled, free_port
from ops.servers.receiver import Receiver
from ops.servers.small_disk import SmallDisk
from schema.sql.database import Database
from schema.sql.times import as_time

Row = dict[str, Any]
DISK = 96 << 20  # bytes; a thousand PDFs of 84 kB
BURST = 6  # jobs at a time, twice as many as open an outage


class Embedded:
    """One such process, its callers, and what can be seen of it from outside."""

    def __init__(self, folder: Path, receiver: Receiver, clocks: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = SmallDisk(folder / "pdfs", DISK)
        self._receiver = receiver
        self._url = f"sqlite:///{folder}/reportq.db"
        self._data = json.loads(SAMPLE.read_text())
        self._number = 0
        self._mutex = threading.Lock()
        self.accepted: list[str] = []
        self.unconfirmed = 0
        port = free_port()
        places = {**vars(self), "folder": folder, "port": port, "pdfs": self.disk.folder, "receiver": receiver.port}
        self.api = Api(folder / "api", port, {**clocks, **filled(Path(__file__).with_suffix(".env"), places)})

    def submit(self, count: int) -> None:
        """So many reports, one after the other; a caller without an answer stops."""
        for _ in range(count):
            with self._mutex:
                self._number += 1
                number = self._number
            callback = self._receiver.url(f"/hook/e{number}/pdf-complete")
            body = {"code": f"E{number}", "productId": PRODUCT, "data": self._data, "callback": callback}
            try:
                answer = call("POST", f"{self.api.url}/api/reports/generate-async", json=body, timeout=15)
            except requests.RequestException:
                self.unconfirmed += 1
                continue
            if answer.status_code == 202:
                with self._mutex:
                    self.accepted.append(str(answer.json()["job_id"]))
            else:
                self.unconfirmed += answer.status_code >= 500

    def trickle(self, jobs: int, share: Callable[[], float], stop: threading.Event) -> threading.Thread:
        """Submit so many while the faults last."""

        def run() -> None:
            for number in range(jobs):
                while share() < number / jobs and not stop.wait(0.1):
                    pass
                self.submit(1)

        thread = threading.Thread(target=run, name="embedded callers", daemon=True)
        thread.start()
        return thread

    def sql(self, statement: str) -> list[Row]:
        """A query from outside."""
        with contextlib.closing(Database(self._url)) as database:
            return database.fetch_all(statement)

    def paused(self) -> bool:
        """Whether the folder is known to be out of order."""
        return bool(self.sql("SELECT scope FROM pauses WHERE scope='dependency:folder'"))

    def left(self) -> dict[str, int]:
        """What still waits or is worked on."""
        found = {}
        for table in ("pdf_job_results", "deliveries"):
            waits = f"SELECT COUNT(*) AS n FROM {table} WHERE status IN ('queued','processing')"
            found[f"embedded {table}"] = int(self.sql(waits)[0]["n"])
        return {name: count for name, count in found.items() if count}

    def evidence(self) -> dict[str, list[Row]]:
        """Rows as production's tables hold them, results as MongoDB would, files as Drive would."""
        found = {name: [_timed(row) for row in self.sql(statement)] for name, statement in TABLES.items()}
        results = self.sql("SELECT job_id, body FROM report_results")
        found["results"] = [{"_id": row["job_id"], **json.loads(row["body"])} for row in results]
        jobs: dict[str, str] = defaultdict(str, {row["artifact_id"]: row["job_id"] for row in found["jobs"]})
        pdfs = [(pdf.stem, pdf.stat().st_size) for pdf in sorted(self.disk.folder.glob("[!.]*.pdf"))]
        found["files"] = [{"id": id_, "fileSize": n, "job_id": jobs[id_], "link": jobs[id_]} for id_, n in pdfs]
        return found


def _timed(row: Row) -> Row:
    """SQLite keeps a moment as text and cuts it to milliseconds: the next one is not too early for what it tells of."""
    ended = as_time(row.get("ended_at"))
    return {**row, "ended_at": ended and ended + timedelta(milliseconds=1)}
