"""The URLs of database, documents, broker and artifacts: every part of one is honoured, or refused with a sentence.

User, password, database, virtual host and path are percent-encoded; an IPv6 address stands in brackets. No sentence
quotes what may be a part of a password: a URL that is written wrongly may have one anywhere.
"""

import ast
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from schema.environment.url_parts import UrlFault, address_of, decoded, only, pairs, path_of, pieces

_SECRET = re.compile(r"(?i)pass|pwd|secret|token|propert|ssl_options")
_MYSQL = ("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "charset")
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_RABBITMQ = ("cacertfile", "certfile", "keyfile", "verify", "server_name_indication", "ssl_options")
_PIKA = {"cafile": "ca", "ca_certs": "ca", "certfile": "cert", "keyfile": "key", "server_hostname": "name"}


@dataclass(frozen=True, slots=True)
class Tls:
    """How a connection is encrypted, and which certificates it trusts.

    Files are paths of PEM; without `ca` the system's authorities are trusted.
    """

    ca: str | None = None
    cert: str | None = None  # of the client, where the server wants one; may hold its key, too
    key: str | None = None
    trusted: bool = True  # The certificate must come from a trusted authority.
    named: bool = True  # It must be the host's own.
    name: str | None = None  # The name in the certificate, where that is not the host's.

    def context(self) -> ssl.SSLContext:
        """The driver's context; OSError (ssl.SSLError is one) for files that cannot be used."""
        context = ssl.create_default_context(cafile=self.ca)
        # Python 3.13 is stricter than the certificates that MySQL makes for itself.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = self.trusted and self.named
        context.verify_mode = ssl.CERT_REQUIRED if self.trusted else ssl.CERT_NONE
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key, password="")  # no server asks a terminal for a password
        return context


@dataclass(frozen=True, slots=True)
class Server:
    """One server and who we are there. `port` 0: the protocol's own."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str = field(repr=False)
    path: str  # still percent-encoded, without its first slash
    query: Mapping[str, str] = field(repr=False)
    tls: Tls | Literal[False] | None = None  # None: as the driver does by itself; False: never

    @property
    def name(self) -> str:
        """The database or virtual host; empty: the default one."""
        return decoded(self.path)


def check(setting: str, url: str) -> None:
    """Raise UrlFault unless every part of the setting's URL can be honoured; connects to nothing."""
    _CHECKS[setting](url)


def mysql(url: str) -> Server:
    """`mysql://user:password@host:port/database?ssl-mode=…&ssl-ca=…`; raises UrlFault."""
    server = _server(url)
    if "/" in server.path:
        raise UrlFault("a / in the database's name", "one name, with / written %2F")
    said = {name.lower().replace("_", "-"): value for name, value in server.query.items()}
    only(said, _MYSQL)
    if said.get("charset", "utf8mb4").lower() != "utf8mb4":
        raise UrlFault("another charset", "utf8mb4")
    files = {short: said[f"ssl-{short}"] for short in ("ca", "cert", "key") if f"ssl-{short}" in said}
    mode = said.get("ssl-mode", "VERIFY_IDENTITY" if files else "PREFERRED").upper()
    if mode not in _MODES:
        raise UrlFault("another ssl-mode", ", ".join(_MODES))
    if mode in ("DISABLED", "PREFERRED", "REQUIRED") and "ca" in files:
        raise UrlFault(f"ssl-mode {mode}, which believes everybody, beside an ssl-ca", "VERIFY_CA or VERIFY_IDENTITY")
    if mode in ("DISABLED", "PREFERRED"):
        if files:
            raise UrlFault(f"ssl-mode {mode} beside files for TLS", "REQUIRED, VERIFY_CA or VERIFY_IDENTITY")
        return replace(server, tls=False if mode == "DISABLED" else None)
    return _encrypted(server, Tls(**files, trusted=mode != "REQUIRED", named=mode == "VERIFY_IDENTITY"))


def rabbitmq(url: str) -> list[Server]:
    """`amqp://user:password@host:port/vhost` or `amqps://…?cacertfile=…`, several separated by `;`; raises UrlFault."""
    return [_node(one.strip()) for one in url.split(";") if one.strip()]


def _node(url: str) -> Server:
    if not url.startswith(("amqp://", "amqps://")):
        raise UrlFault("a node that begins with something else", "amqp://… or amqps://…; a ; in a password is %3B")
    server = _server(url)
    if "/" in server.path:
        raise UrlFault("a / in the virtual host", "one name, with / written %2F")
    only(server.query, _RABBITMQ)
    if server.scheme == "amqp":
        if server.query:
            raise UrlFault("parameters for TLS", "them with amqps://…")
        return server
    pem = {"cacertfile": "ca", "certfile": "cert", "keyfile": "key", "server_name_indication": "name"}
    said = {pem[name]: value for name, value in server.query.items() if name in pem}
    said |= _pika_options(server.query.get("ssl_options", "{}"))
    verify = server.query.get("verify", "verify_peer")
    if verify not in ("verify_peer", "verify_none"):
        raise UrlFault("another verify", "verify_peer or verify_none")
    if verify == "verify_none" and "ca" in said:
        raise UrlFault("verify_none beside a file of authorities", "one of them")
    trusted = verify == "verify_peer"
    return _encrypted(server, Tls(**said, trusted=trusted, named=trusted))


