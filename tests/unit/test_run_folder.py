"""The run folder may be full or unusable: a process that needs it says which folder and what to do; others go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from actors.process import runtime
from actors.publish.wakeup import Listener, Waker
from ops.claims import Refused, claimed
from ops.servers.small_disk import SmallDisk
from schema.host import run_folder


@pytest.fixture
def unusable(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file" / "run")


def test_a_full_run_folder_is_named_at_the_start_and_left_as_it_was(small_disk: Callable[..., SmallDisk]) -> None:
    disk = small_disk(1 << 20)
    disk.fill(leave=50_000)
    with capture_logs() as logs:
        run_folder.look(str(disk.folder))
    assert [entry["detail"] for entry in logs] == [
        f"The run folder {disk.folder} cannot be written (No space left on device): free space there, or change "
        "REPORTQ_RUN_DIR."
    ]
    assert [file.name for file in disk.folder.iterdir()] == [".ballast"]
    disk.free()
    run_folder.prove(disk.folder)


def test_the_embedded_lock_that_cannot_be_made_is_one_sentence_with_the_folder(unusable: str) -> None:
    with pytest.raises(run_folder.RunFolderUnusable) as refused:
        runtime.alone(unusable)
    assert unusable in str(refused.value)
    assert str(refused.value).count(".") - unusable.count(".") == 1
    with pytest.raises(Refused, match="run"), claimed(Path(unusable) / "embedded.lock", "somebody has it"):
        pass


def test_a_relay_that_cannot_be_woken_looks_by_itself(unusable: str) -> None:
    with capture_logs() as logs:
        listener = Listener(unusable)
    assert [unusable in entry["detail"] for entry in logs] == [True]
    waker = Waker(unusable)
    waker()
    began = time.monotonic()
    assert not listener.wait(0.05)
    assert time.monotonic() - began >= 0.05
    waker.close()
    listener.close()
