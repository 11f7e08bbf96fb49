"""A private MariaDB or MySQL server with the database `reportq`, durable as in production.

TEST_MYSQL_ROOT makes it MySQL: the root of another Debian (`ops.servers.other_debian`).
"""

import getpass
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template

import pymysql

from ops.servers.other_debian import inside
from ops.servers.packages import cache, made_once
from ops.servers.process import Server, ServerFailed, filled, listening, output_of, password, write_private

MYSQL_ROOT = os.environ.get("TEST_MYSQL_ROOT")
PROGRAM = "/usr/sbin/mariadbd"
DURABLE = {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "ON"}


class MariaDB(Server):
    """`url` is the application's; `admin_url` may do everything, from loopback only."""

    name = "mariadb"
    package = "" if MYSQL_ROOT else "mariadb-server"
    not_yet = (OSError, pymysql.err.MySQLError)

    def __init__(self, folder: Path | str, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are options of mariadbd beside, or instead of, ours (`{"max-connections": "20"}`)."""
        super().__init__(folder)
        self.settings = dict(settings or {})
        self.user, self.password = "reportq", self.kept("password", password)
        self.admin, self.admin_password = "admin", self.kept("admin_password", password)
        self.database = "reportq"
        self.rows = self.folder / "mysql"
        self.temporary = self.folder / "tmp"
        socket = self.folder / "mariadb.sock"
        if len(str(socket)) > 100:  # the kernel takes 107 characters
            digest = hashlib.sha256(str(socket).encode()).hexdigest()[:12]
            socket = Path(tempfile.gettempdir()) / f"reportq-{digest}.sock"
        self.socket = socket

    @property
    def url(self) -> str:
        return self.at(self.port)

    @property
    def admin_url(self) -> str:
        return f"mysql://{self.admin}:{self.admin_password}@127.0.0.1:{self.port}/{self.database}"

    def at(self, port: int) -> str:
        """The application's URL through another port (a proxy's)."""
        return f"mysql://{self.user}:{self.password}@127.0.0.1:{port}/{self.database}"

    def command(self) -> list[str]:
        shipped = filled(Path(__file__).with_suffix(".cnf"), {**vars(self), "account": getpass.getuser()})
        options = shipped | {name.replace("_", "-"): value for name, value in DURABLE.items()} | self.settings
        own = ["--secure-file-priv=NULL", "--mysqlx=OFF"] if MYSQL_ROOT else []
        return inside(
            MYSQL_ROOT,
            "/usr/sbin/mysqld" if MYSQL_ROOT else PROGRAM,
            "--no-defaults",
            "--skip-log-bin",
            "--skip-name-resolve",
            *own,
            *(f"--{key}={value}" for key, value in options.items()),
        )

    def prepare(self) -> None:
        self.temporary.mkdir(exist_ok=True)
        if not (self.rows / "mysql").exists():
            self._make_rows()
        # One statement a line: that is how the server reads this file, at each start.
        users = Template(Path(__file__).with_suffix(".sql").read_text()).substitute(vars(self))
        write_private(self.folder / "users.sql", users)

    def _make_rows(self) -> None:
        """Fill an empty data folder: MariaDB's with a copy, since its set-up takes longer than its start."""
        if MYSQL_ROOT:
            self._install(self.rows)
            return
        program = os.stat(PROGRAM)
        place = cache() / f"mariadb-{getpass.getuser()}-{program.st_size}-{program.st_mtime_ns}"
        made = made_once(place, self._install)
        output_of(["cp", "-a", "--sparse=always", f"{made}/.", str(self.rows)], "a copy of a new data folder")
        # Most of it are zeros, whose place MariaDB reserves without writing them: a full disk must not lack it later.
        for file in filter(Path.is_file, self.rows.rglob("*")):
            if size := file.stat().st_size:
                with file.open("r+b") as opened:
                    os.posix_fallocate(opened.fileno(), 0, size)

    def _install(self, rows: Path) -> None:
        """Fill an empty data folder by the server's own command."""
        user = getpass.getuser()
        # Two set-ups at one moment would take each other's tables out of /tmp.
        common = ["--no-defaults", f"--datadir={rows}", f"--tmpdir={self.temporary}", f"--user={user}"]
        if MYSQL_ROOT:
            own = ["--initialize-insecure", "--secure-file-priv=NULL"]
            command = inside(MYSQL_ROOT, "/usr/sbin/mysqld", *common, *own)
        else:
            owner = ["--auth-root-authentication-method=socket", f"--auth-root-socket-user={user}"]
            command = ["mariadb-install-db", *common, "--skip-test-db", *owner]
        output_of(command, "a new data folder")

    def answers(self) -> bool:
        return listening(self.port) and bool(self.query("SELECT 1"))

    def settle(self) -> None:
        """Refuse to be less durable than production: tests that kill us would prove nothing."""
        for name, wanted in DURABLE.items():
            ((found,),) = self.query(f"SELECT @@GLOBAL.{name}")
            chosen = name in {key.replace("-", "_") for key in self.settings}
            if not chosen and switch(found) != switch(wanted):
                raise ServerFailed(f"{name} is {found}, not {wanted}")

    def query(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement as administrator and return its rows."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user=self.admin, password=self.admin_password, database=self.database,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())


def switch(value: object) -> str:
    """A variable's value, however the server spells a switch: MariaDB 10.11 answers 1, newer ones and MySQL say ON."""
    said = str(value).upper()
    return {"ON": "1", "TRUE": "1", "OFF": "0", "FALSE": "0"}.get(said, said)
