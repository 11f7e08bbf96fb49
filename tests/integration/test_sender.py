"""The sender against real sockets on loopback; nothing else is ever connected (tests/loopback.py)."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ssrfguard.resolvers import UdpResolver
from standardwebhooks.webhooks import Webhook

from actors.deliver.exact_http import Exchange
from actors.deliver.sender import SignedSender, signer
from schema.callbacks.allow_list import AllowList
from schema.callbacks.receiver_headers import ReceiverHeaders
from schema.callbacks.urls import check_literal
from schema.ports import Answer, Post
from tests.certificates import self_signed
from tests.dns_server import DnsServer
from tests.hostile_urls import LITERALS, NAMES
from tests.loopback import LeftTheMachine, loopback_only, only_loopback
from tests.receiver import OK, Received, Receiver

pytestmark = pytest.mark.usefixtures(loopback_only.__name__)

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
LOOPBACK = AllowList.parse("127.0.0.0/8")
BODY = json.dumps({"job_id": "pdf_1", "status": "completed"}).encode()

Build = Callable[..., SignedSender]


@pytest.fixture
def build() -> Iterator[Build]:
    """A sender with test defaults, closed at the end."""
    built: list[SignedSender] = []

    def build(**options: Any) -> SignedSender:
        defaults: dict[str, Any] = {"version": "1.2.3", "allow": LOOPBACK, "timeout": 10.0}
        built.append(SignedSender(options.pop("secrets", [SECRET]), **{**defaults, **options}))
        return built[-1]

    yield build
    for sender in built:
        sender.close()


def post(url: str, **options: Any) -> Post:
    return Post(url, "msg_pdf_1_1", BODY, **options)


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return head.encode() + b"\r\n" + body


def resolving(table: dict[str, list[str]]) -> Callable[..., list[Any]]:
    """A resolver that knows these names and no others; it asks nobody."""

    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        if host not in table:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in table[host]
        ]

    return resolve


# --- signing ---------------------------------------------------------------------------------------------


def test_the_published_vector_of_standard_webhooks_signs_as_printed() -> None:
    """The reference vector that every implementation of the specification is tested with."""
    sign = signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    when = datetime.fromtimestamp(1614265330, UTC)
    assert (
        sign.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", when, '{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_post_carries_the_headers_of_the_standard_and_verifies(build: Build) -> None:
    with Receiver() as receiver:
        assert build().send(post(f"{receiver.url}/webhook/pdf-complete")).status == 200
    headers = receiver.requests[0].headers
    assert headers["webhook-id"] == "msg_pdf_1_1"
    assert headers["user-agent"] == "reportq/1.2.3 (+webhooks)"
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers
    assert Webhook(SECRET).verify(receiver.requests[0].body, headers) == json.loads(BODY)


def test_a_header_that_the_receiver_wants_goes_to_it_alone_and_is_not_kept_of_its_answer(build: Build) -> None:
    echo = http("403 Forbidden", b"Authorization data is wrong! You sent: s3cret-of-n8n")
    with Receiver(lambda request: echo) as wants, Receiver(lambda request: echo) as other:
        headers = ReceiverHeaders.parse(f"{wants.url} X-Auth: s3cret-of-n8n")
        sender = build(headers=headers)
        forged = {"X-Auth": "of the post", "X-Request-ID": "r1"}
        answers = [sender.send(post(f"{wants.url}/webhook/x", headers=forged)), sender.send(post(f"{other.url}/x"))]
    assert wants.requests[0].headers["x-auth"] == "s3cret-of-n8n"
    assert "x-auth" not in other.requests[0].headers
    Webhook(SECRET).verify(wants.requests[0].body, wants.requests[0].headers)
    assert answers[0].body_head == "Authorization data is wrong! You sent: …"
    assert "s3cret" not in repr(answers[0])


def test_each_try_has_a_new_timestamp_and_the_same_id(build: Build) -> None:
    moments = iter([datetime.fromtimestamp(1_700_000_000.9, UTC), datetime.fromtimestamp(1_700_000_031, UTC)])
    sender = build(now=lambda: next(moments))
    with Receiver() as receiver:
        sender.send(post(receiver.url))
        sender.send(post(receiver.url))
    first, second = (request.headers for request in receiver.requests)
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1700000000", "1700000031")
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_while_rotating_both_secrets_sign_and_either_verifies(build: Build) -> None:
    with Receiver() as receiver:
        build(secrets=[SECRET, OLD_SECRET]).send(post(receiver.url))
    request = receiver.requests[0]
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(request.body, request.headers)


def test_headers_of_the_post_go_along_but_never_replace_the_signature(build: Build) -> None:
    forged = {"Webhook-Signature": "v1,forged", "X-Request-ID": "r1", "USER-AGENT": "x"}
    with Receiver() as receiver:
        build().send(post(receiver.url, headers=forged))
    headers = receiver.requests[0].headers
    assert headers["x-request-id"] == "r1"
    assert headers["user-agent"].startswith("reportq/")
    Webhook(SECRET).verify(receiver.requests[0].body, headers)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "A" * 100, "whsec_é"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes"):
        signer(secret)


# --- where it goes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", LITERALS)
def test_a_hostile_literal_is_never_called(build: Build, url: str) -> None:
    answer = build(allow=AllowList(), resolver=resolving({})).send(post(url))
    assert (answer.status, answer.failure) == (None, "refused_address")
    assert answer.detail


@pytest.mark.parametrize("url", LITERALS)
def test_a_hostile_literal_is_refused_when_connecting_too(
    build: Build, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if nothing were refused as text and every name led to this machine, the guard under the connection holds."""
    monkeypatch.setattr("actors.deliver.sender.check_literal", lambda *_: None)

    def here(host: str, port: int, *rest: Any) -> list[Any]:
        return resolving({host: ["127.0.0.1"]})(host, port, *rest)

    with only_loopback() as strays:
        answer = build(allow=AllowList(), resolver=here).send(post(url))
    assert strays == []
    assert answer.status is None
    if not url.lower().startswith("http") or re.search(r"/.*[ \r\0]", url):
        assert answer.failure in ("refused_address", "connect")  # no HTTP could be spoken there: nothing is connected
    else:
        assert answer.failure == "refused_address"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_somewhere_private_is_refused_when_connecting(build: Build, name: str) -> None:
    url = f"http://{name}/webhook"
    check_literal(url, AllowList())  # as text it is fine
    answer = build(allow=AllowList(), resolver=resolving(NAMES)).send(post(url))
    assert (answer.status, answer.failure) == (None, "refused_address")
    assert not any(address in answer.detail for address in NAMES[name])


