"""Full disks: the run folder's, MariaDB's, and the one where the embedded default keeps its PDFs."""

import time

import pymysql
import requests

from ops.chaos.embedded import BURST
from ops.chaos.schedule import Fault
from ops.chaos.strikes import Strikes
from ops.servers.process import wait_until

ROOM = (0, 4_096, 20_000, 60_000)  # Bytes that are left beside the PDFs; none of these is enough for a PDF.
OUTAGE = 30.0  # Within so many seconds the failures count as an outage.
PATIENCE = 20.0  # Callers get so many seconds to meet a database without room.
ROWS = 500  # Rows of 1 kB; so many do not fit into the free pages of a table.
FULL = (1114, 1021, 3)  # The numbers for a full table, a full disk and a failed write.


def full(strikes: Strikes, fault: Fault, what: str) -> int:
    """Fill a disk, let that last, and free it."""
    return {"run": _run, "mariadb": _mariadb, "pdfs": _pdfs}[what](strikes, fault)


def _run(strikes: Strikes, fault: Fault) -> int:
    disk = strikes.system.run_disk
    try:
        disk.fill()
        strikes.stop.wait(fault.seconds)
        return int(disk.left() == 0)
    finally:
        disk.free()


def _mariadb(strikes: Strikes, fault: Fault) -> int:
    """Its data alone, and not for a server that is just being struck otherwise: it could not even start."""
    server, disk = strikes.stack.mariadb, strikes.system.rows_disk
    with strikes.alone["mariadb"]:
        strikes.system.ensure(server)
        server.query("CREATE DATABASE IF NOT EXISTS chaos")
        server.query("CREATE TABLE IF NOT EXISTS chaos.filler (bytes LONGBLOB) ENGINE=InnoDB")
        server.query("TRUNCATE TABLE chaos.filler")
        try:
            disk.fill()
            met = _refuses(strikes) and _met(strikes)
            strikes.stop.wait(fault.seconds)
        finally:
            disk.free()
        strikes.system.ensure(server)
        return met


def _refuses(strikes: Strikes) -> int:
    """Whether the server says itself that there is no room, or has died of it.

    Rows of some pages, since rolling back a large one on a full disk is what MariaDB 10.11 dies of; ours are small, too.
    """
    server = strikes.stack.mariadb
    try:
        for _ in range(ROWS):
            server.query("INSERT INTO chaos.filler VALUES (REPEAT('x', 1000))")
    except pymysql.err.MySQLError as error:
        return int(error.args[0] in FULL or not server.running)
    return 0


def _met(strikes: Strikes) -> int:
    """Whether the system has met it as well: its own tables have some free pages left, so callers fill them first."""
    asked = {"code": "K0", "productId": "noop"}
    full = [{**asked, "data": {"text": "x" * 6_000}}, {**asked, "meta": {"text": "x" * 3_000}}]
    until = time.monotonic() + PATIENCE
    refused = 0
    while refused < len(full) and time.monotonic() < until and not strikes.stop.is_set():
        try:
            answer = strikes.stack.call("POST", "/api/reports/generate-async", json=full[refused], timeout=10)
            refused += answer.status_code != 202
        except requests.RequestException:
            strikes.stop.wait(0.2)
    return int(refused > 0)


def _pdfs(strikes: Strikes, fault: Fault) -> int:
    """Room for a word and not for a PDF: jobs must wait for it, and lose no try."""
    embedded = strikes.system.embedded
    try:
        embedded.disk.fill(leave=ROOM[fault.luck % len(ROOM)])
        embedded.submit(BURST)
        wait_until(lambda: strikes.stop.is_set() or embedded.paused(), OUTAGE, "an outage of the PDF folder")
        strikes.stop.wait(fault.seconds)
        return int(embedded.paused())
    finally:
        embedded.disk.free()
