"""Writes the dashboards: `python -m ops.grafana.build [FOLDER]`. A test compares the files with what this writes.

What they show stands in the YAML files beside this one. Rates are taken over `$__rate_interval`, Grafana's own choice of
at least four scrapes. Gauges of the rows are the same from every API: `max` over instances. Counters are summed over hosts.
"""

import json
import sys
from pathlib import Path

import msgspec
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from ops.grafana.panels import Board, board

HERE = Path(__file__).parent


def texts() -> dict[str, str]:
    """File name → its JSON."""
    made = {}
    for name in ("overview", "rabbitmq"):
        read = msgspec.yaml.decode((HERE / f"{name}.yaml").read_bytes(), type=Board)
        shown = board(f"reportq-{name}", read)
        made[f"reportq-{name}.json"] = json.dumps(shown, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
    return made


def main(folder: Path = HERE / "dashboards") -> None:
    """Write every dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text)
        print(folder / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
