"""Reads rules and dashboards as they are shipped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from schema.metrics.table import HISTOGRAM, TABLE

OPS = Path(__file__).resolve().parents[2] / "ops"
RULES = OPS / "prometheus" / "rules.yml"
RULES_TESTS = (OPS / "prometheus" / "rules_test.yml", OPS / "prometheus" / "rules_hours_test.yml")
BOARDS = sorted((OPS / "grafana" / "dashboards").glob("*.json"))
RUNBOOKS = OPS / "runbooks"
_NAME = re.compile(r"\breportq[_:][a-z0-9_:]+")


def rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Dashboard and panel, rows left out."""
    return [
        (file.stem, panel)
        for file in BOARDS
        for panel in json.loads(file.read_text())["panels"]
        if panel["type"] != "row"
    ]


def known_names() -> set[str]:
    """Everything an expression of ours may name."""
    names = {rule["record"] for rule in rules() if "record" in rule}
    for metric in TABLE.values():
        names |= (
            {metric.name + part for part in ("_bucket", "_sum", "_count")}
            if metric.kind == HISTOGRAM
            else {metric.name}
        )
    return names


def edges_in(expression: str) -> set[tuple[str, str]]:
    """Histogram and `le` of every bucket an expression asks for by its edge."""
    asked = re.findall(r"(reportq_\w+)_bucket\{([^}]*)\}", expression)
    return {(name, edge) for name, labels in asked for edge in re.findall(r'\ble="([^"]*)"', labels)}


def names_in(expression: str) -> set[str]:
    return set(_NAME.findall(re.sub(r"\{[^}]*\}|\"[^\"]*\"", "", expression)))
