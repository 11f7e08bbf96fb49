"""TLS to every server, with certificates made here: believed, refused, and the refusal says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from middleware.rabbitmq.broker import open_broker, open_publisher
from ops.servers.mariadb import MariaDB
from ops.servers.mongodb import MongoWire
from ops.servers.process import free_port
from ops.servers.rabbitmq import RabbitMQ
from schema.documents import open_documents
from schema.errors import ReportqError
from schema.settings import Settings, SettingsError
from schema.sql.database import Database
from tests.certificates import Authority, Pair


@dataclass
class Trusted:
    """An authority that signed the servers' certificate for 127.0.0.1, and one that did not."""

    ours: Authority
    stranger: Authority
    server: Pair
    elsewhere: Pair  # for another name


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Trusted:
    folder = tmp_path_factory.mktemp("certificates")
    ours, stranger = Authority(folder, "ours"), Authority(folder, "stranger")
    return Trusted(ours, stranger, ours.issue("127.0.0.1"), ours.issue("elsewhere.example"))


Ask = Callable[[str], None]


def ask_database(url: str) -> None:
    database = Database(Settings.from_env({"REPORTQ_DATABASE_URL": url}).database_url, connect_timeout=3)
    try:
        database.ping()
    finally:
        database.close()


def ask_documents(url: str) -> None:
    documents = open_documents(Settings.from_env({"REPORTQ_DOCUMENTS_URL": url}).documents_url, Database("sqlite:///x"))
    try:
        documents.ping()
    finally:
        documents.close()


def ask_broker(url: str) -> None:
    settings = Settings.from_env({"REPORTQ_BROKER_URL": url, "REPORTQ_BROKER_TIMEOUT": "5"})
    publisher = open_publisher(settings, open_broker(settings, []))
    try:
        publisher.ping()
    finally:
        publisher.close()


def refusal(ask: Ask, url: str) -> str:
    with pytest.raises((ReportqError, SettingsError)) as refused:
        ask(url)
    return str(refused.value)


@pytest.fixture(scope="module")
def mariadb_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Pair | None], MariaDB]]:
    started: dict[Pair | None, MariaDB] = {}

    def start(pair: Pair | None) -> MariaDB:
        if pair not in started:
            options = {"ssl-cert": str(pair.cert), "ssl-key": str(pair.key)} if pair else {"skip-ssl": "1"}
            started[pair] = MariaDB(tmp_path_factory.mktemp("mariadb"), options).start()  # type: ignore[assignment]
        return started[pair]

    yield start
    for server in started.values():
        server.stop()


def test_mysql_is_encrypted_and_believed_as_its_url_says(
    mariadb_with: Callable[[Pair | None], MariaDB], trusted: Trusted
) -> None:
    right, wrong, plain = (mariadb_with(pair).url for pair in (trusted.server, trusted.elsewhere, None))
    ours, stranger = f"ssl-ca={trusted.ours.ca}", f"ssl_ca={trusted.stranger.ca}"
    database = Database(f"{right}?ssl-mode=VERIFY_IDENTITY&{ours}")
    assert database.fetch_one("SHOW STATUS LIKE 'Ssl_cipher'")["Value"]  # type: ignore[index]
    database.close()
    for url in (right, plain, f"{plain}?ssl-mode=DISABLED", f"{right}?{ours}", f"{wrong}?ssl-mode=REQUIRED"):
        ask_database(url)
    ask_database(f"{wrong}?ssl-mode=VERIFY_CA&{ours}")
    clear = Database(f"{right}?ssl-mode=DISABLED")
    assert clear.fetch_one("SHOW STATUS LIKE 'Ssl_cipher'")["Value"] == ""  # type: ignore[index]
    clear.close()
    for url, why in (
        (f"{right}?{stranger}", "certificate is not trusted"),
        (f"{right}?ssl-mode=VERIFY_IDENTITY", "certificate is not trusted"),
        (f"{right}?ssl-mode=VERIFY_CA&{stranger}", "certificate is not trusted"),
        (f"{wrong}?{ours}", "not valid for"),
        (f"{plain}?ssl-mode=REQUIRED", "does not speak TLS"),
        (f"{plain}?ssl-mode=VERIFY_IDENTITY&{ours}", "does not speak TLS"),
        (f"{plain}?ssl_ca=/does/not/exist", "a file for TLS that cannot be used"),
    ):
        assert why in refusal(ask_database, url), url


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory, trusted: Trusted) -> Iterator[tuple[RabbitMQ, int]]:
    port = free_port()
    options = {
        "listeners.ssl.local": f"127.0.0.1:{port}",
        "ssl_options.certfile": str(trusted.server.cert),
        "ssl_options.keyfile": str(trusted.server.key),
        "ssl_options.cacertfile": str(trusted.ours.ca),
        "ssl_options.verify": "verify_none",
    }
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), options) as server:
        yield server, port


