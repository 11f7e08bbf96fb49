"""Workflows around the node: those that are shipped, and small ones that try one setting each."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.n8n.workflows import FOLDER, Workflow

AWAIT, MANY, VERIFY, ON_FAILURE = "reportqNodeAwait0", "reportqNodeMany00", "reportqNodeVerify", "reportqNodeFailed"
_WAIT = {"resource": "report", "operation": "generateAndWait"}
_CHECK = {"resource": "product", "operation": "validate", "productId": "minatBakatUmum", "data": "={{ $json.data }}"}
_TOLD = {"meta": '={{ {"n": $itemIndex} }}', "callback": "={{ $json.callback }}"}
_NAMED = {"fileName": "=Laporan {{ $json.job_id }}"}


def shipped() -> list[Workflow]:
    """The twins of the workflows; the tests' n8n has the credential that they name."""
    return [json.loads(file.read_text()) for file in sorted((FOLDER / "with-node").glob("*.json"))]


def credential(name: str, url: str, *, key: str = "", secret: str = "") -> dict[str, Any]:
    data = {"url": url, "apiKey": key, "webhookSecret": secret}
    return {"id": name, "name": name, "type": "reportqApi", "data": data}


def made() -> list[Workflow]:
    """One workflow per setting; `POST /webhook/ID {"items": […]}` starts it with an item for each."""
    linked = {"output": "link"}
    return [
        _flow("nodeRed", _WAIT),
        _flow("nodeTools", _WAIT | linked | {"options": {"waitBy": "asking"}}, onError="continueRegularOutput"),
        _flow("nodeHasty", _WAIT | {"timeLimit": 0.05}, onError="continueErrorOutput"),
        _flow("nodeHastyRed", _WAIT | linked | {"timeLimit": 0.05}),
        _flow("nodeLink", _WAIT | linked, onError="continueErrorOutput"),
        _flow("nodeLocked", _WAIT | {"options": {"password": "={{ $json.word }}"}}, onError="continueErrorOutput"),
        _flow("nodeAway", _WAIT | linked, "throughTheWay"),
        _flow("nodeKeyed", _WAIT | {"dataFrom": "json", "data": "={{ $json.data }}"}, "keyed", onError="continueErrorOutput"),
        _flow("nodeStrict", _WAIT | {"dataFrom": "json", "data": "={{ $json.data }}"}, "keyed"),
        _flow("nodeWrongKey", _WAIT, "wrongKey", retryOnFail=False),
        _flow("nodeGenerate", _WAIT | {"operation": "generate", "options": _TOLD}),
        _flow("nodeStatus", _job("getStatus"), onError="continueErrorOutput", retryOnFail=True, waitBetweenTries=1000),
        _flow("nodeDownload", _job("download") | {"options": _NAMED}, onError="continueErrorOutput"),
        _flow("nodeCancel", _job("cancel"), onError="continueErrorOutput"),
        _flow("nodeReplay", _job("replay"), onError="continueErrorOutput"),
        _flow("nodeBatchStatus", _batch("getStatus")),
        _flow("nodeBatchZip", _batch("download")),
        _flow("nodeBatchCancel", _batch("cancel")),
        _flow("nodeBatchReplay", _batch("replay")),
        _flow("nodeProducts", {"resource": "product", "operation": "getMany"}),
        _flow("nodeValidate", _CHECK),
        _flow("nodeLoop", _WAIT | linked, loop=True),
    ]  # fmt: skip


def _job(operation: str) -> dict[str, Any]:
    return {"resource": "job", "operation": operation, "jobId": "={{ $json.job_id }}"}


def _batch(operation: str) -> dict[str, Any]:
    return {"resource": "batch", "operation": operation, "batchId": "={{ $json.batch_id }}"}


def _flow(
    name: str, parameters: dict[str, Any], key: str = "reportqApiKey", *, loop: bool = False, **settings: Any
) -> Workflow:
    ours = {"productId": "={{ $json.productId }}", "code": "={{ $json.code }}"} | parameters
    nodes = [
        _node("Start", "n8n-nodes-base.webhook", 2.1, {"httpMethod": "POST", "path": name}),
        _node("Items", "n8n-nodes-base.splitOut", 1, {"fieldToSplitOut": "body.items", "options": {}}),
        _node("Loop", "n8n-nodes-base.splitInBatches", 3, {"batchSize": 2, "options": {}}),
        _node("Reportq", "n8n-nodes-reportq.reportq", 1, ours) | settings,
        _node("Good", "n8n-nodes-base.noOp", 1, {}),
        _node("Bad", "n8n-nodes-base.noOp", 1, {}),
    ]
    nodes[3]["credentials"] = {"reportqApi": {"id": key, "name": key}}
    nodes[3]["parameters"]["productId"] = ours["productId"]
    straight = {"Items": _to("Reportq"), "Reportq": _to("Good", "Bad")}
    looped = {"Items": _to("Loop"), "Loop": _to("Good", "Reportq"), "Reportq": _to("Loop")}
    return {
        "id": name, "name": name, "nodes": nodes, "settings": {"executionOrder": "v1"}, "pinData": {},
        "connections": {"Start": _to("Items"), **(looped if loop else straight)},
    }  # fmt: skip


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()), "webhookId": str(uuid.uuid4()), "name": name, "type": kind, "typeVersion": version,
        "position": [0, 0], "parameters": dict(parameters),
    }  # fmt: skip


def _to(*names: str) -> dict[str, Any]:
    return {"main": [[{"node": name, "type": "main", "index": 0}] for name in names]}
