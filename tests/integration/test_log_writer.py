"""Log lines through a real pipe: whole, in order, none lost by an end in order, and no hung reader stops the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

BEGIN = """
import multiprocessing, os, sys, threading, time
import structlog
from actors.process.logs import set_up
from schema.settings import Settings
set_up(Settings.from_env({"REPORTQ_LOG_FORMAT": "json"}))
log = structlog.get_logger()
"""


def start(program: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BEGIN + program], stderr=subprocess.PIPE, **options)


def events(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_arrives_whole_and_in_order_from_threads_and_forks() -> None:
    """Two processes write into one pipe, as gunicorn's workers do into supervisor's."""
    program = """
def say(who):
    for number in range(500):
        log.info("said", who=who, number=number, filling="å" * (number % 300))
def family(name):
    threads = [threading.Thread(target=say, args=(f"{name}{n}",)) for n in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
log.info("before")
child = multiprocessing.get_context("fork").Process(target=family, args=("child",))
child.start()
family("parent")
child.join()
pid = os.fork()
if not pid:
    say("grandchild")
    sys.exit()
os.waitpid(pid, 0)
"""
    _, text = start(program).communicate(timeout=60)
    found = events(text)
    assert [event["event"] for event in found].count("before") == 1
    said: dict[str, list[int]] = {}
    for event in found:
        if event["event"] == "said":
            said.setdefault(event["who"], []).append(event["number"])
    assert sorted(said) == ["child0", "child1", "child2", "grandchild", "parent0", "parent1", "parent2"]
    assert all(numbers == list(range(500)) for numbers in said.values())


_COUNTED = """
from actors.process import log_writer
writes, put = [], log_writer._write
log_writer._write = lambda piece: (writes.append(len(piece)), put(piece))
"""


def test_lines_share_a_write() -> None:
    """Each write wakes the reader; a burst takes few writes."""
    reader, writer = os.pipe()
    program = 'for n in range(200):\n    log.info("said", number=n)'
    traced = [sys.executable, "-c", BEGIN + _COUNTED + program + "\nprint(len(writes))"]
    done = subprocess.run(traced, stderr=writer, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert len(events(pipe.read())) == 200
    assert int(done.stdout) < 40


@pytest.mark.parametrize("how", ["warning", "error", "critical", "exception"])
def test_what_is_urgent_is_written_before_the_next_line_of_code(how: str) -> None:
    """Earlier lines too; the process ends right after, without a word."""
    _, text = start(f'log.info("first")\nlog.{how}("second")\nos._exit(1)').communicate(timeout=60)
    assert [event["event"] for event in events(text)] == ["first", "second"]


def test_a_reader_that_hangs_stops_no_work_and_is_told_what_it_missed() -> None:
    lines = 60_000
    program = f"""
for number in range({lines}):
    log.info("said", number=number)
print("worked", flush=True)
time.sleep(600)
"""
    process = start(program, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"worked\n"
        said = lost = 0
        while said + lost < lines:
            event = json.loads(process.stderr.readline())
            said += event["event"] == "said"
            lost += event.get("lines", 0)
        assert said + lost == lines
        assert lost > 0
    finally:
        process.kill()
        process.communicate()


def test_a_hung_reader_does_not_keep_a_process_from_its_end() -> None:
    process = start('for n in range(3000):\n    log.info("said", filling="x" * 100)\nlog.warning("last")')
    try:
        began = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - began < 30
    finally:
        process.kill()
        process.communicate()


def test_a_reader_that_is_gone_is_no_error() -> None:
    """The process that read the program's output was killed: each write fails from then on."""
    process = start('time.sleep(0.5)\nlog.warning("x" * 9000)\nlog.info("nobody.hears")\nprint("worked")', stdout=-1)
    assert process.stderr is not None
    process.stderr.close()
    assert process.stdout is not None
    assert process.stdout.read() == b"worked\n"
    assert process.wait(30) == 0
    process.stdout.close()