def test_a_name_that_rebinds_between_check_and_connect_is_refused(build: Build) -> None:
    """The first lookup says a public address, every later one this machine's."""
    with Receiver() as receiver, DnsServer(lambda _, n: ["203.0.114.7"] if n == 1 else ["127.0.0.1"]) as dns:
        resolver = UdpResolver(nameservers=("127.0.0.1",), nameserver_port=dns.port, families=(socket.AF_INET,))
        assert resolver("rebind.example.com", 80)[0][4][0] == "203.0.114.7"  # the attacker's show for a check
        answer = build(allow=AllowList(), resolver=resolver).send(post(f"http://rebind.example.com:{receiver.port}/"))
    assert answer.failure == "refused_address"
    assert dns.lookups["rebind.example.com", 1] == 2
    assert receiver.connections == 0


def test_a_connection_goes_to_the_address_that_was_checked_without_a_second_lookup(build: Build) -> None:
    """A lookup after the check would lead to 127.0.0.2, where nobody listens."""
    with Receiver() as receiver, DnsServer(lambda _, n: [f"127.0.0.{n}"]) as dns:
        resolver = UdpResolver(nameservers=("127.0.0.1",), nameserver_port=dns.port, families=(socket.AF_INET,))
        sender = build(resolver=resolver)
        url = f"http://rebind.example.com:{receiver.port}/"
        assert [sender.send(post(url)).status for _ in range(3)] == [200, 200, 200]
    assert dns.lookups == {("rebind.example.com", 1): 1}
    assert receiver.connections == 1