def test_rabbitmq_is_encrypted_and_believed_as_its_url_says(rabbitmq: tuple[RabbitMQ, int], trusted: Trusted) -> None:
    server, port = rabbitmq
    url = server.at(port).replace("amqp:", "amqps:")
    ours = f"cacertfile={trusted.ours.ca}"
    for good in (
        f"{url}?{ours}",
        f"{url}?verify=verify_none",
        f"{url}?ssl_options={quote(str({'cafile': str(trusted.ours.ca)}))}",
        f"{server.amqp_url};{url}?{ours}",
    ):
        ask_broker(good)
    for bad, why in (
        (url, "certificate is not trusted"),
        (f"{url}?cacertfile={trusted.stranger.ca}", "certificate is not trusted"),
        (f"{url}?{ours}&server_name_indication=elsewhere.example", "not valid for"),
        (server.amqp_url.replace("amqp:", "amqps:") + f"?{ours}", "TLS with RabbitMQ failed"),
        (f"{url}?cacertfile=/does/not/exist", "a file for TLS that cannot be used"),
        (f"{server.amqp_url}?{ours}", "parameters for TLS"),
        (server.at(port), "does not speak AMQP"),
    ):
        assert why in refusal(ask_broker, bad), bad


def test_a_wrong_password_a_missing_host_and_a_foreign_queue_are_told_apart(rabbitmq: tuple[RabbitMQ, int]) -> None:
    server, _ = rabbitmq
    url = server.amqp_url
    assert "user name or password" in refusal(ask_broker, url.replace(server.password, "wrong-secret"))
    assert "virtual host" in refusal(ask_broker, url.replace("%2F", "nowhere"))
    assert "Nothing listens" in refusal(ask_broker, server.at(free_port()))
    assert "host name is not known" in refusal(ask_broker, url.replace("127.0.0.1", "no-such-host.invalid"))
    ask_broker(url)
    assert "pdf" not in server.queues()  # asking makes none
    server.api("PUT", "queues/%2F/pdf.XQ", {"durable": True, "arguments": {"x-max-length": 5}})
    said = refusal(ask_broker, url)
    assert "declared with other arguments" in said
    assert "pdf.XQ" in said


class Encrypted(MongoWire):
    """With a certificate."""

    def __init__(self, folder: Path, pair: Pair) -> None:
        super().__init__(folder)
        self._pair = pair

    def command(self) -> list[str]:
        encrypted = ["--tls-cert-file", str(self._pair.cert), "--tls-key-file", str(self._pair.key)]
        return [*super().command(), *(encrypted if self._known.exists() else [])]

    def answers(self) -> bool:
        from ops.servers.process import listening

        return listening(self.port) if self._known.exists() else super().answers()


def test_mongodb_is_encrypted_and_believed_as_its_url_says(tmp_path: Path, mongo: MongoWire, trusted: Trusted) -> None:
    ours = f"tls=true&tlsCAFile={trusted.ours.ca}"
    with (
        Encrypted(tmp_path / "right", trusted.server) as right,
        Encrypted(tmp_path / "wrong", trusted.elsewhere) as wrong,
    ):
        url = f"{right.url}?directConnection=true"
        ask_documents(f"{url}&{ours}")
        refused = {
            f"{url}&tls=true": "not trusted",
            f"{url}&tls=true&tlsCAFile={trusted.stranger.ca}": "not trusted",
            url: "MongoDB did not answer",
            f"{url}&tls=true&tlsCAFile=/does/not/exist": "tlsCAFile",
            f"{wrong.url}?directConnection=true&{ours}": "not valid for",
            f"{mongo.url}?directConnection=true&{ours}": "TLS with MongoDB failed",
            mongo.url.replace(mongo.password, "wrong-secret"): "password",
        }
        with ThreadPoolExecutor(len(refused)) as asking:  # Most are refused after the client's patience, not at once.
            said = dict(zip(refused, asking.map(lambda one: refusal(ask_documents, one), refused), strict=True))
    for one, words in refused.items():
        assert words in said[one]