def _pika_options(text: str) -> dict[str, str]:
    """pika's own way to say it: a Python dict."""
    try:
        options = ast.literal_eval(text)
        return {_PIKA[name]: str(value) for name, value in options.items()}
    except (ValueError, SyntaxError, KeyError, AttributeError, TypeError, MemoryError, RecursionError):
        raise UrlFault("ssl_options that cannot be used", f"a Python dict of {', '.join(_PIKA)}") from None


def sqlite_path(url: str) -> str:
    """The file of `sqlite:///relative/file.db` or `sqlite:////absolute/file.db`; raises UrlFault."""
    prefix, rest = url[: len("sqlite:///")], url[len("sqlite:///") :]
    path = path_of(rest)
    if prefix != "sqlite:///" or not path or path.endswith("/") or path.startswith(":memory:"):
        raise UrlFault("no path of a file", "sqlite:///relative/file.db or sqlite:////absolute/file.db")
    return path


def folder_path(url: str) -> str:
    """The folder of `file:relative/path` or `file:///absolute/path`; raises UrlFault."""
    rest = url.removeprefix("file:")
    if rest.startswith("//") and not rest.startswith("///"):
        raise UrlFault("a host", "file:relative/path or file:///absolute/path")
    path = path_of(rest.removeprefix("//"))
    if not path:
        raise UrlFault("no folder", "file:relative/path or file:///absolute/path")
    return path


def drive_folder(url: str) -> str:
    """The id of `gdrive://<folder id>`; raises UrlFault."""
    found = re.fullmatch(r"gdrive://([A-Za-z0-9_-]+)/?", url)
    if found is None:
        raise UrlFault("something beside the id of a folder", "gdrive://<folder id>")
    return found[1]


def without_password(url: str) -> str:
    """The URL without what may be secret, for logs and messages; of one that is written wrongly only the scheme."""
    nodes = url.split(";") if url.startswith("amqp") else [url]
    if not all(node.strip().startswith(("amqp://", "amqps://")) for node in nodes[1:]):
        nodes = ["amqp://"]
    return ";".join(_open_part(node) for node in nodes)


def _open_part(url: str) -> str:
    scheme = url.partition(":")[0]
    if scheme in ("sqlite", "file", "memory", "database"):
        return url
    try:
        userinfo, hosts, path, query = pieces(url, commas=True)
        for host in hosts.split(","):
            address_of(host)
    except UrlFault:
        return f"{scheme}:…"
    if userinfo is not None:
        user, colon, _ = userinfo.partition(":")
        hosts = f"{user}{':…' if colon else ''}@{hosts}"
    said = [part for part in re.split("[&;]", query) if part]
    said = [f"{part.partition('=')[0]}=…" if _SECRET.search(part) else part for part in said]
    return f"{scheme}://{hosts}{'' if path is None else '/' + path}{'?' if said else ''}{'&'.join(said)}"


def origin(host: str, port: int) -> str:
    """`http://host:port`, an IPv6 address in brackets."""
    return f"http://{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """The host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def _server(url: str) -> Server:
    userinfo, address, path, query = pieces(url)
    user = password = ""
    if userinfo is not None:
        user, _, password = userinfo.partition(":")
    host, port = address_of(address)
    return Server(
        url.partition(":")[0], host, port, None if userinfo is None else decoded(user), decoded(password), path or "",
        pairs(query),
    )  # fmt: skip


def _encrypted(server: Server, tls: Tls) -> Server:
    try:
        tls.context()
    except OSError as error:
        # Never the name of the file: where a password was written wrongly it may hold a part of it.
        raise UrlFault(
            f"a file for TLS that cannot be used ({error.strerror or 'no PEM'})",
            "readable files of certificate and key",
        ) from None
    return replace(server, tls=tls)


def _documents(url: str) -> None:
    if not _alone("database:", url):
        from schema.environment import mongo_url  # late, as the driver it asks

        mongo_url.check(url)


def _alone(scheme: str, url: str) -> bool:
    """Whether the URL is this scheme; raises UrlFault when anything stands behind it."""
    if url.startswith(scheme) and url != scheme:
        raise UrlFault(f"something behind {scheme}", f"{scheme} alone")
    return url == scheme


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "database_url": lambda url: sqlite_path(url) if url.startswith("sqlite:") else mysql(url),
    "documents_url": _documents,
    "broker_url": lambda url: _alone("memory:", url) or rabbitmq(url),
    "artifacts_url": lambda url: folder_path(url) if url.startswith("file:") else drive_folder(url),
}