def test_a_listed_host_on_the_lan_is_called_and_its_neighbours_are_not(build: Build) -> None:
    with Receiver(host="127.0.0.2") as n8n, Receiver(host="127.0.0.3") as neighbour:
        names = {"n8n.lan": ["127.0.0.2"], "other.lan": ["127.0.0.2"]}
        sender = build(allow=AllowList.parse(f"n8n.lan:{n8n.port}"), resolver=resolving(names))
        assert sender.send(post(f"http://n8n.lan:{n8n.port}/webhook/x")).status == 200
        assert n8n.requests[0].headers["host"] == f"n8n.lan:{n8n.port}"
        for url in (
            f"http://other.lan:{n8n.port}/",
            f"http://n8n.lan:{neighbour.port}/",
            f"http://127.0.0.2:{n8n.port}/",
            f"http://127.0.0.3:{neighbour.port}/",
        ):
            assert sender.send(post(url)).failure == "refused_address"
    assert (len(n8n.requests), neighbour.connections) == (1, 0)


def test_a_listed_network_opens_its_addresses_on_its_port(build: Build) -> None:
    with Receiver(host="127.0.0.2") as n8n:
        sender = build(allow=AllowList.parse(f"127.0.0.0/30:{n8n.port}"), resolver=resolving({}))
        assert sender.send(post(f"{n8n.url}/webhook/x")).status == 200
        assert sender.send(post(f"http://127.0.0.5:{n8n.port}/")).failure == "refused_address"


def test_a_name_is_called_by_the_policy_of_the_name_that_is_asked_for(build: Build) -> None:
    """IDNA 2003 would take `straße.lan` for `strasse.lan`, which is listed; the connection asks for another name."""
    names = {"strasse.lan": ["127.0.0.1"], "xn--strae-oqa.lan": ["127.0.0.1"]}
    with Receiver() as receiver:
        sender = build(allow=AllowList.parse("strasse.lan"), resolver=resolving(names))
        assert sender.send(post(f"http://straße.lan:{receiver.port}/")).failure == "refused_address"
        assert receiver.connections == 0
        assert sender.send(post(f"http://strasse.lan:{receiver.port}/")).status == 200
        other = build(allow=AllowList.parse("straße.lan"), resolver=resolving(names))
        assert other.send(post(f"http://Straße.lan:{receiver.port}/")).status == 200


def test_a_port_that_a_network_opens_is_not_open_elsewhere(build: Build) -> None:
    names = {"mail.example.com": ["8.8.8.8"], "both.example.com": ["8.8.8.8", "127.0.0.1"]}
    sender = build(allow=AllowList.parse("127.0.0.0/8:25"), resolver=resolving(names))
    assert sender.send(post("http://mail.example.com:25/")).failure == "refused_address"
    assert sender.send(post("http://both.example.com:25/")).failure == "connect"  # 127.0.0.1, where nobody listens


def test_a_listed_name_that_comes_to_lead_to_metadata_is_refused(build: Build) -> None:
    sender = build(allow=AllowList.parse("n8n.lan:5678"), resolver=resolving({"n8n.lan": ["169.254.169.254"]}))
    assert sender.send(post("http://n8n.lan:5678/")).failure == "refused_address"


