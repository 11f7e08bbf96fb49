"""RabbitMQ as it sees itself: for the question whether the broker is the reason."""

from __future__ import annotations

from ops.grafana.panels import Panel, R, Section

_OURS = 'queue=~"(pdf|webhooks)([.]XQ)?"'

_QUEUES = Section(
    "Queues",
    (
        Panel(
            "Messages ready",
            "Messages that wait for a worker, by queue. The rows are the truth: a message only says where to look.",
            "short", {"{{queue}}": f"sum by (queue) (rabbitmq_detailed_queue_messages_ready{{{_OURS}}})"},
        ),
        Panel(
            "Messages at work",
            "Messages a worker has taken and not acknowledged yet.",
            "short", {"{{queue}}": f"sum by (queue) (rabbitmq_detailed_queue_messages_unacked{{{_OURS}}})"},
        ),
        Panel(
            "Consumers",
            "Workers that listen, by queue. The .XQ queues have none: people read them.",
            "short", {"{{queue}}": f"sum by (queue) (rabbitmq_detailed_queue_consumers{{{_OURS}}})"}, decimals=0,
        ),
        Panel(
            "Copies of dead letters",
            "Messages in the .XQ queues. Resolved ones are taken out within seconds, by the relay that keeps house.",
            "short", {"{{queue}}": 'sum by (queue) (rabbitmq_detailed_queue_messages{queue=~".+[.]XQ"})'},
        ),
        Panel(
            "Published and confirmed",
            "Messages a second that the relays published and RabbitMQ confirmed. The lines should lie on each other.",
            "reqps",
            {
                "published": f"sum(rate(rabbitmq_channel_messages_published_total[{R}]))",
                "confirmed": f"sum(rate(rabbitmq_channel_messages_confirmed_total[{R}]))",
            },
        ),
        Panel(
            "Delivered, acknowledged, delivered again",
            "Messages a second on their way to workers. Delivered again means a worker went away with a message.",
            "reqps",
            {
                "delivered": f"sum(rate(rabbitmq_channel_messages_delivered_ack_total[{R}]))",
                "acknowledged": f"sum(rate(rabbitmq_channel_messages_acked_total[{R}]))",
                "again": f"sum(rate(rabbitmq_channel_messages_redelivered_total[{R}]))",
            },
        ),
    ),
)  # fmt: skip

_NODE = Section(
    "The node",
    (
        Panel(
            "Memory used",
            "Memory against the limit at which RabbitMQ stops taking messages.",
            "percentunit",
            {"{{instance}}": "max by (instance) (rabbitmq_process_resident_memory_bytes / rabbitmq_resident_memory_limit_bytes)"},
            warn=0.7, bad=0.9,
        ),
        Panel(
            "Disk space left",
            "Free space, and the limit under which RabbitMQ stops taking messages.",
            "bytes",
            {
                "{{instance}} free": "max by (instance) (rabbitmq_disk_space_available_bytes)",
                "{{instance}} limit": "max by (instance) (rabbitmq_disk_space_available_limit_bytes)",
            },
        ),
        Panel(
            "Alarms",
            "1 while RabbitMQ blocks publishers because memory or disk is short. Requests are accepted all the same.",
            "short",
            {
                "memory": "max(rabbitmq_alarms_memory_used_watermark)",
                "disk": "max(rabbitmq_alarms_free_disk_space_watermark)",
                "files": "max(rabbitmq_alarms_file_descriptor_limit)",
            },
            decimals=0, bad=1,
        ),
        Panel(
            "Connections and channels",
            "Open ones. They should be steady: a worker has one, a relay two.",
            "short",
            {"connections": "sum(rabbitmq_connections)", "channels": "sum(rabbitmq_channels)"},
        ),
        Panel(
            "Connections opened",
            "New connections a second. Steady churn means a client that connects for every message.",
            "reqps", {"opened": f"sum(rate(rabbitmq_connections_opened_total[{R}]))"},
        ),
        Panel(
            "Messages nobody could take",
            "Messages RabbitMQ returned in five minutes because their queue was missing.",
            "short", {"returned": "sum(increase(rabbitmq_channel_messages_unroutable_returned_total[5m]))"}, bad=1,
        ),
    ),
)  # fmt: skip

RABBITMQ = (_QUEUES, _NODE)
