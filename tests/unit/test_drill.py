"""The drill's table: a face that is silent, wrong, late or names another fault is reported, and the exit code is 1."""

from __future__ import annotations

import pytest

from ops.drill import FACES, FAULTS, Told, commands, show
from schema.rows.verdict import KINDS
from tests.observability.expressions import alerts

HANGS = next(fault for fault in FAULTS if fault.name == "drive-hangs")
RIGHT = Told(0.4, "warn", {("dependency_unknown", "artifacts"): "The PDF store has not answered yet."})


@pytest.mark.parametrize(
    "wrong",
    [
        Told(0.1, "good"),
        Told(0.1, "bad", {("dependency_unknown", "broker"): "RabbitMQ has not answered yet."}),
        Told(3.1, "warn", RIGHT.facts),
        Told(0.1, "good", RIGHT.facts),
        Told(0.1, "no verdict"),
    ],
)
def test_one_wrong_cell_is_enough(capsys: pytest.CaptureFixture[str], wrong: Told) -> None:
    told = dict.fromkeys(FACES, RIGHT)
    assert show([(HANGS, told, "")], limit=3.0) == 0
    assert "Every face tells every fault." in capsys.readouterr().out
    for face in FACES:
        assert show([(HANGS, told | {face: wrong}, "")], limit=3.0) == 1
    assert "1 cells are wrong" in capsys.readouterr().out


def test_an_alert_that_is_late_or_silent_is_wrong() -> None:
    told = dict.fromkeys(FACES, RIGHT)
    assert show([(HANGS, told, f"{HANGS.alert} (critical) after at most 90 s")], limit=3.0) == 0
    for rang in (f"{HANGS.alert} DID NOT RING", f"{HANGS.alert} (critical) after at most 130 s, TOO LATE"):
        assert show([(HANGS, told, rang)], limit=3.0) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_names_facts_and_an_alert_that_exist(fault: object) -> None:
    assert set(fault.facts) <= set(KINDS)  # type: ignore[attr-defined]
    assert fault.alert in {alert["alert"] for alert in alerts()}  # type: ignore[attr-defined]
    assert commands(fault.alert)  # type: ignore[attr-defined]
