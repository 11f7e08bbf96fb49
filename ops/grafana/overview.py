"""The dashboard that answers "are reports in time?" first, and why not below."""

from __future__ import annotations

from ops.grafana.panels import Panel, R, Section
from ops.grafana.workers import WORKERS


def _quantile(share: float, metric: str, by: str = "") -> str:
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({metric}_bucket[{R}])))"


_PROMISES = Section(
    "Are reports in time?",
    (
        Panel(
            "Reports made within their promise",
            "Share of the last hour's reports that were made within the target of their priority (high 30 s, normal 2 min, "
            "low 15 min); one that failed was not. The plan asks for more than 95 %.",
            "percentunit", {"in time": "reportq:on_time_all:ratio1h"}, "number", 6, 0.98, 0.95, True, 1,
        ),
        Panel(
            "Requests accepted",
            "Share of the last hour's valid requests that were accepted at once. The plan asks for more than 99.9 %.",
            "percentunit", {"accepted": "reportq:acceptance:ratio1h"}, "number", 6, 0.9995, 0.999, True, 2,
        ),
        Panel(
            "Average time to make a report",
            "From the moment a worker takes a job until the PDF is stored, last hour. The plan asks for under 2 minutes.",
            "s", {"average": "reportq:processing_seconds:mean1h"}, "number", 6, 60, 120, False, 2,
        ),
        Panel(
            "Availability",
            "Share of the last hour in which a request would have been accepted. The plan asks for more than 99.5 %.",
            "percentunit", {"available": "reportq:availability:ratio1h"}, "number", 6, 0.999, 0.995, True, 2,
        ),
        Panel(
            "Error budget left",
            "Of what each promise allows in 30 days: 0.1 % of the requests not accepted, 0.5 % of the time not available. At "
            "zero the promise of the month is broken.",
            "percentunit", {
                "acceptance": "clamp_min(1 - (1 - reportq:acceptance:ratio30d) / 0.001, 0)",
                "availability": "clamp_min(1 - (1 - reportq:availability:ratio30d) / 0.005, 0)",
            }, bad=0.0, good_is_high=True,
        ),
        Panel(
            "In time, by priority",
            "Share of reports made within the target of their priority over the last hour. Below the line the promise is broken.",
            "percentunit", {"{{priority}}": "reportq:on_time:ratio1h"}, bad=0.95, good_is_high=True,
        ),
        Panel(
            "Longest wait right now",
            "How long the job that has waited longest has been due, by priority. This rises first when something is stuck.",
            "s", {"{{priority}}": "max by (priority) (reportq_oldest_waiting_seconds)"}, warn=30, bad=60,
        ),
        Panel(
            "Time until a report is begun (95 of 100)",
            "Nineteen of twenty jobs were begun sooner than this. Promised: high 10 s, normal 30 s, low 5 min.",
            "s", {"{{priority}}": _quantile(0.95, "reportq_job_queue_wait_seconds", "priority")},
        ),
        Panel(
            "From request to end",
            "The whole way of a report, retries included: half are faster than the lower line, 19 of 20 than the upper one.",
            "s",
            {
                "half of them": _quantile(0.5, "reportq_job_end_to_end_seconds"),
                "19 of 20": _quantile(0.95, "reportq_job_end_to_end_seconds"),
            },
        ),
        Panel(
            "Late starts",
            "Share of jobs begun later than promised over five minutes. 5 % is allowed; 30 % for an hour calls somebody.",
            "percentunit", {"{{priority}}": "reportq:late_start:ratio5m"}, warn=0.05, bad=0.3,
        ),
        Panel(
            "What becomes of requests",
            "Requests for reports a second: accepted, refused (their own mistake), over_rate (a key asks too often), "
            "limited (backlog full), unavailable (ours).",
            "reqps", {"{{result}}": f"sum by (result) (rate(reportq_submissions_total[{R}]))"}, "stacked",
        ),
        Panel(
            "Since a canary last came through",
            "A report that nobody asked for goes the whole way every minute, callback and PDF included. Five minutes without "
            "one call somebody.",
            "s",
            {"{{instance}}": "time() - max by (instance) (reportq_canary_last_success_timestamp_seconds > 0)"},
            width=12, warn=120, bad=300,
        ),
        Panel(
            "What becomes of canaries",
            "Those of the last 15 minutes that came through, and what the others missed first: accepted, made in time, told, "
            "signed, downloaded.",
            "short", {"{{result}}": "sum by (result) (increase(reportq_canary_runs_total[15m]))"}, "stacked", width=12,
        ),
    ),
)  # fmt: skip

