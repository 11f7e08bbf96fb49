"""A private n8n, the real one, headless: workflows imported and published, executions read from its database."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ops.servers.kinds import HttpServer
from ops.servers.loopback_http import call
from ops.servers.process import ServerFailed, filled, free_port, output_of, password, wait_until
from tests.n8n.install import install

ENDED = ("success", "error", "crashed", "canceled")
NODE = Path(__file__).parents[2] / "ops" / "n8n" / "node"  # the package n8n-nodes-reportq
_LISTENING = ("n8n-nodes-base.webhook", "n8n-nodes-reportq.reportqTrigger")


@dataclass(frozen=True)
class Execution:
    """One run of a workflow. `runs` maps a node's name to the items of each of its runs."""

    id: int
    workflow_id: str
    status: str  # new, running, waiting, success, error, crashed, canceled
    runs: Mapping[str, list[list[dict[str, Any]]]]
    error: str | None
    error_node: str | None = None
    description: str | None = None  # what n8n shows below the error
    token: str | None = None  # what stands as `signature` in its resume URL

    def items(self, node: str) -> list[dict[str, Any]]:
        """The `json` of every item a node put out, over all its runs; none when it was not reached."""
        return [item["json"] for run in self.runs.get(node, []) for item in run]

    def binaries(self, node: str) -> list[dict[str, Any]]:
        """The `binary` members of every item a node put out."""
        return [item["binary"] for run in self.runs.get(node, []) for item in run if "binary" in item]