@pytest.mark.parametrize(
    "address", ["100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "192.0.0.192"]
)
def test_a_listed_name_in_listed_networks_leads_to_no_metadata(build: Build, address: str) -> None:
    allow = AllowList.parse("n8n.lan, 100.64.0.0/10, fc00::/7, 168.63.0.0/16, 192.0.0.0/24, 127.0.0.0/8")
    with Receiver() as receiver:
        sender = build(allow=allow, resolver=resolving({"n8n.lan": [address], "both.lan": [address, "127.0.0.1"]}))
        assert sender.send(post(f"http://n8n.lan:{receiver.port}/")).failure == "refused_address"
        assert sender.send(post(f"http://both.lan:{receiver.port}/")).status == 200


def test_a_listed_name_with_an_underscore_is_called(build: Build) -> None:
    names = {"my_n8n": ["127.0.0.1"], "_a.b_c.lan": ["127.0.0.1"]}
    with Receiver() as receiver:
        sender = build(allow=AllowList.parse("my_n8n, _a.b_c.lan"), resolver=resolving(names))
        for name in names:
            assert sender.send(post(f"http://{name}:{receiver.port}/webhook/x")).status == 200
        assert [request.headers["host"] for request in receiver.requests] == [
            f"{name}:{receiver.port}" for name in names
        ]
        other = build(resolver=resolving(names))  # whatever network is listed
        assert other.send(post(f"http://my_n8n:{receiver.port}/")).failure == "refused_address"


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/x", "http://10.0.0.1/", "/elsewhere", "file:///x"])
def test_redirects_are_told_and_never_followed(build: Build, target: str) -> None:
    with Receiver() as receiver:
        location = target.format(port=receiver.port)
        receiver.answer = lambda request: http("302 Found", Location=location)
        assert build().send(post(receiver.url)).status == 302
        assert len(receiver.requests) == 1


def test_proxies_and_credentials_of_the_environment_are_ignored(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert build().send(post(receiver.url)).status == 200
    assert proxy.connections == 0
    assert "authorization" not in receiver.requests[0].headers


def test_cookies_of_one_answer_are_not_sent_with_the_next_post(build: Build) -> None:
    with Receiver(lambda request: http("200 OK", Set_Cookie="a=b")) as receiver:
        sender = build()
        sender.send(post(receiver.url))
        sender.send(post(receiver.url))
    assert "cookie" not in receiver.requests[1].headers


@pytest.mark.parametrize(
    "target",
    [
        "/webhook-waiting/47?signature=" + "ab" * 32,
        "/webhook-waiting/47?signature=abc/pdf-complete",
        "/a/../b/./c//d;e=f",
        "/x%2fy%2Fz%7e~?q=%c3%a9&&=&+a|b^{c}`\"<>'",
        "/?a=b?c=d",
    ],
)
def test_a_url_goes_out_byte_for_byte(build: Build, target: str) -> None:
    with Receiver() as receiver:
        sender = build()
        for fragment in ("", "#part"):
            assert sender.send(post(f"{receiver.url}{target}{fragment}")).status == 200
    assert [request.target for request in receiver.requests] == [target, target]


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/webhook-waiting/47%2f?signature=%7eab", "/webhook-waiting/47%2f?signature=%7eab"),
        ("/a/../b/%c3%a9/%zz?x=%2F&y='\"", "/a/../b/%c3%a9/%zz?x=%2F&y='\""),
        ("/%7e/%2f/é?q=ü%fc", "/%7e/%2f/%C3%A9?q=%C3%BC%fc"),
        ("?q=日本", "/?q=%E6%97%A5%E6%9C%AC"),
    ],
)
def test_a_host_in_another_script_leaves_what_follows_it_as_it_is(build: Build, target: str, sent: str) -> None:
    """Only what is no ASCII must be encoded to go out at all."""
    with Receiver() as receiver:
        sender = build(resolver=resolving({"xn--bcher-kva.lan": ["127.0.0.1"], "n8n.lan": ["127.0.0.1"]}))
        for host in ("bücher.lan", "BÜCHER.lan", "n8n.lan"):
            assert sender.send(post(f"http://{host}:{receiver.port}{target}#é")).status == 200
    assert [request.target for request in receiver.requests] == [sent] * 3


def test_a_url_without_a_path_asks_for_the_root(build: Build) -> None:
    with Receiver() as receiver:
        build().send(post(f"{receiver.url}?a=b"))
        build().send(post(receiver.url))
    assert [request.target for request in receiver.requests] == ["/?a=b", "/"]


# --- what comes back -------------------------------------------------------------------------------------


