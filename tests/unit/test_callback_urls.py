"""Callback URLs as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.callbacks.allow_list import AllowList
from schema.callbacks.urls import check_literal, failure_url, host_key, host_of, is_resume_url, lane_key, redact
from schema.errors import Refused
from tests.hostile_urls import LITERALS

NOTHING = AllowList()
RESUME = "https://n8n.example.com/webhook-waiting/4711?signature=" + "0123456789abcdef" * 4


@pytest.mark.parametrize("url", LITERALS)
def test_a_hostile_literal_is_refused_with_a_sentence_that_quotes_no_secret(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_literal(url, NOTHING)
    assert refused.value.code == "callback_refused"
    assert set(refused.value.fields) == {"field", "next_step"}
    assert refused.value.fields["field"] == "callback"
    assert "secret" not in str(refused.value.fields["next_step"])
    assert refused.value.detail.endswith(".")
    assert "secret" not in refused.value.detail
    assert refused.value.detail.isprintable()


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("ftp://hooks.example/x", "begins with http:// or https://"),
        ("n8n.example.com/webhook/x", "begins with http:// or https://"),
        ("https://user:secret@hooks.example/", "Leave out what stands before the @"),
        ("https://hooks.example:99999/", "a port up to 65535"),
        ("https://hooks.example:0/", "a port up to 65535"),
        ("https://hooks.example:22/", "add hooks.example:22 to REPORTQ_WEBHOOK_ALLOW"),
        ("https://hooks.example/x ", "a space or line break"),
        ("http://localhost:5678/webhook/x", "add 127.0.0.1:5678 to REPORTQ_WEBHOOK_ALLOW"),
        ("http://192.168.1.20:5678/webhook/x", "add 192.168.1.20:5678 to REPORTQ_WEBHOOK_ALLOW"),
        ("http://[fd00::5]:5678/webhook/x", "add [fd00::5]:5678 to REPORTQ_WEBHOOK_ALLOW"),
        ("http://2130706433/", "with a name or a plain address"),
        ("http://my_n8n:5678/webhook/x", "add my_n8n:5678 to REPORTQ_WEBHOOK_ALLOW"),
    ],
)
def test_each_reason_has_an_advice_of_its_own(url: str, advice: str) -> None:
    with pytest.raises(Refused) as refused:
        check_literal(url, NOTHING)
    assert advice in str(refused.value.fields["next_step"])
    assert advice.startswith("add ") or "operator" not in str(refused.value.fields["next_step"])


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0:5678/", "http://224.0.0.1/",
        "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://168.63.129.16/", "http://[fd20:ce::254]:8080/",
    ],
)  # fmt: skip
def test_nobody_is_told_to_open_what_should_stay_closed(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_literal(url, NOTHING)
    assert "operator" not in str(refused.value.fields["next_step"])


def test_there_are_more_than_sixty_of_them() -> None:
    assert len(set(LITERALS)) == len(LITERALS) >= 60


@pytest.mark.parametrize(
    "url",
    [
        RESUME,
        "https://n8n.example.com/webhook/pdf-complete",
        "http://n8n.example.com:5678/webhook/pdf-complete?a=b&c=%2f..%2F",
        "https://N8N.Example.COM./webhook",
        "https://8.8.8.8/webhook",
        "https://[2606:4700::1111]:8443/x",
        "https://bücher.example/webhook",
        "https://xn--bcher-kva.example/webhook/é",
        "http://n8n:5678/webhook/x",
        "https://n8n.example.com?x=1",
        "https://n8n.example.com/x#fragment",
        "https://n8n.example.com/" + "x" * (2048 - len("https://n8n.example.com/")),
    ],
)
def test_an_ordinary_url_passes(url: str) -> None:
    check_literal(url, NOTHING)


@pytest.mark.parametrize(
    ("entry", "url", "passes"),
    [
        ("192.168.1.20:5678", "http://192.168.1.20:5678/webhook/x", True),
        ("192.168.1.20:5678", "http://192.168.1.20:5679/webhook/x", False),
        ("192.168.1.20:5678", "http://192.168.1.21:5678/webhook/x", False),
        ("192.168.1.0/24", "http://192.168.1.21:8080/webhook/x", True),
        ("192.168.1.0/24:5678", "http://192.168.1.21/webhook/x", False),
        ("192.168.1.0/24:5678", "http://[::ffff:192.168.1.21]:5678/webhook/x", False),
        ("10.0.0.0/8:81", "http://10.1.1.1:81/", True),
        ("127.0.0.0/8", "http://localhost:5678/", True),
        ("127.0.0.1:5678", "http://localhost:5678/", True),
        ("localhost:5678", "http://localhost:5678/", True),
        ("localhost:5678", "http://127.0.0.1:5678/", False),
        ("localhost:5678", "http://localhost:5679/", False),
        ("[fd00::/8]:5678", "http://[fd00::5]:5678/", True),
        ("[fd00::5]:5678", "http://[fd00::5]:5678/", True),
        ("fd00::/8", "http://[fd00::5]/", True),
        ("10.0.0.0/8:81", "http://n8n.example.com:81/", True),  # it may lead there: judged when connecting
        ("10.0.0.0/8:81", "http://8.8.8.8:81/", False),
        ("10.0.0.0/8:81", "http://192.168.1.1:81/", False),
        ("10.0.0.0/8:81", "http://[fd00::5]:81/", False),
        ("10.0.0.0/8:81", "http://n8n.example.com:82/", False),
        ("10.0.0.0/8", "http://10.1.1.1:81/", True),
        ("10.0.0.0/8", "http://8.8.8.8:81/", False),
        ("8.8.8.8:81", "http://8.8.8.8:81/", True),
        ("straße.lan:81", "http://straße.lan:81/", True),
        ("straße.lan:81", "http://strasse.lan:81/", False),
        ("strasse.lan:81", "http://straße.lan:81/", False),
        ("n8n.lan:81", "http://N8N.lan.:81/", True),
        ("n8n.lan:81", "http://n8n.lan:82/", False),
        ("my_n8n", "http://my_n8n:5678/webhook/x", True),
        ("stack_n8n_1.lan:5678", "http://Stack_n8n_1.lan:5678/webhook/x", True),
        ("_n8n.lan, 10.0.0.0/8", "http://_n8n.lan/", True),
        ("my_n8n:5678", "http://my_n8n:5679/", False),
        ("my-n8n", "http://my_n8n:5678/", False),
        ("10.0.0.0/8", "http://my_n8n:5678/", False),
        ("127.0.0.0/8", "http://2130706433/", False),
        ("127.0.0.0/8", "http://user@127.0.0.1/", False),
    ],
)
def test_an_entry_opens_what_it_names_and_nothing_beside_it(entry: str, url: str, passes: bool) -> None:
    allow = AllowList.parse(entry)
    if passes:
        check_literal(url, allow)
    else:
        with pytest.raises(Refused):
            check_literal(url, allow)


@pytest.mark.parametrize(
    "entry",
    [
        "*.lan",
        "*",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "1.2.3",
        "a b",
        "host:0",
        "host:65536",
        "host:http",
        "[fd00::1",
        "http://n8n.lan",
        "user@n8n.lan",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "n8n.lan/8",
    ],
)
def test_an_entry_that_means_nothing_or_everything_is_refused(entry: str) -> None:
    with pytest.raises(ValueError) as refused:
        AllowList.parse(f"fine.example.com, {entry}")
    assert entry in str(refused.value)


def test_a_port_that_a_network_opens_is_open_in_that_network_alone() -> None:
    allow = AllowList.parse("10.0.0.0/8:25, hooks.example.com:81")
    mail = allow.policy_for("n8n.example.com", 25)
    assert mail.permits_address("10.1.2.3")
    assert not any(mail.permits_address(address) for address in ("8.8.8.8", "192.168.1.20", "2606:4700::1111"))
    assert allow.policy_for("hooks.example.com", 81).permits_address("8.8.8.8")  # a listed host may be public
    assert allow.policy_for("n8n.example.com", 443).permits_address("8.8.8.8")


def test_a_listed_name_may_not_lead_to_metadata() -> None:
    policy = AllowList.parse("n8n.lan:5678").policy_for("n8n.lan", 5678)
    assert policy.permits_address("192.168.1.20")
    assert policy.permits_address("127.0.0.1")
    assert not policy.permits_address("169.254.169.254")
    assert not policy.permits_address("224.0.0.1")
    assert not AllowList.parse("n8n.lan:5678").policy_for("other.lan", 5678).permits_address("192.168.1.20")


METADATA = [
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "192.0.0.192", "100.100.100.200",
    "169.254.42.42", "169.254.0.23", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42",
    "fd00:a9fe:a9fe::1", "fd00:100::100:200", "fe80::a9fe:a9fe",
]  # fmt: skip
# … and an IPv4 one of them within IPv6: mapped, compatible, translated, NAT64 (a public prefix, local ones), 6to4.
WRAPPED = [
    "::ffff:169.254.169.254", "::ffff:168.63.129.16", "::169.254.169.254", "::ffff:0:169.254.170.2", "64:ff9b::a9fe:a9fe",
    "64:ff9b::a83f:8110", "64:ff9b:1::6464:64c8", "64:ff9b:1:a9fe:a9:fe00::", "fd64::a9fe:a9fe", "fd64:0:a9fe:a9fe::",
    "2002:a9fe:a9fe::1", "2002:a83f:8110::",
]  # fmt: skip
WIDE = "169.254.0.0/16, 100.64.0.0/10, 168.63.0.0/16, 192.0.0.0/24, fc00::/7, fe80::/10, 64:ff9b:1::/48"


@pytest.mark.parametrize("address", METADATA + WRAPPED)
def test_a_clouds_metadata_stays_closed_whatever_network_or_host_is_listed(address: str) -> None:
    url = f"http://[{address}]/" if ":" in address else f"http://{address}/"
    for entries in ("", WIDE, f"n8n.lan, {WIDE}"):
        allow = AllowList.parse(entries)
        with pytest.raises(Refused):
            check_literal(url, allow)
        assert not allow.policy_for("n8n.lan", 80).permits_address(address)
        assert not allow.policy_for("other.lan", 5678).permits_address(address)


@pytest.mark.parametrize("address", METADATA)
def test_a_clouds_metadata_is_open_when_its_own_address_is_listed(address: str) -> None:
    allow = AllowList.parse(f"n8n.lan, {address}")
    check_literal(f"http://[{address}]/" if ":" in address else f"http://{address}/", allow)
    assert allow.policy_for("n8n.lan", 80).permits_address(address)
    assert not allow.policy_for("n8n.lan", 80).permits_address("169.254.169.253")


@pytest.mark.parametrize("address", ["169.254.7.7", "100.64.1.1", "fd00::254", "192.0.0.5", "fd00:ec2::1"])
def test_the_neighbours_of_metadata_in_a_listed_network_are_called(address: str) -> None:
    assert AllowList.parse(WIDE).policy_for("n8n.lan", 80).permits_address(address)


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        ("https://h/webhook/pdf-complete", "https://h/webhook/pdf-failed"),
        ("https://h/webhook/pdf-complete/", "https://h/webhook/pdf-failed/"),
        ("https://h/a/pdf-complete?next=/pdf-complete", "https://h/a/pdf-failed?next=/pdf-complete"),
        ("https://h/webhook/pdf-complete#/pdf-complete", "https://h/webhook/pdf-failed#/pdf-complete"),
        ("https://h/pdf-complete/pdf-complete", "https://h/pdf-failed/pdf-failed"),
        ("https://h/webhook/pdf-complete-v2?x=%2F", "https://h/webhook/pdf-failed-v2?x=%2F"),
        ("https://h/webhook-test/pdf-complete", "https://h/webhook-test/pdf-failed"),
        ("https://h/webhook/pdf-completed", "https://h/webhook/pdf-completed"),
        ("https://h/webhook?to=/pdf-complete", "https://h/webhook?to=/pdf-complete"),
        ("https://pdf-complete/x", "https://pdf-complete/x"),
        ("https://h/webhook-waiting/7/pdf-complete", "https://h/webhook-waiting/7/pdf-complete"),
        (
            "https://h/webhook-waiting/7?signature=ab/pdf-complete",
            "https://h/webhook-waiting/7?signature=ab/pdf-complete",
        ),
        ("https://h/n8n/Webhook%2DWaiting/7/pdf-complete", "https://h/n8n/Webhook%2DWaiting/7/pdf-complete"),
        ("https://h/x", "https://h/x"),
        ("nonsense/pdf-complete", "nonsense/pdf-complete"),
    ],
)
def test_the_failure_url_is_the_callback_with_its_path_renamed(callback: str, expected: str) -> None:
    assert failure_url(callback, None) == expected
    assert failure_url(callback, "") == expected


@given(st.text(alphabet="abc/?#&=%2fF:@-.é", max_size=40))
def test_whatever_is_not_the_word_in_the_path_stays_byte_for_byte(rest: str) -> None:
    url = f"https://h{rest}"
    assert failure_url(url, None) == url
    assert failure_url(f"{url}?/pdf-complete", None) == f"{url}?/pdf-complete"
    assert failure_url(url, "https://other/failed") == "https://other/failed"


def test_resume_urls_are_recognised_wherever_n8n_is_mounted() -> None:
    assert is_resume_url(RESUME)
    assert is_resume_url("http://h/n8n/webhook-waiting/1")
    assert not is_resume_url("http://h/webhook/x?to=/webhook-waiting/1")
    assert not is_resume_url("http://webhook-waiting/1")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (RESUME, "https://n8n.example.com/webhook-waiting/…?signature=…"),
        ("https://h/webhook-waiting/7/ready?signature=ab/ready", "https://h/webhook-waiting/…/…?signature=…"),
        ("http://h:5678/webhook/pdf-complete", "http://h:5678/webhook/pdf-complete"),
        ("http://h/webhook/0a1b-22/pdf-complete", "http://h/webhook/…/pdf-complete"),
        ("https://hooks.example.com/services/T00/B00/XyZ", "https://hooks.example.com/services/…/…/…"),
        ("https://u:p@h/x?a=1&SECRET&k9=v#token", "https://…@h/x?a=…&…&…#…"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("file:///etc/passwd", "…"),
        ("http://[::1/", "…"),
        ("http://h:99999/x", "…"),
        ("", "…"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_capability(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(st.text(min_size=6, max_size=20, alphabet="0123456789ABCDEF"))
def test_no_token_survives_redaction(token: str) -> None:
    for url in (
        f"https://h/webhook-waiting/{token}?signature={token}",
        f"https://{token}:{token}@h/{token}/x?{token}&a={token}#{token}",
    ):
        assert token not in redact(url)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://N8N.example.com/x", "n8n.example.com:443"),
        ("http://n8n.example.com.:5678/x", "n8n.example.com:5678"),
        ("http://[FD00::1]/x", "[fd00::1]:80"),
        ("https://bücher.example/", "xn--bcher-kva.example:443"),
        ("http://[::1/", "-"),
        ("nonsense", "-"),
        ("http://h:x/", "-"),
    ],
)
def test_a_host_has_one_key_however_it_is_written(url: str, key: str) -> None:
    assert host_key(url) == key


def test_the_key_of_a_long_host_fits_its_columns_and_stays_its_own() -> None:
    """deliveries.host and pauses.scope ("host:" before the key) are VARCHAR(255): an overflow would end no job."""
    keys = [host_key(f"https://{'a.' * 122}{end}/x") for end in ("com:65535", "net:65535", "com")]
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= 200 for key in keys)
    assert keys[0].endswith(":65535")
    lane = lane_key(f"https://{'a.' * 122}com:65535/{'long/' * 300}?n=1")
    assert len(f"host:{lane}") <= 255
    assert host_of(lane) == keys[0]
    assert lane == lane_key(f"http://{'A.' * 122}com.:65535/{'long/' * 300}?n=2#x") != lane_key(keys[0])
    assert lane_key("https://h?x=/a") == lane_key("https://h/?x=/b")
    assert host_key("https://" + "a." * 93 + "com/x") == "a." * 93 + "com:443"
    check_literal("https://" + "a." * 118 + "lan./x", NOTHING)  # 240 bytes
