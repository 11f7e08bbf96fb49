"""The four URLs: every part is honoured or refused at start, and no sentence shows a part of a password."""

from __future__ import annotations

import traceback
from pathlib import Path
from urllib.parse import quote

import pytest

from actors.artifacts import open_artifacts
from middleware.rabbitmq.publisher import parameters_of
from schema.callbacks.redaction import hide
from schema.environment.server_urls import mysql, origin, rabbitmq, sqlite_path, without_password
from schema.settings import Settings, SettingsError
from schema.sql.database import Database
from tests.certificates import Authority

SECRETS = ("hunter2", "p@ss/wo:rd?#", "100%ab", "ünïcödé €", ";,&=+ $", "[::1]", "\\'\"`")


def read(name: str, url: str) -> Settings:
    more = {"REPORTQ_GDRIVE_CREDENTIALS": "x"} if url.startswith("gdrive:") else {}
    return Settings.from_env({f"REPORTQ_{name}_URL": url, **more})


@pytest.mark.parametrize("secret", SECRETS)
def test_a_password_of_any_characters_arrives_as_it_is(secret: str) -> None:
    word = quote(secret, safe="")
    read("DATABASE", f"mysql://{word}:{word}@db.example/{word}")
    server = mysql(f"mysql://{word}:{word}@db.example:3307/{word}")
    assert (server.user, server.password, server.name, server.host, server.port) == (secret,) * 3 + ("db.example", 3307)
    database = Database(f"mysql://u:{word}@db.example/reportq")
    assert database.peewee.connect_params["password"] == secret.encode()
    read("BROKER", f"amqp://u:{word}@a/%2F;amqp://u:{word}@b/{word}")
    first, second = parameters_of(f"amqp://u:{word}@a/%2F;amqp://{word}:{word}@[::1]:5673/{word}", timeout=1)
    assert (first.credentials.password, first.virtual_host) == (secret, "/")
    assert (second.credentials.username, second.virtual_host, second.host, second.port) == (secret, secret, "::1", 5673)
    read("DOCUMENTS", f"mongodb://u:{word}@m1:1,[::1]:2/workflow")
    for shown in (repr(mysql(f"mysql://u:{word}@h/db")), repr(rabbitmq(f"amqp://u:{word}@a/x")[0])):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE", "mysql://u:SECRET@h/db?ssl-mdoe=REQUIRED"),
        ("DATABASE", "mysql://u:SECRET@h/db?ssl_verify_cert=1"),
        ("DATABASE", "mysql://u:SECRET@h/db?ssl-mode=VERIFY"),
        ("DATABASE", "mysql://u:SECRET@h/db?ssl-mode=PREFERRED&ssl-ca=/x"),
        ("DATABASE", "mysql://u:SECRET@h/db?ssl-mode=DISABLED&ssl-cert=/x"),
        ("DATABASE", "mysql://u:SECRET@h/db?ssl_ca=/does/not/exist"),
        ("DATABASE", "mysql://u:SECRET@h/db?charset=latin1"),
        ("DATABASE", "mysql://u:SECRET@h/db?connect_timeout=5"),
        ("DATABASE", "mysql://u:SECRET@h/db?ssl-ca=/x&ssl-ca=/y"),
        ("DATABASE", "mysql://u:SECRET@h/db#SECRET"),
        ("DATABASE", "mysql://u:SECRET@h/db/more"),
        ("DATABASE", "mysql://u:SECRET@h1,h2/db"),
        ("DATABASE", "mysql://u:SECRET@::1/db"),
        ("DATABASE", "mysql://u:SECRET@[::g]/db"),
        ("DATABASE", "mysql://u:SECRET@h:0/db"),
        ("DATABASE", "mysql://u:SECRET@h:70000/db"),
        ("DATABASE", "mysql:u:SECRET@h/db"),
        ("DATABASE", "mysql://u:SEC/RET@h/db"),
        ("DATABASE", "mysql://u:1/SECRET@h/db"),
        ("DATABASE", "mysql://u:1?SECRET@h/db"),
        ("DATABASE", "mysql://u:1#SECRET@h/db"),
        ("DATABASE", "mysql://u:SECRET %E9@h/db"),
        ("DATABASE", "mysql://u:SECRET%E9@h/db"),
        ("DATABASE", "mysql://u:SECRET\n@h/db"),
        ("DATABASE", "sqlite:var/reportq.db"),
        ("DATABASE", "sqlite:///"),
        ("DATABASE", "sqlite:///:memory:"),
        ("DATABASE", "sqlite:///var/reportq.db?mode=ro"),
        ("DATABASE", "sqlite://host/var/reportq.db"),
        ("DOCUMENTS", "database:other"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?tlsCaFiel=/x"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?tls=true&tlsCAFile=/does/not/exist"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?tls=maybe"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?tls=false&tlsCAFile=/etc/hostname"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?w=1"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?journal=false"),
        ("DOCUMENTS", "mongodb://u:SECRET@h/workflow?socketTimeoutMS=1"),
        ("DOCUMENTS", "mongodb://u:SECRET@h:port/workflow"),
        ("DOCUMENTS", "mongodb://u:SEC/RET@h/workflow"),
        ("DOCUMENTS", "mongodb+srv://u:SECRET@h.example/workflow?w=0"),
        ("BROKER", "memory:x"),
        ("BROKER", "amqp://u:SECRET@h/a/b"),
        ("BROKER", "amqp://u:SECRET@h/%2F?heartbeat=5"),
        ("BROKER", "amqp://u:SECRET@h/%2F?cacertfile=/x"),
        ("BROKER", "amqps://u:SECRET@h/%2F?cacertfile=/does/not/exist"),
        ("BROKER", "amqps://u:SECRET@h/%2F?verify=sometimes"),
        ("BROKER", "amqps://u:SECRET@h/%2F?ssl_options={'ciphers':'SECRET'}"),
        ("BROKER", "amqps://u:SECRET@h/%2F?ssl_options=SECRET("),
        ("BROKER", "amqp://u:SECRET@h/%2F;redis://u:SECRET@h"),
        ("BROKER", "amqp://u:SEC;RET@h/%2F"),
        ("BROKER", "amqp://u:1;SECRET@h/%2F"),
        ("ARTIFACTS", "file:var/artifacts?mode=0700"),
        ("ARTIFACTS", "file:var/pdf#1"),
        ("ARTIFACTS", "file://host/srv/pdf"),
        ("ARTIFACTS", "file:"),
        ("ARTIFACTS", "gdrive://id/more"),
        ("ARTIFACTS", "gdrive://u:SECRET@id"),
        ("ARTIFACTS", "gdrive://id?supportsAllDrives=true"),
    ],
)
def test_what_a_url_cannot_mean_is_refused_at_start_without_a_part_of_its_password(name: str, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(name, url)
    said = str(refused.value) + "".join(traceback.format_exception(refused.value))
    assert said.startswith(f"REPORTQ_{name}_URL: read ")
    for part in ("SECRET", "SEC", "RET"):
        assert part not in said.replace("/etc", "")
        assert part not in without_password(url).replace("db#SECRET", "SECRET")


def test_what_a_url_may_mean_is_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca+with space")
    pair = authority.issue("h")
    ca, cert, key = (quote(str(path)) for path in (authority.ca, pair.cert, pair.key))
    for url in (
        "mysql://u@h", "mysql://h/db", "mysql:///db", f"mysql://u:p@[fe80::1%25eth0]:3306/db?ssl-ca={ca}",
        f"mysql://u:p@h/db?ssl_mode=verify_ca&ssl_ca={ca}&ssl_cert={cert}&ssl_key={key}&charset=utf8mb4",
        "mysql://u:p@h/db?ssl-mode=required", "sqlite:////srv/my%20rows.db",
    ):  # fmt: skip
        read("DATABASE", url)
    for url in (
        "mongodb://h/workflow?retryWrites=true&w=majority&appName=mine&journal=true", "mongodb+srv://u:p@c.example/x?tls=true",
        f"mongodb://u:p@a,b:27018,[::1]/workflow?replicaSet=rs0&tls=true&tlsCAFile={ca}&authSource=admin",
    ):  # fmt: skip
        read("DOCUMENTS", url)
    for url in (
        "amqp://h", "amqp://u@h/", f"amqps://u:p@h;amqps://u:p@[::1]:5671/x?cacertfile={ca}&certfile={cert}&keyfile={key}",
        "amqps://h/%2F?server_name_indication=mq.example",
    ):  # fmt: skip
        read("BROKER", url)
    for url in ("file:var/artifacts", "file:///srv/pdf%231", "gdrive://1AbC-_x", "gdrive://1AbC/"):
        read("ARTIFACTS", url)
    assert sqlite_path("sqlite:////srv/my%20rows.db") == "/srv/my rows.db"
    assert str(open_artifacts(Settings(artifacts_url="file:///srv/pdf%231")).folder) == "/srv/pdf#1"  # type: ignore[attr-defined]
    (last,) = [node for node in rabbitmq("amqps://h/%2F?server_name_indication=mq.example") if node.tls]
    assert last.tls
    assert last.tls.name == "mq.example"


def test_urls_are_shown_without_what_is_secret() -> None:
    assert without_password("mysql://us%40er:p%40ss@[::1]:1/db?ssl-ca=/x") == "mysql://us%40er:…@[::1]:1/db?ssl-ca=/x"
    shown = without_password(
        "mongodb://u:p@a,b/w?tls=true&tlsCertificateKeyFilePassword=sesame;authMechanismProperties=x:y"
    )
    assert shown == "mongodb://u:…@a,b/w?tls=true&tlsCertificateKeyFilePassword=…&authMechanismProperties=…"
    assert without_password("amqps://u:p@a/x;amqps://u:q@b/x") == "amqps://u:…@a/x;amqps://u:…@b/x"
    assert without_password("database:") == "database:"
    for secret in SECRETS:
        word = quote(secret, safe="")
        for url in (f"mysql://u:{word}@h/db", f"amqp://u:{word}@h/%2F", f"mongodb://u:{word}@h/db"):
            for text in (without_password(url), hide(f"cannot reach {url}, sorry")):
                assert word not in text


def test_an_ipv6_address_stands_in_brackets_in_links() -> None:
    assert origin("::1", 8000) == "http://[::1]:8000"
    assert Settings(host="::1").links_base == "http://[::1]:8000"
    assert Settings(host="127.0.0.1").links_base == "http://127.0.0.1:8000"
