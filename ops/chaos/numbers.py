"""What the metrics say after a run, beside what the rows say. Gauges are the truth. A counter may miss one event for
each time a process was killed, or lost its connection, between a commit and its count."""

import time
from collections import Counter
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ops.chaos.schedule import PARTS
from ops.chaos.system import CLOCKS
from ops.servers.loopback_http import call
from ops.stack import Stack
from schema.metrics.labels import code_label
from schema.rows.columns import IS_OPEN
from schema.rows.jobs import priority_word

Series = Mapping[tuple[str, ...], float]  # From label values, in the order of the names below, to the value.
PATIENCE = 40.0  # Seconds that a gauge may lag, because readings are kept and leases must run out.

# For each gauge: its labels here with their columns, and the rows that it counts.
GAUGES: dict[str, tuple[Mapping[str, str], str]] = {
    "reportq_jobs": ({"status": "status", "priority": "priority"}, f"pdf_job_results WHERE {IS_OPEN}"),
    "reportq_deliveries": ({"status": "status"}, f"deliveries WHERE {IS_OPEN}"),
    "reportq_dead_letters_open": ({"queue": "queue", "code": "error_code"}, "dead_letters WHERE status='open'"),
    "reportq_workers": (
        {"queue": "kind"},
        f"workers WHERE seen_at >= TIMESTAMPADD(SECOND, -{CLOCKS['REPORTQ_LEASE']}, UTC_TIMESTAMP(6))",
    ),
}
_ENDED, _CANCELLED = "reportq_jobs_ended_total", "reportq_jobs_cancelled_waiting_total"
# what is counted → the counters that are added up for it, and its rows. An attempt that an outage gave back after it was
# counted as failed keeps its error code.
COUNTERS: dict[str, tuple[tuple[tuple[str, Mapping[str, str]], ...], str]] = {
    "attempts": ((("reportq_attempts_total", {}),), "attempts"),
    "failures": (
        (("reportq_attempt_failures_total", {}),),
        "attempts WHERE outcome IN ('failed','timeout','crashed') OR (outcome='returned' AND error_code IS NOT NULL)",
    ),
    "completed": (((_ENDED, {"status": "completed"}),), "deliveries WHERE event='completed'"),
    "failed": (((_ENDED, {"status": "failed"}),), "deliveries WHERE event='failed'"),
    "cancelled": (((_ENDED, {"status": "cancelled"}), (_CANCELLED, {})), "deliveries WHERE event='cancelled'"),
    "buried": ((("reportq_jobs_failed_total", {}),), "dead_letters WHERE kind='job'"),
}
HELD = 10  # A killed process may lose so many events that it held because the run folder was full.
# After these faults a process may have committed an event that it never counts: it died, or took the answer for lost.
_COSTLY = (*(f"kill:{part}" for part in PARTS), "stop:render", "stop:relay", "mariadb", ":database-")


def samples_of(text: str) -> list[Sample]:
    """A target's answer."""
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def allowed(happened: Counter[str]) -> int:
    """How many events a counter may miss after these faults."""
    costly = sum(count for kind, count in happened.items() if any(part in kind for part in _COSTLY))
    return costly + HELD * happened["full:run"]


def gauges_apart(samples: list[Sample], rows: Mapping[str, Series]) -> list[str]:
    """Gauges that do not tell what the rows do, in either direction."""
    found = []
    for name, (labels, _) in GAUGES.items():
        shown = {tuple(s.labels[label] for label in labels): s.value for s in samples if s.name == name}
        if not shown and name != "reportq_dead_letters_open":
            found.append(f"{name} is not told")
            continue
        for key in sorted({*shown, *rows[name]}):
            if shown.get(key, 0) != rows[name].get(key, 0):
                found.append(f"{name}{{{','.join(key)}}} tells {shown.get(key, 0):g}, rows {rows[name].get(key, 0):g}")
    return found


def counters_apart(samples: list[Sample], rows: Mapping[str, int], most: int) -> list[str]:
    """Counters that miss, or have made up, more than `most` events."""
    wrong = {what: n for what, n in counts_of(samples).items() if abs(n - rows[what]) > most}
    return [f"{what}: counted {n}, rows {rows[what]}, at most {most} apart" for what, n in wrong.items()]


def counts_of(samples: list[Sample]) -> dict[str, int]:
    """What was counted, by COUNTERS' words."""
    return {
        what: sum(
            round(s.value)
            for name, wanted in series
            for s in samples
            if s.name == name and all(s.labels.get(label) == value for label, value in wanted.items())
        )
        for what, (series, _) in COUNTERS.items()
    }


def compare(stack: Stack, happened: Counter[str], patience: float = PATIENCE) -> tuple[list[str], str]:
    """What is wrong after a run (nothing, when all is well), and one line of what was compared."""
    until = time.monotonic() + patience
    while wrong := gauges_apart(samples_of(_text(stack.port)), _rows(stack)):
        if time.monotonic() > until:
            break
        time.sleep(1)
    most = allowed(happened)
    counted = [*samples_of(_text(stack.port)), *samples_of(_text(stack.metrics_port))]
    rows = {what: int(stack.sql(f"SELECT COUNT(*) AS n FROM {of}")[0]["n"]) for what, (_, of) in COUNTERS.items()}
    told = ", ".join(f"{what} {n} of {rows[what]}" for what, n in counts_of(counted).items())
    return [*wrong, *counters_apart(counted, rows, most)], f"counted {told} (at most {most} apart)"


def _rows(stack: Stack) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for name, (labels, rows) in GAUGES.items():
        counts: Counter[tuple[str, ...]] = Counter()
        columns = ",".join(labels.values())
        for row in stack.sql(f"SELECT {columns}, COUNT(*) AS n FROM {rows} GROUP BY {columns}"):
            counts[tuple(_word(label, row[column]) for label, column in labels.items())] += int(row["n"])
        found[name] = dict(counts)
    return found


def _word(label: str, value: object) -> str:
    if label == "priority":
        return priority_word(int(str(value)))
    return code_label(str(value)) if label == "code" else str(value)


def _text(port: int) -> str:
    """What a target of this machine shows."""
    answer = call("GET", f"http://127.0.0.1:{port}/metrics")
    answer.raise_for_status()
    return answer.text
