"""Writes the dashboards: `python -m ops.grafana.build [FOLDER]`. A test compares the files with what this writes.

Rates are taken over `$__rate_interval`, Grafana's own choice of at least four scrapes. Gauges of the rows are the same
from every API: `max` over instances. Counters are summed over hosts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from ops.grafana.overview import OVERVIEW
from ops.grafana.panels import Section, board
from ops.grafana.rabbitmq import RABBITMQ

FOLDER = Path(__file__).parent / "dashboards"

BOARDS: Mapping[str, tuple[str, str, tuple[Section, ...]]] = {
    "reportq-overview": (
        "reportq: are reports in time?",
        "Promises first, then queues, failures, dead letters, callbacks, workers and what they depend on.",
        OVERVIEW,
    ),
    "reportq-rabbitmq": (
        "reportq: RabbitMQ's view",
        "The broker from its own side: messages, consumers, connections, memory and disk.",
        RABBITMQ,
    ),
}


def texts() -> dict[str, str]:
    """File name → its JSON."""
    return {
        f"{uid}.json": json.dumps(board(uid, *parts), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for uid, parts in BOARDS.items()
    }


def main(folder: Path = FOLDER) -> None:
    """Write every dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text)
        print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
