"""The embedded default with folders of a test's own."""

from __future__ import annotations

from pathlib import Path


def own(folder: Path, port: int, **settings: str) -> dict[str, str]:
    """The environment of an API that keeps everything below `folder`, with further settings."""
    return {
        "REPORTQ_DATABASE_URL": f"sqlite:///{folder}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{folder}/artifacts",
        "REPORTQ_RUN_DIR": str(folder / "run"),
        "REPORTQ_PORT": str(port),
        **settings,
    }