class N8n(HttpServer):
    """Give it workflows with `publish()` before `start()`. A restart keeps them, and what waits in them."""

    name = "n8n"
    ready = "/healthz/readiness"

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        self.installed = install()
        self._broker_port = self.kept("broker_port", free_port)
        self._key = self.kept("encryption_key", password)
        self._webhooks: list[str] = []  # production paths that must be registered before it counts as ready

    @property
    def database(self) -> Path:
        return self.folder / ".n8n/database.sqlite"

    def command(self) -> list[str]:
        return [str(self.installed.node), str(self.installed.n8n), "start"]

    def environment(self) -> dict[str, str]:
        return filled(Path(__file__).with_suffix(".env"), vars(self))

    def start(self, timeout: float = 300) -> Self:
        """n8n needs ten seconds on an idle machine and minutes on a busy one."""
        return super().start(timeout)

    def restart(self, timeout: float = 300) -> Self:
        return super().restart(timeout)

    def answers(self) -> bool:
        """Readiness alone comes before the webhooks are registered: n8n's refusal of PATCH tells that they are."""
        return super().answers() and all(
            "Did you mean" in call("PATCH", f"{self.url}/webhook/{path}").text for path in self._webhooks
        )

    def publish(self, workflows: Sequence[Mapping[str, Any]], credentials: Sequence[Mapping[str, Any]] = ()) -> None:
        """Import workflows (each with an `id`) and credentials and make them live. Only while it is stopped."""
        if self.running:
            raise ServerFailed("n8n's command line and its server must not write one database at the same time")
        if credentials:
            file = self.folder / "credentials.json"
            file.write_text(json.dumps(list(credentials)))
            self._cli("import:credentials", f"--input={file}", says="Successfully imported")
        imports = self.folder / "imports"
        imports.mkdir(exist_ok=True)
        for old in imports.glob("*.json"):
            old.unlink()
        for workflow in workflows:
            (imports / f"{workflow['id']}.json").write_text(json.dumps(workflow))
        self._cli("import:workflow", "--separate", f"--input={imports}", says="Successfully imported")
        self._publish([workflow["id"] for workflow in workflows])
        nodes = [node for workflow in workflows for node in workflow["nodes"] if not node.get("disabled")]
        self._webhooks += [node["parameters"]["path"] for node in nodes if node["type"] in _LISTENING]

    def _publish(self, ids: Sequence[str]) -> None:
        """The one statement of `n8n publish:workflow`, whose process takes seconds for each workflow."""
        statement = "UPDATE workflow_entity SET active = 1, activeVersionId = versionId WHERE id = ?"
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            if connection.executemany(statement, [(one,) for one in ids]).rowcount != len(ids):
                raise ServerFailed(f"not all of these were imported: {', '.join(ids)}")
            connection.commit()

    def add_package(self, package: Path = NODE) -> Path:
        """Pack a community package and install it as n8n does, without scripts; the packed file. Before `start()`."""
        nodes = self.folder / ".n8n/nodes"
        nodes.mkdir(parents=True, exist_ok=True)
        (nodes / "package.json").write_text('{"name": "installed-nodes", "private": true, "dependencies": {}}')
        packed = nodes / self._npm("pack", str(package), "--pack-destination", str(nodes)).split()[-1]
        self._npm("install", "--ignore-scripts", "--legacy-peer-deps", "--offline", str(packed))
        return packed

    def _npm(self, *command: str) -> str:
        whole = ["npm", *command, "--no-audit", "--no-fund"]
        return output_of(whole, f"npm {command[0]}", cwd=self.folder / ".n8n/nodes", timeout=120)

    def order(self, path: str, body: Any) -> None:
        """POST to a workflow's Webhook node; ServerFailed unless it was started."""
        answer = call("POST", f"{self.url}/webhook/{path}", json=body)
        if not answer.ok:
            raise ServerFailed(f"n8n answered {answer.status_code}: {answer.text[:500]}")

    def executions(self, workflow_id: str | None = None) -> list[Execution]:
        """All executions, oldest first, with what their nodes put out."""
        query = (
            "SELECT e.id, e.workflowId, e.status, d.data FROM execution_entity e "
            "LEFT JOIN execution_data d ON d.executionId = e.id WHERE ? IS NULL OR e.workflowId = ? ORDER BY e.id"
        )
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute(query, (workflow_id, workflow_id)).fetchall()
        return [_execution(*row) for row in rows]

    def statuses(self, workflow_id: str) -> list[str]:
        """The states of a workflow's executions, oldest first, without reading their data."""
        query = "SELECT status FROM execution_entity WHERE workflowId = ? ORDER BY id"
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return [status for (status,) in connection.execute(query, (workflow_id,))]

    def drop_event_log(self) -> None:
        """Remove n8n's event log, while it stands still.

        A start after a kill reads it, finds no end of executions that wait, and calls them crashed (2.41.1). That races with
        the callbacks that resume them.
        """
        for log in (self.folder / ".n8n").glob("n8nEventLog*.log"):
            log.unlink()

    def wait_for(self, workflow_id: str, count: int = 1, timeout: float = 60) -> list[Execution]:
        """The workflow's executions as soon as `count` have ended; TimeoutError tells where the others stand."""

        def ended() -> bool:
            return sum(status in ENDED for status in self.statuses(workflow_id)) >= count

        try:
            wait_until(ended, timeout, f"{count} executions of {workflow_id} end")
        except TimeoutError as late:
            raise TimeoutError(f"{late}; they are {self.statuses(workflow_id)}\n{self.tail(15)}") from None
        return self.executions(workflow_id)

    def binary(self, binary: Mapping[str, Any]) -> bytes:
        """The bytes of one binary member, from n8n's file store."""
        if str(binary.get("id", "")).startswith("filesystem"):
            return (self.folder / ".n8n/storage" / str(binary["id"]).partition(":")[2]).read_bytes()
        raise ServerFailed(f"not in the file store: {sorted(binary)}")

    def _cli(self, *command: str, says: str) -> None:
        """One command of n8n; its exit code says little, so its words decide."""
        output = self.folder / "cli.log"
        with output.open("wb") as log:
            subprocess.run(
                [str(self.installed.node), str(self.installed.n8n), *command], cwd=self.folder, timeout=180, check=False,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.environment()},
            )  # fmt: skip
        told = output.read_text(errors="replace")
        if says not in told:
            raise ServerFailed(f"n8n {' '.join(command)}:\n{told[-2000:]}")


def _execution(number: int, workflow_id: str, status: str, flat: str | None) -> Execution:
    whole = _unflatten(flat) if flat else {}
    result = whole.get("resultData", {})
    runs = {
        node: [
            [item for branch in (run.get("data") or {}).get("main") or [] for item in branch or []] for run in node_runs
        ]
        for node, node_runs in (result.get("runData") or {}).items()
    }
    error = result.get("error") or {}
    node = (error.get("node") or {}).get("name")
    return Execution(
        number, str(workflow_id), status, runs, error.get("message"), node, error.get("description"), whole.get("resumeToken")
    )  # fmt: skip


def _unflatten(text: str) -> dict[str, Any]:
    """n8n stores executions in the "flatted" format: a list whose strings inside objects are indexes into it."""
    table = json.loads(text)
    made: dict[int, Any] = {}

    def value(index: int) -> Any:
        if index not in made:
            raw = table[index]
            made[index] = type(raw)() if isinstance(raw, dict | list) else raw  # before its parts, which may name it
            if isinstance(raw, dict):
                made[index].update({key: reference(item) for key, item in raw.items()})
            elif isinstance(raw, list):
                made[index].extend(reference(item) for item in raw)
        return made[index]

    def reference(item: Any) -> Any:
        return value(int(item)) if isinstance(item, str) else item

    found: dict[str, Any] = value(0)
    return found