_QUEUES = Section(
    "What is waiting?",
    (
        Panel(
            "Jobs that wait",
            "Reports not begun yet, by priority. A long queue that moves is no harm; the plan's alert is at 100.",
            "short", {"{{priority}}": 'max by (priority) (reportq_jobs{status="queued"})'}, "stacked", bad=100,
        ),
        Panel(
            "In and out",
            "Jobs that came in and rounds that ended, a second. While the first line is above the second, the queue grows.",
            "reqps",
            {
                "submitted": f"sum(rate(reportq_jobs_submitted_total[{R}]))",
                "ended": f"sum(rate(reportq_jobs_ended_total[{R}]))",
            },
        ),
        Panel(
            "Handed out, and still to be",
            "Rows whose message lies in the broker, and rows that are due but wait for room in the window, by queue.",
            "short",
            {
                "{{queue}} in the broker": "max by (queue) (reportq_hints_outstanding)",
                "{{queue}} due": "max by (queue) (reportq_rows_due)",
            },
        ),
        Panel(
            "Waiting for Google Drive",
            "Kept PDFs that wait for their upload, and the writes a second that Drive is found to allow (0: no limit known).",
            "short", {"PDFs": "max(reportq_store_waiting)", "writes/s": "max(reportq_store_pace_writes_per_second)"},
        ),
        Panel(
            "Relay behind",
            "How long due work has waited although nothing holds it back. Anything above zero for long: the relay is stuck.",
            "s", {"{{queue}}": "max by (queue) (reportq_relay_lag_seconds)"}, warn=5, bad=30,
        ),
        Panel(
            "Oldest due row not handed out",
            "Age of the oldest row that is due and has no message in the broker, whatever holds it back.",
            "s", {"{{queue}}": "max by (queue) (reportq_rows_due_oldest_seconds)"},
        ),
        Panel(
            "Paused",
            "1 while a queue or a dependency is paused, by an operator or an outage; of webhook hosts, how many.",
            "short", {"{{scope}}": "max by (scope) (reportq_paused)"}, decimals=0,
        ),
    ),
)  # fmt: skip

_FAILURES = Section(
    "What fails, and why?",
    (
        Panel(
            "Reports that failed",
            "Share of ended reports that failed, over 15 minutes. The plan's alert is at 5 %.",
            "percentunit",
            {
                "failed": 'sum(increase(reportq_job_end_to_end_seconds_count{status="failed"}[15m])) '
                '/ sum(increase(reportq_job_end_to_end_seconds_count{status!="cancelled"}[15m]))'
            },
            warn=0.01, bad=0.05,
        ),
        Panel(
            "Failed reports by cause",
            "Reports given up in the last 15 minutes, by error code. The code also stands in callback, log and dead letter.",
            "short", {"{{code}}": "sum by (code) (increase(reportq_jobs_failed_total[15m]))"}, "stacked",
        ),
        Panel(
            "Retries by cause",
            "Attempts that will be tried again, in the last 15 minutes: trouble that callers have not noticed yet.",
            "short", {"{{code}}": "sum by (code) (increase(reportq_job_retries_total[15m]))"}, "stacked",
        ),
        Panel(
            "Attempts by outcome",
            "Attempts a second. Returned ones (stop, pause, outage) cost a job nothing; crashed ones lost their worker.",
            "reqps", {"{{outcome}}": f"sum by (outcome) (rate(reportq_attempts_total[{R}]))"}, "stacked",
        ),
        Panel(
            "Failed attempts by cause",
            "Every attempt that failed, timed out or crashed in the last 15 minutes, retried or not.",
            "short", {"{{code}}": "sum by (code) (increase(reportq_attempt_failures_total[15m]))"}, "stacked",
        ),
        Panel(
            "Cancelled reports",
            "Reports their callers called off in the last 15 minutes, before and after a worker had taken them.",
            "short",
            {
                "while waiting": "sum(increase(reportq_jobs_cancelled_waiting_total[15m]))",
                "while being made": 'sum(increase(reportq_jobs_ended_total{status="cancelled"}[15m]))',
            },
            "stacked",
        ),
    ),
)  # fmt: skip

