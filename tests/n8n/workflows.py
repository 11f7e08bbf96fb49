"""The importable workflows as the tests run them: the address filled in, and copies made impatient or clumsy."""

from __future__ import annotations

import copy
import json
import uuid
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "ops" / "n8n"
ADDRESS = "http://127.0.0.1:8000"

AWAIT = "reportqSubmitAwait"
TWO = "reportqTwoEndpnts"
POLL = "reportqPollStatus"
SYNC = "reportqSynchrono"
MANY = "reportqManyItems"
VERIFY = "reportqVerifySign"
ON_FAILURE = "reportqOnFailure"

Workflow = dict[str, Any]


def shipped(url: str, *, tell: str) -> dict[str, Workflow]:
    """All workflows by id, with the Settings node filled in as a builder would."""
    found = {}
    for file in sorted(FOLDER.glob("*.json")):
        workflow = json.loads(file.read_text())
        for name, value in (("reportq", url), ("tell", tell)):
            for field in (
                node(workflow, "Settings")["parameters"]["assignments"]["assignments"]
                if has(workflow, "Settings")
                else ()
            ):
                if field["name"] == name:
                    field["value"] = value
        found[workflow["id"]] = workflow
    return found


def has(workflow: Workflow, name: str) -> bool:
    return any(one["name"] == name for one in workflow["nodes"])


def node(workflow: Workflow, name: str) -> dict[str, Any]:
    """One node by its name."""
    found: dict[str, Any] = next(one for one in workflow["nodes"] if one["name"] == name)
    return found


def renamed(workflow: Workflow, workflow_id: str, path: str) -> Workflow:
    """A copy that can live beside the original: other ids, and `path` for its first Webhook node."""
    made = copy.deepcopy(workflow)
    made |= {"id": workflow_id, "name": f"{workflow['name']} ({workflow_id})"}
    for one in made["nodes"]:
        one["id"] = str(uuid.uuid4())
        if "webhookId" in one:
            one["webhookId"] = str(uuid.uuid4())
    next(one for one in made["nodes"] if one["type"].endswith(".webhook"))["parameters"]["path"] = path
    return made


def impatient(submit_and_wait: Workflow) -> Workflow:
    """(a) with a limit of 3 seconds and a callback that never comes: the fallback has to find the report."""
    made = renamed(submit_and_wait, "testImpatientWait", "test-impatient")
    limit = node(made, "Wait for the callback")["parameters"]
    limit |= {"resumeAmount": 3, "resumeUnit": "seconds"}
    submit = node(made, "Send the order")["parameters"]
    submit["jsonBody"] = submit["jsonBody"].replace(", callback: $execution.resumeUrl", "")
    return made


def dawdling(submit_and_wait: Workflow) -> Workflow:
    """(a) that reaches its Wait node only after its callback came and was answered 409: it asks until it was."""
    made = renamed(submit_and_wait, "testDawdlingWait1", "test-dawdling")
    asks = copy.deepcopy(node(made, "Ask for the status"))
    asks |= {"name": "Was it told?", "id": str(uuid.uuid4()), "position": [550, -160]}
    too_early = copy.deepcopy(node(made, "Where is it?"))
    too_early |= {"name": "Too early?", "id": str(uuid.uuid4()), "position": [660, -160]}
    rules = too_early["parameters"]["rules"]
    rules["values"] = rules["values"][:1]
    rules["values"][0]["outputKey"] = "too early"
    rules["values"][0]["conditions"]["conditions"][0]["leftValue"] = "={{ $json.body.webhook?.last_status === 409 }}"
    pause = {
        "parameters": {"resume": "timeInterval", "amount": 1, "unit": "seconds"},
        "id": str(uuid.uuid4()),
        "webhookId": str(uuid.uuid4()),
        "name": "Another moment",
        "type": "n8n-nodes-base.wait",
        "typeVersion": 1.1,
        "position": [660, -320],
    }
    made["nodes"] += [asks, too_early, pause]

    def to(*names: str) -> dict[str, Any]:
        return {"main": [[{"node": name, "type": "main", "index": 0}] for name in names]}

    made["connections"] |= {
        "Submit": to("Was it told?"),
        "Was it told?": to("Too early?"),
        "Too early?": to("Wait for the callback", "Another moment"),
        "Another moment": to("Was it told?"),
    }
    return made


def wrong_method(submit_and_wait: Workflow) -> Workflow:
    """(a) with n8n's default in the Wait node."""
    made = renamed(submit_and_wait, "testWaitsForGet01", "test-waits-for-get")
    node(made, "Wait for the callback")["parameters"]["httpMethod"] = "GET"
    return made


def hasty(synchronous: Workflow, url: str) -> Workflow:
    """(d) that waits one second at most, through something that counts answers: a job that is held back is a 202."""
    made = renamed(synchronous, "testHastySync0001", "test-hasty")
    generate = node(made, "Generate")["parameters"]
    generate["url"] = f"{url}/api/reports/generate"
    prefer = generate["headerParameters"]["parameters"][1]
    prefer["value"] = prefer["value"].replace("wait=60", "wait=1")
    return made


def untold(on_failure: Workflow) -> Workflow:
    """(g) as it is imported: `tell` is empty."""
    made = renamed(on_failure, "testNobodyTold001", "test-nobody-told")
    for field in node(made, "Settings")["parameters"]["assignments"]["assignments"]:
        if field["name"] == "tell":
            field["value"] = ""
    return made


def by_sql(two_endpoints: Workflow, credential: str) -> Workflow:
    """(b) as its note says: the MySQL node enabled, given a credential, and connected in the look-up's place."""
    made = renamed(two_endpoints, "testLookUpBySql01", "test-sql")
    for name, path in (("A report is ready", "test-sql-complete"), ("A report failed", "test-sql-failed")):
        node(made, name)["parameters"]["path"] = path
    sql = node(made, "Look the link up by SQL")
    sql |= {"disabled": False, "credentials": {"mySql": {"id": credential, "name": credential}}}
    connections = made["connections"]
    connections["Link or job id?"]["main"][1][0]["node"] = sql["name"]
    connections[sql["name"]] = connections.pop("Look the link up")
    return made


def through(many_items: Workflow, url: str) -> Workflow:
    """(e) that orders through something which breaks answers."""
    made = renamed(many_items, "testRetryOnFail01", "test-retry-on-fail")
    node(made, "Send the order")["parameters"]["url"] = f"{url}/api/reports/batch"
    return made
