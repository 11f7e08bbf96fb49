"""The workers' part of the overview: how many there are, how busy they are, and where a report's time goes."""

from __future__ import annotations

from ops.grafana.panels import Panel, R, Section

WORKERS = Section(
    "Workers",
    (
        Panel(
            "Workers alive",
            "Worker processes heard of within a lease (20 s), by queue. Zero calls somebody.",
            "short", {"{{queue}}": "max by (queue) (reportq_workers)"}, decimals=0,
        ),
        Panel(
            "How busy they are",
            "Share of worker threads that have work. Near 100 % for long: more workers would shorten the waits.",
            "percentunit",
            {"{{queue}}": "max by (queue) (reportq_worker_threads_busy) / max by (queue) (reportq_worker_threads)"},
        ),
        Panel(
            "Jobs that can run at once",
            "Threads of all live workers together, by queue: reports made and callbacks posted at the same time.",
            "short", {"{{queue}}": "max by (queue) (reportq_worker_threads)"}, decimals=0,
        ),
        Panel(
            "Processor use",
            "Processors kept busy by all workers of a queue: 2 means two whole ones.",
            "short", {"{{queue}}": f"sum by (queue) (rate(reportq_worker_cpu_seconds_total[{R}]))"},
        ),
        Panel(
            "Memory of the largest worker",
            "The most memory any live worker process has used since it started, by queue.",
            "bytes", {"{{queue}}": "max by (queue) (reportq_worker_memory_peak_bytes)"},
        ),
        Panel(
            "Worker starts and rescues",
            "Worker processes started, and jobs taken back from dead or stuck ones, in the last 10 minutes.",
            "short",
            {
                "{{queue}} started": "sum by (queue) (increase(reportq_worker_starts_total[10m]))",
                "rescued: {{reason}}": "sum by (reason) (increase(reportq_rescues_total[10m]))",
            },
        ),
        Panel(
            "Where the time goes",
            "Average seconds a job spends loading its data, rendering the PDF and storing it.",
            "s",
            {
                "{{stage}}": f"sum by (stage) (rate(reportq_job_stage_duration_seconds_sum[{R}])) "
                f"/ sum by (stage) (rate(reportq_job_stage_duration_seconds_count[{R}]))"
            },
            "stacked",
        ),
        Panel(
            "Time of one attempt",
            "Seconds a worker spends on one completed attempt: half are faster than the lower line, 19 of 20 than the upper.",
            "s",
            {
                name: f"histogram_quantile({share}, sum by (le) "
                f'(rate(reportq_job_processing_duration_seconds_bucket{{outcome="completed"}}[{R}])))'
                for name, share in (("half of them", 0.5), ("19 of 20", 0.95))
            },
        ),
        Panel(
            "Releases that run",
            "How many APIs of each release answer; two lines for long mean a release that stopped half way.",
            "short", {"{{version}} on {{broker}}": "count by (version, broker) (reportq_build_info)"}, decimals=0,
        ),
    ),
)  # fmt: skip
