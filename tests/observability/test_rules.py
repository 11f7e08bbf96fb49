"""Rules, dashboards and runbooks as files: valid, tested, and about metrics that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from middleware.meters.counters import number_text
from ops.grafana import build
from ops.servers.packages import need
from schema.metrics.table import TABLE
from schema.rows.verdict import KINDS
from tests.observability.expressions import (
    BOARDS,
    OPS,
    RULES,
    RULES_TESTS,
    RUNBOOKS,
    alerts,
    edges_in,
    known_names,
    names_in,
    panels,
    rules,
)

# The plan's four, and those the issue names.
PLAN = {"ReportqQueueLong", "ReportqFailureRateHigh", "ReportqProcessingSlow", "ReportqNoWorkers"}
UNITS = {"s", "percentunit", "short", "reqps", "bytes"}


def tool(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def tools() -> None:
    need("prometheus")
    need("prometheus-alertmanager")


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in tool("promtool", "check", "rules", str(RULES))


@pytest.mark.parametrize("cases", RULES_TESTS, ids=lambda cases: cases.stem)
def test_every_alert_fires_when_it_should_and_only_then(cases: Path) -> None:
    assert "SUCCESS" in tool("promtool", "test", "rules", str(cases))


def test_every_alert_has_a_test_that_fires_and_one_that_does_not() -> None:
    fired: dict[str, set[bool]] = {}
    for test in (test for cases in RULES_TESTS for test in yaml.safe_load(cases.read_text())["tests"]):
        for case in test.get("alert_rule_test", []):
            fired.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert fired == {alert["alert"]: {True, False} for alert in alerts()}
    assert set(fired) >= PLAN


def test_prometheus_and_alertmanager_accept_their_configuration(tmp_path: Path) -> None:
    text = (OPS / "prometheus" / "prometheus.yml").read_text()
    key = tmp_path / "metrics_key"
    key.write_text("k")
    local = text.replace("/etc/prometheus/rules.yml", str(RULES)).replace("/run/secrets/metrics_key", str(key))
    (tmp_path / "prometheus.yml").write_text(local)
    tool("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    tool("amtool", "check-config", str(OPS / "alertmanager" / "alertmanager.yml"))


def test_alertmanager_knows_the_alerts_it_speaks_of() -> None:
    configuration = yaml.safe_load((OPS / "alertmanager" / "alertmanager.yml").read_text())
    names = [alert["alert"] for alert in alerts()]
    for rule in configuration["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, pattern = re.fullmatch(r'(\w+) =~? "?([^"]+)"?', matcher).groups()  # type: ignore[union-attr]
            if label == "alertname":
                for one in pattern.split("|"):
                    assert any(re.fullmatch(one, name) for name in names), one


def mutes(source: dict[str, str], target: dict[str, str]) -> bool:
    """Whether an alert with these labels keeps another from being told, as Alertmanager would decide."""

    def fits(matchers: list[str], labels: dict[str, str]) -> bool:
        for matcher in matchers:
            label, sign, pattern = re.fullmatch(r'(\w+) (=~?) "?([^"]+)"?', matcher).groups()  # type: ignore[union-attr]
            value = labels.get(label, "")
            if not (re.fullmatch(pattern, value) if sign == "=~" else value == pattern):
                return False
        return True

    rules = yaml.safe_load((OPS / "alertmanager" / "alertmanager.yml").read_text())["inhibit_rules"]
    return any(
        fits(rule["source_matchers"], source)
        and fits(rule["target_matchers"], target)
        and all(source.get(label, "") == target.get(label, "") for label in rule.get("equal", ()))
        for rule in rules
    )


def test_a_consequence_is_muted_and_a_cause_is_not() -> None:
    waiting = {"alertname": "ReportqOldestWaitingHigh", "priority": "high"}
    unavailable = {"alertname": "ReportqUnavailable"}
    assert mutes(unavailable, {"alertname": "ReportqAcceptanceLow"})
    for cause in ("ReportqUnavailable", "ReportqDependencyDown", "ReportqNoWorkers", "ReportqRelayStuck"):
        assert mutes({"alertname": cause}, {"alertname": "ReportqCanaryMissing", "instance": "a"}), cause
    for cause in ("ReportqNoWorkers", "ReportqHousekeepingStopped", "ReportqRelayStuck", "ReportqDependencyDown"):
        assert not mutes(unavailable, {"alertname": cause, "queue": "pdf", "dependency": "broker"}), cause
    for name in ("ReportqRelayStuck", "ReportqNoWorkers"):
        assert mutes({"alertname": name, "queue": "pdf"}, waiting)
        assert not mutes({"alertname": name, "queue": "webhooks"}, waiting), name


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_names_its_severity_and_a_runbook_that_helps(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"].endswith(".")
    runbook = OPS.parent / alert["annotations"]["runbook_url"]
    assert runbook.parent == RUNBOOKS
    named = set(
        re.findall(r"[a-z]+_[a-z_]+|paused", alert["annotations"]["description"].partition("ops/reportq status")[2])
    )
    assert "ops/reportq status" in alert["annotations"]["description"]
    assert named <= set(KINDS), "the verdict knows these"
    assert {key for key, (_, _, book) in KINDS.items() if book == runbook.stem} <= named, "and this page is theirs"
    text = runbook.read_text()
    for heading in ("## What it means", "## How to look", "## What to do"):
        assert heading in text, f"{runbook.name}: {heading}"
    assert "```" in text, "the commands"
    assert "(README.md)" in text, "where their environment comes from"


def test_no_runbook_is_left_over() -> None:
    named = {Path(alert["annotations"]["runbook_url"]).name for alert in alerts()}
    assert {file.name for file in RUNBOOKS.glob("*.md")} == {*named, "README.md"}


def test_rules_and_panels_name_only_metrics_that_are_declared() -> None:
    known = known_names()
    for rule in rules():
        assert names_in(rule["expr"]) <= known, rule
    for _, panel in panels():
        for target in panel["targets"]:
            assert names_in(target["expr"]) <= known, panel["title"]


def test_buckets_are_asked_for_by_edges_they_have() -> None:
    """Prometheus compares `le` as text: a bucket that is not there is no error, only an empty answer."""
    asked = {edge for rule in rules() for edge in edges_in(rule["expr"])}
    asked |= {edge for _, panel in panels() for target in panel["targets"] for edge in edges_in(target["expr"])}
    assert ("reportq_job_end_to_end_seconds", "30.0") in asked
    for name, edge in asked:
        assert edge in {number_text(limit) for limit in (*TABLE[name].buckets, float("inf"))}, (name, edge)


def test_dashboards_are_what_the_code_builds() -> None:
    assert {file.name: file.read_text() for file in BOARDS} == build.texts()


@pytest.mark.parametrize(("board", "panel"), panels(), ids=lambda one: one["title"] if isinstance(one, dict) else one)
def test_a_panel_can_be_read_by_a_manager(board: str, panel: dict[str, object]) -> None:
    title, description = str(panel["title"]), str(panel["description"])
    assert not re.search(r"_total|_seconds|reportq_|p9\d", title + description)
    assert description.endswith(".")
    assert len(description) > 40
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS  # type: ignore[index]
    assert panel["targets"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