_DESK = Section(
    "Dead letters",
    (
        Panel(
            "Open dead letters",
            "Jobs and callbacks that were given up and that nobody has resolved yet. They do not expire.",
            "short", {"open": "sum(max by (queue, code) (reportq_dead_letters_open)) or vector(0)"}, "number", 6, 1, 50,
        ),
        Panel(
            "Open dead letters by cause",
            "What they died of. Replay those of one cause together once it is put right.",
            "short", {"{{queue}} {{code}}": "max by (queue, code) (reportq_dead_letters_open) > 0"}, "stacked", 10,
        ),
        Panel(
            "Replays",
            "Jobs begun anew and callbacks sent again by operators, in the last hour.",
            "short", {"{{what}}": "max by (what) (increase(reportq_replays_total[1h]))"}, "stacked",
        ),
    ),
)  # fmt: skip

_CALLBACKS = Section(
    "Are callers told?",
    (
        Panel(
            "Callbacks by answer",
            "Posts a second by what the receiver answered. 409 is n8n that has not reached its Wait node yet: tried again.",
            "reqps", {"{{answer}}": f"sum by (answer) (rate(reportq_webhook_attempts_total[{R}])) > 0"}, "stacked",
        ),
        Panel(
            "From the end of a report to the news",
            "Time from the end of a job until its callback was accepted: half are faster than the lower line.",
            "s",
            {
                "half of them": _quantile(0.5, "reportq_delivery_latency_seconds"),
                "19 of 20": _quantile(0.95, "reportq_delivery_latency_seconds"),
            },
        ),
        Panel(
            "Callbacks owed",
            "Ended reports whose caller has not been told, or whose permanent record is not written yet.",
            "short", {"{{status}}": "max by (status) (reportq_deliveries)"}, "stacked",
        ),
        Panel(
            "Oldest callback owed",
            "How long the caller who has waited longest has waited for the news.",
            "s", {"oldest": "max(reportq_oldest_delivery_seconds)"}, warn=300, bad=1800,
        ),
        Panel(
            "Time receivers take to answer",
            "One POST: 19 of 20 were answered faster than this. After 30 s we stop waiting.",
            "s", {"19 of 20": _quantile(0.95, "reportq_webhook_attempt_duration_seconds")},
        ),
        Panel(
            "Callbacks given up by cause",
            "Callers that will not be told unless somebody resends, in the last hour, with the reason.",
            "short", {"{{code}}": "sum by (code) (increase(reportq_callbacks_stopped_total[1h]))"}, "stacked",
        ),
    ),
)  # fmt: skip

_DEPENDENCIES = Section(
    "What it depends on",
    (
        Panel(
            "Dependencies that answer",
            "1 while the database, the documents (MongoDB), the PDF store (Drive) and the broker answer.",
            "short", {"{{dependency}}": "max by (dependency) (reportq_dependency_up)"}, decimals=0,
        ),
        Panel(
            "How quickly they answer",
            "Time of the last small question put to each; a slow one makes every report slow.",
            "s", {"{{dependency}}": "max by (dependency) (reportq_dependency_latency_seconds)"},
        ),
        Panel(
            "Time the API takes to answer",
            "19 of 20 requests were answered faster than this, by route.",
            "s", {"{{route}}": _quantile(0.95, "reportq_http_request_duration_seconds", "route")},
        ),
        Panel(
            "Housekeeping overdue",
            "Time since a relay should have renewed its turn at housekeeping; zero is right.",
            "s", {"overdue": "max(reportq_housekeeping_overdue_seconds)"}, warn=10, bad=60,
        ),
        Panel(
            "Cost of watching",
            "Time it takes to read the gauges of this page from the database, at most once every five seconds an API.",
            "s", {"read": "max(reportq_gauges_read_seconds)"},
        ),
        Panel(
            "Targets that can be read",
            "1 for each process Prometheus can read. A target at 0 makes other panels blind.",
            "short", {"{{job}} {{instance}}": "up"}, decimals=0,
        ),
    ),
)  # fmt: skip

OVERVIEW = (_PROMISES, _QUEUES, _FAILURES, _DESK, _CALLBACKS, WORKERS, _DEPENDENCIES)
