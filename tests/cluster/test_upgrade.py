"""From one RabbitMQ to another: a new, empty one in the old one's place (ops/CLUSTER.md), while jobs come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ops.servers.epmd import ROOT
from ops.servers.process import wait_until
from ops.servers.rabbitmq import RabbitMQ, version
from ops.stack import Stack

pytestmark = pytest.mark.timeout(600)
SETTINGS = {"REPORTQ_LOST_HINT_AFTER": "5", "REPORTQ_BROKER_TIMEOUT": "4"}


class Old(RabbitMQ):
    """This machine's own version; the new one is that of TEST_RABBITMQ_ROOT, where it is set."""

    root = None


def test_a_new_rabbitmq_in_the_old_ones_place_loses_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path, drive=False, settings=SETTINGS, modules={"actors.worker": "ops.stack_worker"})
    old = stack.rabbitmq = Old(tmp_path / "rabbitmq")
    with stack:
        jobs = [stack.submit(code="U", productId="slow", data={"seconds": 0.1}) for _ in range(40)]
        wait_until(lambda: stack.rabbitmq.waiting("pdf") > 0, 60, "messages wait in the old one")
        before = old.api("GET", "overview")["rabbitmq_version"]
        old.stop()
        (tmp_path / "new").mkdir()
        shutil.copy(old.folder / "rabbitmq.json", tmp_path / "new")  # its ports and passwords, nothing else
        stack.rabbitmq = RabbitMQ(tmp_path / "new").start()
        jobs += [stack.submit(code="U", productId="slow", data={"seconds": 0.1}) for _ in range(5)]
        for job in jobs:
            assert stack.wait_ended(job, timeout=180)["status"] == "completed"
        twice = stack.sql("SELECT job_id FROM attempts WHERE outcome='completed' GROUP BY job_id HAVING COUNT(*) > 1")
        assert twice == []
        after = stack.rabbitmq.api("GET", "overview")["rabbitmq_version"]
        assert (before, after) == (version(Path("/")), version(Path(ROOT or "/")))
