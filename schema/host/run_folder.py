"""The run folder. Where a process can work without it, it does; where it cannot, it says so in one sentence."""

import os
import tempfile
from pathlib import Path

import structlog

from schema.settings import SettingsError

log = structlog.get_logger()

NEEDED = 256 * 1024  # bytes that one process's counters may take


class RunFolderUnusable(SettingsError):
    """A process cannot start without a file in the run folder, and cannot write there."""

    def __init__(self, run_dir: str | os.PathLike[str], error: OSError) -> None:
        ValueError.__init__(self, sentence(run_dir, error))


def sentence(run_dir: str | os.PathLike[str], error: OSError) -> str:
    """Which folder, what is wrong with it, and what to do."""
    reason = error.strerror or type(error).__name__
    folder = Path(run_dir).absolute()
    return f"The run folder {folder} cannot be written ({reason}): free space there, or change REPORTQ_RUN_DIR."


def prove(run_dir: str | os.PathLike[str]) -> None:
    """Write what a process may need there, and remove it; OSError when the folder does not take it."""
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=run_dir, buffering=0) as probe:
        os.posix_fallocate(probe.fileno(), 0, NEEDED)
        probe.write(b"reportq")


def look(run_dir: str) -> None:
    """Say at the start of a process that the folder cannot be written; the process goes on."""
    try:
        prove(run_dir)
    except OSError as error:
        log.warning("run_folder.not_writable", folder=run_dir, detail=sentence(run_dir, error))
