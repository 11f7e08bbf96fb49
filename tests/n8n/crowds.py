"""Crowds of executions, and outages while they wait: as many and as long as a test says. `tests/soak` says more."""

from __future__ import annotations

import time

from ops.servers.process import wait_until
from ops.servers.tcp_proxy import TcpProxy
from tests.n8n import node_flows, workflows
from tests.n8n.conftest import PATIENCE, System
from tests.n8n.server import Execution, N8n
from tests.n8n.test_workflows import Runs, downloaded, ordered


def files(n8n: N8n, execution: Execution, node: str = "Good") -> list[bytes]:
    return [n8n.binary(binary["report"]) for binary in execution.binaries(node)]


def callbacks_come_too_early(n8n: N8n, system: System, code: str, count: int) -> None:
    """Each comes before its Wait node, is answered 409, and is delivered once all the same."""
    mine = Runs(n8n, "testDawdlingWait1")
    for _ in range(count):
        n8n.order("test-dawdling", ordered(code))
    found = mine.ended(count, timeout=240)
    jobs = [run.items("Submit")[0]["job_id"] for run in found]
    assert len(set(jobs)) == count
    for job_id, run in zip(jobs, found, strict=True):
        job = system.wait_told(job_id)
        assert (job["status"], job["webhook"]["state"]) == ("completed", "delivered")
        answers = system.answers(job_id)
        assert answers[0] == ("running", 409)  # it did come too early
        assert [status for _, status in answers].count(200) == 1
        assert downloaded(n8n, run) == [system.pdf(job_id)]


def n8n_is_away(n8n: N8n, system: System, code: str, count: int, seconds: float) -> None:
    """It is stopped while executions wait, and started after so many seconds."""
    mine = Runs(n8n, workflows.AWAIT)
    with system.held():
        for _ in range(count):
            n8n.order("reportq-a", ordered(code))
        wait_until(lambda: n8n.statuses(workflows.AWAIT).count("waiting") == count, 240, f"{count} executions wait")
        n8n.stop()
        stopped = time.monotonic()
    jobs = system.wait_all(code, "completed")
    assert len(jobs) == count

    def tried() -> list[str]:
        """Jobs whose callback met nobody; the others wait for the probe of their host, which is paused."""
        return [job_id for job_id in jobs if None in [status for _, status in system.answers(job_id)]]

    wait_until(lambda: bool(tried()), PATIENCE, "a callback was tried while n8n was away")
    wait_until(lambda: time.monotonic() - stopped >= seconds, seconds + 10, f"n8n has been away for {seconds:g} s")
    n8n.start()

    found = mine.ended(count, timeout=300)
    for run in found:
        job_id = run.items("Submit")[0]["job_id"]
        assert system.wait_told(job_id)["webhook"]["state"] == "delivered"
        assert [status for _, status in system.answers(job_id)].count(200) == 1  # resumed once
        assert len(run.runs["Wait for the callback"]) == 1
        assert downloaded(n8n, run) == [system.pdf(job_id)]
    assert sorted(run.items("Submit")[0]["job_id"] for run in found) == sorted(jobs)


def n8n_is_killed(n8n: N8n, system: System, code: str, count: int) -> None:
    """While executions of the node wait, with an item each that fails."""
    before = len(n8n.statuses("nodeLink"))
    with system.held():
        for _ in range(count):
            n8n.order("nodeLink", {"items": [ordered(code), ordered("n8n-nowhere-kill")]})
        wait_until(lambda: n8n.statuses("nodeLink").count("waiting") == count, 240, f"{count} executions wait")
        n8n.kill()
    system.wait_all(code, "completed")
    n8n.drop_event_log()
    n8n.start()
    found = n8n.wait_for("nodeLink", before + count, 300)[before:]
    assert {one.status for one in found} == {"success"}
    assert sorted(one.items("Good")[0]["job_id"] for one in found) == sorted(system.jobs(code))
    assert [len(one.items("Bad")) for one in found] == [1] * count


def the_api_is_away(n8n: N8n, system: System, way: TcpProxy, code: str, tries: int) -> None:
    """The node asks so many times in vain (four take 7 s, eight a minute), and orders once."""
    before, asked = len(n8n.statuses("nodeAway")), way.accepted
    way.refuse()
    n8n.order("nodeAway", {"items": [ordered(code), ordered(code)]})
    wait_until(lambda: way.accepted - asked >= tries, PATIENCE, f"n8n has asked {tries} times")
    assert n8n.statuses("nodeAway")[before:] == ["running"]
    way.heal()
    found = n8n.wait_for("nodeAway", before + 1, PATIENCE)[-1]
    assert [item["job_id"] for item in found.items("Good")] == system.jobs(code)
    assert len(system.jobs(code)) == 2


def items_of_which_five_are_bad(n8n: N8n, system: System, code: str, count: int) -> None:
    """One execution of the node with so many items."""
    before = len(n8n.statuses(node_flows.MANY))
    items = [ordered("n8n-nowhere-many" if n % (count // 5) == 7 else code) for n in range(count)]
    n8n.order("reportq-node-e", {"items": items})
    found = n8n.wait_for(node_flows.MANY, before + 1, 600)[-1]
    good, bad = found.items("Here they are"), found.items("Say what went wrong")
    assert (len(good), len(bad)) == (count - 5, 5)
    assert [item["job_id"] for item in good] == system.jobs(code)
    assert files(n8n, found, "Here they are") == [system.pdf(item["job_id"]) for item in good]
