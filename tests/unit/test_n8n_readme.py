"""The tables of ops/n8n/README.md name every code that n8n's builders can meet, and the workflows need no more than the
page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from schema.http.operations import ALWAYS, OPERATIONS
from schema.http.problems import CATALOGUE
from schema.metrics import labels

FOLDER = Path(__file__).parents[2] / "ops" / "n8n"
README = (FOLDER / "README.md").read_text()
OPERATORS = {  # met by those who run reportq, or only inside of it
    "already_running", "backup_failed", "broker_unavailable", "cancelled", "database_busy", "database_unfit",
    "idempotency_key_taken", "lease_lost", "message_rejected", "message_too_large", "queue_not_found", "returned",
    "still_at_work", "stopped",
    "undecodable_message", "unknown_actor",
}  # fmt: skip


def rows(header: str) -> list[list[str]]:
    """The cells of the table that begins with this header."""
    lines = README.partition(f"\n{header}")[2].splitlines()[2:]
    table = lines[: next(n for n, line in enumerate([*lines, ""]) if not line.startswith("|"))]
    assert table, header
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def codes(header: str) -> set[str]:
    return {code for row in rows(header) for code in re.findall("`([a-z_]+)`", row[0])}


ANSWERS, JOBS, CALLBACKS = codes("| n8n shows |"), codes("| `error.code` |"), codes("| code |")


def test_every_answer_to_a_builders_call_is_explained() -> None:
    asked = {code for call in OPERATIONS if call.role in ("read", "submit") for code in call.problems}
    asked |= {*ALWAYS, "internal_error", "not_found", "method_not_allowed"}
    assert asked - ANSWERS == set()


def test_every_end_of_a_job_or_callback_is_explained() -> None:
    assert set(labels.JOB_CODES) | {code for code in CATALOGUE if code.startswith(("drive_", "folder_"))} <= JOBS
    assert {*labels.CALLBACK_CODES, *(code for code in CATALOGUE if code.startswith("webhook_"))} <= CALLBACKS


def test_the_tables_are_complete_and_name_nothing_else() -> None:
    assert set(CATALOGUE) - OPERATORS == ANSWERS | JOBS | CALLBACKS
    assert set(CATALOGUE) >= OPERATORS


def test_the_statuses_are_those_of_the_catalogue() -> None:
    for row in rows("| n8n shows |"):
        for status, named in re.findall(r"(\d{3}) ((?:`[a-z_]+`(?:, )?)+)", row[0]):
            for code in re.findall("[a-z_]+", named):
                assert CATALOGUE[code].status == int(status), code


def workflow(letter: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(FOLDER.glob(f"{letter}-*.json")).read_text())
    return found


def test_a_failure_waits_for_its_decision_also_when_nobody_is_to_be_told() -> None:
    """n8n runs it as imported: the empty `tell` leads past the node that would post to it."""
    flow = workflow("g")
    nodes = {node["name"]: node for node in flow["nodes"]}
    fields = nodes["Settings"]["parameters"]["assignments"]["assignments"]
    assert [field["value"] for field in fields if field["name"] == "tell"] == [""]
    told, nobody = flow["connections"]["Anybody to tell?"]["main"]
    assert [to["node"] for to in told] == ["Tell a person"]
    assert [to["node"] for to in nobody] == ["Wait for the decision"]
    assert "`tell` in *Settings* is empty" in nodes["Note: About"]["parameters"]["content"]


def test_a_credential_that_a_workflow_brings_is_spoken_of() -> None:
    for file in [*FOLDER.glob("*.json"), *FOLDER.glob("with-node/*.json")]:
        flow = json.loads(file.read_text())
        notes = " ".join(node["parameters"].get("content", "") for node in flow["nodes"])
        for node in flow["nodes"]:
            assert "credentials" not in node or node.get("disabled") or f"*{node['name']}*" in notes, node["name"]