def test_an_answer_is_kept_cleaned_with_its_retry_after(build: Build) -> None:
    body = json.dumps({"message": "busy", "stacktrace": "at /usr/lib/x.js:1:2"}).encode()
    content = {"Content_Type": "application/json; charset=utf-8"}
    answers = iter(
        [
            http("503 Busy", body, **content, Retry_After="7"),
            http("503 Busy", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
            http("503 Busy", Retry_After="soon"),
        ]
    )
    with Receiver(lambda request: next(answers)) as receiver:
        sender = build()
        found = [sender.send(post(receiver.url)) for _ in range(3)]
    assert found[0].status == 503
    assert found[0].content_type == "application/json; charset=utf-8"
    assert found[0].body_head == '{"message": "busy"}'
    assert [answer.retry_after for answer in found] == [7.0, 0.0, None]
    assert all(answer.failure is None and answer.duration > 0 for answer in found)


def test_a_date_without_a_zone_is_read_as_utc(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """-0000 says UTC; the time of this machine's own zone would be hours off."""
    due = datetime.now(UTC) + timedelta(hours=1)
    dates = [f"{due:%a, %d %b %Y %H:%M:%S} {zone}" for zone in ("GMT", "-0000", "+0000")]
    dates.append("Fri, 31 Dec 9999 23:59:59 -2359")
    answers = iter([http("503 Busy", Retry_After=date) for date in dates])
    monkeypatch.setenv("TZ", "Asia/Jakarta")
    time.tzset()
    try:
        with Receiver(lambda request: next(answers)) as receiver:
            sender = build()
            found = [sender.send(post(receiver.url)).retry_after for _ in dates]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert all(seconds is not None and 3000 < seconds <= 3600 for seconds in found[:3])
    assert found[3] is None or found[3] > 3600


@pytest.mark.parametrize(
    "rest",
    [
        b"Retry-After: Fri, 31 Dec 9999 23:59:59 -2359\r\nContent-Length: 0\r\n\r\n",
        b"Retry-After: 60\r\nContent-Length: 0\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 3\r\n\r\nhello",
        b"Content-Length: 5, 3\r\n\r\nhello",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999999999999\r\n\r\nhello",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nhello",
        b"Content-Length: many\r\n\r\n",
        b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\nno chunk",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\nx",
        b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno",
        b"Content-Type: \xff\xfe\r\nSet-Cookie: \xff\r\nLocation: http://[\r\nContent-Length: 2\r\n\r\nok",
        b"Content-Length: 10\r\n\r\ncut",
    ],
)
def test_a_2xx_counts_whatever_is_wrong_with_the_rest_of_the_answer(build: Build, rest: bytes) -> None:
    """It would be sent again otherwise, and no POST follows a 2xx."""
    with Receiver(lambda request: lambda line: line.sendall(b"HTTP/1.1 200 OK\r\n" + rest)) as receiver:
        answer = build().send(post(receiver.url))
    assert (answer.status, answer.failure, answer.retry_after) == (200, None, None)


def endless(line: socket.socket) -> None:
    """Body without end, as fast as it is taken."""
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        line.sendall(b"x" * 65536)


def endless_head(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        line.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def drip(*pieces: bytes, until: Callable[[], bool] = lambda: False) -> Callable[[socket.socket], None]:
    """Sends the pieces, then single bytes without end (or `until`): no single read ever times out."""

    def write(line: socket.socket) -> None:
        for piece in pieces:
            line.sendall(piece)
        while not until():
            line.sendall(b"x")
            time.sleep(0.02)

    return write


def test_an_endless_body_is_read_within_bounds(build: Build) -> None:
    with Receiver(lambda request: endless) as receiver:
        answer = build().send(post(receiver.url))
    assert (answer.status, answer.body_head) == (200, "x" * 2000)


def test_an_endless_head_is_no_answer(build: Build) -> None:
    with Receiver(lambda request: endless_head) as receiver:
        assert build().send(post(receiver.url)).failure == "too_large"


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exchange]:
    """The exchange of every target: a test can then let its time run out when it wants."""
    begun: dict[str, Exchange] = {}

    def begin(target: str, deadline: float) -> Exchange:
        begun[target] = Exchange(target, deadline)
        return begun[target]

    monkeypatch.setattr("actors.deliver.sender.Exchange", begin)
    return begun


def run_out(sender: SignedSender, exchange: Exchange) -> None:
    """Its deadline is now: the sender's own thread cuts it, whenever it gets to run."""
    exchange.deadline = time.monotonic()
    sender._deadlines.watch(exchange)


@pytest.mark.parametrize(
    ("pieces", "read", "status", "failure"),
    [
        ((), None, None, "timeout"),
        ((b"HTTP/1.1 200 OK\r\nX-Slow: ",), None, None, "timeout"),
        ((b"HTTP/1.1 503 Busy\r\nContent-Length: 9999\r\n\r\n",), 503, None, "timeout"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",), 200, 200, None),
        ((b"HTTP/1.1 200 OK\r\n\r\n",), 200, 200, None),
    ],
)
def test_a_slow_drip_ends_at_the_deadline(
    build: Build,
    exchanges: dict[str, Exchange],
    pieces: tuple[bytes, ...],
    read: int | None,
    status: int | None,
    failure: str | None,
) -> None:
    """A 2xx counts once its head is there: the callback was taken, and must not come again."""
    sender = build(timeout=60)

    def until_read(line: socket.socket) -> None:
        drip(*pieces, until=lambda: exchanges["/"].status == read)(line)
        run_out(sender, exchanges["/"])
        drip()(line)

    with Receiver(lambda request: until_read) as receiver:
        answer = sender.send(post(receiver.url))
    assert (answer.status, answer.failure) == (status, failure)
    assert exchanges["/"].expired


def test_a_slow_drip_ends_at_the_total_timeout(build: Build) -> None:
    """No single byte is late; all of them together are."""
    with Receiver(lambda request: drip()) as receiver:
        answer = build(timeout=2).send(post(receiver.url))
    assert (answer.status, answer.failure) == (None, "timeout")


def test_silence_is_a_timeout(build: Build) -> None:
    hold = threading.Event()
    with Receiver(lambda request: lambda line: hold.wait(30) and None) as receiver:
        answer = build(timeout=1).send(post(receiver.url))
        hold.set()
    assert answer.failure == "timeout"


def test_a_closed_connection_after_the_request_leaves_the_outcome_unknown(build: Build) -> None:
    with Receiver(lambda request: None) as receiver:
        assert build().send(post(receiver.url)).failure == "reset"
    assert len(receiver.requests) == 1  # and nothing underneath has sent it again


def test_rubbish_for_an_answer_leaves_the_outcome_unknown(build: Build) -> None:
    with Receiver(lambda request: lambda line: line.sendall(b"220 mail.example.com ESMTP\r\n")) as receiver:
        answer = build().send(post(receiver.url))
    assert answer.status is None
    assert answer.failure in ("reset", "too_large")


def test_nobody_listening_is_certainly_not_sent(build: Build) -> None:
    with Receiver() as receiver:
        url = receiver.url
    answer = build().send(post(url))
    assert (answer.failure, answer.status) == ("connect", None)


def test_an_unknown_name_is_certainly_not_sent(build: Build) -> None:
    sender = build(resolver=resolving({}))
    assert sender.send(post("http://nowhere.example.com/")).failure == "connect"


def test_a_name_server_that_never_answers_is_given_up_in_time(build: Build) -> None:
    hold = threading.Event()

    def stuck(*_: Any) -> list[Any]:
        hold.wait(30)
        return []

    answer = build(resolver=stuck, timeout=0.3).send(post("http://stuck.example.com/"))
    hold.set()
    assert answer.failure == "connect"
    assert "resolved" in answer.detail


# --- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for n8n.lan, signed by itself."""
    return self_signed(tmp_path_factory.mktemp("tls"), "n8n.lan")


def test_tls_is_verified_by_name_against_the_trusted_authorities(build: Build, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Receiver(tls=context) as receiver:
        names = resolving({"n8n.lan": ["127.0.0.1"], "other.lan": ["127.0.0.1"]})
        trusting = build(resolver=names, verify=str(certificate))
        assert trusting.send(post(f"https://n8n.lan:{receiver.port}/x")).status == 200
        assert trusting.send(post(f"https://other.lan:{receiver.port}/x")).failure == "tls"
        assert build(resolver=names).send(post(f"https://n8n.lan:{receiver.port}/x")).failure == "tls"
        assert trusting.send(post(f"https://n8n.lan:{receiver.port}/x")).status == 200
    assert len(receiver.requests) == 2


def test_a_tls_handshake_that_hangs_is_certainly_not_sent(build: Build) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = build(timeout=0.3).send(post(f"https://127.0.0.1:{silent.getsockname()[1]}/"))
    assert answer.failure in ("connect", "tls")


# --- connections -----------------------------------------------------------------------------------------


def test_connections_are_kept_and_reused(build: Build) -> None:
    with Receiver() as receiver:
        sender = build()
        for _ in range(20):
            assert sender.send(post(receiver.url)).status == 200
    assert receiver.connections == 1


def test_a_connection_that_was_cut_or_told_to_close_is_not_reused(build: Build) -> None:
    answers = iter([OK, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", OK])
    with Receiver(lambda request: next(answers)) as receiver:
        sender = build()
        assert [sender.send(post(receiver.url)).status for _ in range(3)] == [200, 200, 200]
        assert receiver.connections == 2
        receiver.hang_up()
        receiver.answer = lambda request: OK
        assert sender.send(post(receiver.url)).status == 200


def test_a_timeout_cuts_its_own_connection_only(build: Build, exchanges: dict[str, Exchange]) -> None:
    """Fifty quick posts beside slow ones, all on one sender: each gets the answer to its own request."""
    sender = build(timeout=60, connections=12)

    def answer(request: Received) -> Any:
        if request.target.startswith("/slow"):
            run_out(sender, exchanges[request.target])
            return drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        return http("200 OK", request.target.encode())

    with Receiver(answer) as receiver, ThreadPoolExecutor(12) as threads:
        targets = [f"/slow{n}" if n % 10 == 0 else f"/{n}" for n in range(60)]

        def send(target: str) -> Answer:
            return sender.send(post(f"{receiver.url}{target}"))

        answers = list(threads.map(send, targets))
    for target, found in zip(targets, answers, strict=True):
        expected = ("timeout", "") if target.startswith("/slow") else (None, target)
        assert (found.failure, found.body_head) == expected


class Mark(Exchange):
    """Tells when the deadlines before its own have been dealt with."""

    def __init__(self) -> None:
        super().__init__("", time.monotonic())
        self.reached = threading.Event()

    def expire(self) -> None:
        self.reached.set()


def test_the_deadline_of_an_exchange_that_has_ended_cuts_nothing(build: Build, exchanges: dict[str, Exchange]) -> None:
    """Its connection is another exchange's by then."""
    sender = build(timeout=60)

    def answer(request: Received) -> bytes:
        if request.target == "/second":
            run_out(sender, exchanges["/first"])
            mark = Mark()
            sender._deadlines.watch(mark)
            assert mark.reached.wait(60)
        return http("200 OK", request.target.encode())

    with Receiver(answer) as receiver:
        answers = [sender.send(post(f"{receiver.url}{target}")) for target in ("/first", "/second")]
    assert [found.body_head for found in answers] == ["/first", "/second"]
    assert receiver.connections == 1
    assert not exchanges["/first"].expired


def test_the_guard_of_these_tests_holds() -> None:
    """The net under all of the above: a connection elsewhere never starts."""
    with only_loopback() as strays:
        with pytest.raises(LeftTheMachine), socket.socket() as line:
            line.connect(("203.0.114.7", 80))
        with pytest.raises(LeftTheMachine):
            socket.getaddrinfo("example.com", 80)
        with pytest.raises(LeftTheMachine), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(b"x", ("203.0.114.7", 53))
    assert len(strays) == 3
