"""Headers for receivers that want them: read strictly, sent to their origin alone, shown nowhere."""

from __future__ import annotations

import pytest

from actors.deliver.answer_bodies import head
from schema.callbacks.receiver_headers import ReceiverHeaders, spellings
from schema.settings import Settings, SettingsError

SECRET = 's3cret/of"n8n & Ünits'.replace("Ü", "U")
ENTRY = f"https://n8n.example.com X-Auth: {SECRET}"


def read(*entries: str) -> ReceiverHeaders:
    return ReceiverHeaders.parse(Settings.from_env({"REPORTQ_WEBHOOK_HEADERS": "\n".join(entries)}).webhook_headers)


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("https://n8n.example.com/webhook/x", True),
        ("https://N8N.example.com.:443/webhook-waiting/1?signature=2", True),
        ("HTTPS://n8n.example.com?x", True),
        ("http://n8n.example.com/webhook/x", False),
        ("http://n8n.example.com:443/webhook/x", False),
        ("https://n8n.example.com:5678/webhook/x", False),
        ("https://n8n.example.com.evil.example/x", False),
        ("https://evil.example/https://n8n.example.com/", False),
        ("https://evil.example#https://n8n.example.com", False),
        ("https://sub.n8n.example.com/x", False),
        ("https://[n8n.example.com/x", False),
        ("", False),
    ],
)
def test_a_header_goes_to_its_origin_alone(url: str, goes: bool) -> None:
    headers = read(ENTRY, "http://10.0.0.5:5678/ Authorization: Bearer 0123456789")
    assert dict(headers.of(url)) == ({"x-auth": SECRET} if goes else {})
    assert headers.of("http://10.0.0.5:5678/webhook/x") == {"authorization": "Bearer 0123456789"}


@pytest.mark.parametrize(
    "entry",
    [
        f"n8n.example.com X-Auth: {SECRET}",
        f"https://n8n.example.com/webhook X-Auth: {SECRET}",
        f"https://user@n8n.example.com X-Auth: {SECRET}",
        f"https://n8n.example.com X-Auth {SECRET}",
        f"https://n8n.example.com X Auth: {SECRET}",
        f"https://n8n.example.com:x X-Auth: {SECRET}",
        f"https://n8n.example.com Webhook-Signature: {SECRET}",
        f"https://n8n.example.com HOST: {SECRET}",
        f"https://n8n.example.com content-length: {SECRET}",
        "https://n8n.example.com X-Auth: s3crets",
        f"https://n8n.example.com X-Auth: {SECRET}é",
        f"https://n8n.example.com X-Auth: {SECRET}\x00",
        f"{ENTRY}, https://N8N.example.com:443 x-auth: another {SECRET}",
        "https://n8n.example.com X-Auth:" + " " * 50_000,
    ],
)
def test_what_is_no_entry_is_refused_and_not_quoted(entry: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(entry)
    assert str(refused.value).startswith("REPORTQ_WEBHOOK_HEADERS: ")
    assert "s3cret" not in str(refused.value)


def test_settings_and_the_headers_show_no_value() -> None:
    settings = Settings(webhook_headers=ENTRY)
    assert settings.shown()["REPORTQ_WEBHOOK_HEADERS"] == "(set)"
    assert "s3cret" not in repr(settings) + repr(ReceiverHeaders.parse(ENTRY))


@pytest.mark.parametrize(
    ("value", "echo"),
    [
        (SECRET, f"you sent X-Auth: {SECRET}"),
        (SECRET, '{"x-auth":"s3cret/of\\"n8n & Units"}'),
        (SECRET, "x-auth=s3cret%2Fof%22n8n%20%26%20Units"),
        (SECRET, "<b>s3cret/of&quot;n8n &amp; Units</b>"),
        (SECRET, f"{'<!--' + 'x' * 3000 + '-->'}{SECRET}"),
        (SECRET, "." * 1990 + SECRET),
        (SECRET, f"you sent {SECRET.upper()}"),
        ("Bearer s3cret-token", '{"token": "s3cret-token"}'),
        ("Basic YW5pOnMzY3JldHMu", '{"user": "ani", "password": "s3crets."} YW5pOnMzY3JldHMu'),
        ("Basic s3cret-and-no-base64", "s3cret-and-no-base64"),
    ],
)
def test_an_answer_that_repeats_the_value_is_kept_without_it(value: str, echo: str) -> None:
    shown = head(echo.encode(), "https://h/x", set(spellings(value)))
    assert "s3c" not in shown.lower()
    assert "YW5p" not in shown
