"""Settings: read once, checked, documented."""

from __future__ import annotations

import base64
import codecs
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from schema.environment.secret_lists import parse_api_keys
from schema.environment.server_urls import without_password
from schema.settings import PREFIX, PROFILES, Settings, SettingsError

ROOT = Path(__file__).parents[2]


def test_nothing_set_is_the_embedded_default() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.embedded
    assert settings.database_url == "sqlite:///var/reportq.db"


@pytest.mark.parametrize(("profile", "workers", "queue", "timeout"), [
    ("development", 2, 100, 300), ("staging", 3, 500, 300), ("production", 5, 1000, 600),
])  # fmt: skip
def test_profiles_hold_the_plans_numbers(profile: str, workers: int, queue: int, timeout: int) -> None:
    settings = Settings.from_env({"REPORTQ_PROFILE": profile})
    assert (settings.concurrent_workers, settings.max_queue_size, settings.job_timeout) == (workers, queue, timeout)
    assert set(PROFILES) == {"development", "staging", "production"}


def test_a_variable_beats_its_profile() -> None:
    settings = Settings.from_env({"REPORTQ_PROFILE": "production", "REPORTQ_CONCURRENT_WORKERS": "7"})
    assert settings.concurrent_workers == 7


@pytest.mark.parametrize(("environ", "sentence"), [
    ({"REPORTQ_PROFILE": "prod"}, "REPORTQ_PROFILE: read 'prod'; allowed: development, staging, production."),
    ({"REPORTQ_PORT": "http"}, "REPORTQ_PORT: read 'http'; allowed: a whole number from 0 to 65535."),
    ({"REPORTQ_LEASE": "nan"}, "REPORTQ_LEASE: read 'nan'; allowed: a number from 0.5 to 315360000."),
    ({"REPORTQ_BROKER_URL": "redis://x"}, "REPORTQ_BROKER_URL: read a URL that begins with 'redis'; allowed: memory:…"),
    ({"REPORTQ_SYNC_ENABLED": "maybe"}, "REPORTQ_SYNC_ENABLED: read 'maybe'; allowed: true or false."),
    ({"REPORTQ_HEARTBEAT": "15"}, "REPORTQ_HEARTBEAT: read 15 with a lease of 20; allowed: at most half the lease."),
    (
        {"REPORTQ_LEESE": "1"},
        "REPORTQ_LEESE: there is no such setting; ops/SETTINGS.md lists those that there are. Did you mean REPORTQ_LEASE",
    ),
    ({"REPORTQ_NOPE": "1"}, "REPORTQ_NOPE: there is no such setting; ops/SETTINGS.md lists those that there are."),
    ({"REPORTQ_ARTIFACTS_URL": "gdrive://x"}, "REPORTQ_GDRIVE_CREDENTIALS: read nothing; allowed: the path"),
    ({"REPORTQ_DATABASE_URL_FILE": "/no/such"}, "REPORTQ_DATABASE_URL_FILE: read '/no/such' (No such file"),
])  # fmt: skip
def test_what_cannot_be_right_is_refused_with_a_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(environ)
    assert str(refused.value).startswith(sentence)


def test_a_name_that_resembles_none_is_not_taken_for_another() -> None:
    """With three names behind it the sentence would read as if there were no others."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"REPORTQ_NOPE": "1"})
    assert "Did you mean" not in str(refused.value)


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "keys"
    secret.write_text("ops:operate:a-very-secret-key-1\n")
    url = "mysql://reportq:hunter2@db/reportq"
    settings = Settings.from_env({"REPORTQ_API_KEYS_FILE": str(secret), "REPORTQ_DATABASE_URL": url})
    assert settings.api_keys.endswith("key-1")
    assert settings.database_url == url
    for text in (repr(settings), str(settings.shown())):
        assert "very-secret" not in text
        assert "hunter2" not in text


def test_a_secret_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"REPORTQ_API_KEYS": "name:boss:sesame-sesame-sesame"})
    assert "sesame" not in str(refused.value)


KEY, OTHER = "ops:operate:a-very-secret-key-1", "n8n:submit:a-very-secret-key-2"
SECRETS = ["whsec_" + base64.b64encode(bytes([n] * 32)).decode() for n in range(2)]
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
MARKS = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}


def written(folder: Path, text: str, encoding: str = "utf-8") -> str:
    file = folder / "secret"
    file.write_bytes(MARKS.get(encoding, b"") + text.encode(encoding))
    return str(file)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", " \t\r\n\r\n"])
def test_a_secret_is_read_as_meant_whatever_editor_wrote_the_file(tmp_path: Path, encoding: str, end: str) -> None:
    url = "mysql://reportq:pässwörd-京@db/reportq"
    for name, value in (("database_url", url), ("api_keys", KEY), ("webhook_secrets", SECRETS[0]), ("lease", "30")):
        path = written(tmp_path, value + end, encoding)
        settings = Settings.from_env({f"{PREFIX}{name.upper()}_FILE": path})
        assert str(getattr(settings, name)).removesuffix(".0") == value
        assert Settings.from_env({f"{PREFIX}{name.upper()}": f"\ufeff{value}{end}"}) == settings


@pytest.mark.parametrize("between", ["\n", "\r\n", "\r", ",", ", ", ",\r\n", "\n\n  ", ",,\n"])
def test_what_may_be_several_may_stand_on_several_lines(tmp_path: Path, between: str) -> None:
    for settings in (
        Settings.from_env({"REPORTQ_API_KEYS_FILE": written(tmp_path, f"{KEY}{between}{OTHER}\r\n")}),
        Settings.from_env({"REPORTQ_API_KEYS": f"{KEY}{between}{OTHER}"}),
    ):
        assert parse_api_keys(settings.api_keys) == tuple(tuple(one.split(":")) for one in (KEY, OTHER))
    secrets = Settings.from_env({"REPORTQ_WEBHOOK_SECRETS_FILE": written(tmp_path, between.join(SECRETS))})
    assert secrets.signing_secrets == SECRETS
    allowed = Settings.from_env({"REPORTQ_WEBHOOK_ALLOW": "n8n:5678\r\n10.0.0.0/8\n"})
    assert allowed.webhook_allow == "n8n:5678,10.0.0.0/8"
    nodes = Settings.from_env({"REPORTQ_BROKER_URL": "amqp://a\namqp://b"})
    assert nodes.broker_url == "amqp://a;amqp://b"


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "which is empty"), (b"\xef\xbb\xbf\r\n", "which is empty"), (b"\n \n", "which is empty"),
    (f"{KEY}\n".encode("utf-16-le"), "NUL bytes"), (b"\x00" * 40, "NUL bytes"), (b"ops:operate:caf\xe9" * 4, "not UTF-8"),
    (b"\xff\xfeo", "not UTF-16-LE"), (b"x" * 1_000_001, "more than 1,000,000 bytes"),
    ("ops:operate:a-very-secret\u200b-key-1".encode(), "U+200B, which is no printable character"),
])  # fmt: skip
def test_a_secret_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(reason)) as refused:
        Settings.from_env({"REPORTQ_API_KEYS_FILE": str(file)})
    told = str(refused.value)
    assert told.startswith("REPORTQ_API_KEYS_FILE: read ")
    assert len(told.splitlines()) == 1
    assert "secret-key" not in told
    with pytest.raises(SettingsError):
        Settings.from_env({"REPORTQ_API_KEYS_FILE": str(tmp_path)})


@pytest.mark.parametrize("name", ["database_url", "canary_key", "run_dir", "profile", "lease", "public_url"])
def test_what_is_one_value_has_one_line(tmp_path: Path, name: str) -> None:
    variable = f"{PREFIX}{name.upper()}"
    text = "sqlite:///a\r\nsqlite:///b\r\n"
    for environ in ({variable: text}, {f"{variable}_FILE": written(tmp_path, text)}):
        with pytest.raises(SettingsError, match="several lines"):
            Settings.from_env(environ)


@pytest.mark.parametrize("text", [
    "sesame-sesame-sesame", "sesame-sesame-sesame:operate", "sesame-sesame-sesame:ops:operate", ":operate:sesame-sesame-sesame",
    "ops:operate:sesame", "ops:operate:sesame-sesame sesame", f"{KEY};b:read:sesame-sesame-sesame",
    f"{KEY} b:read:sesame-sesame-sesame", f"{KEY},b:read:a-very-secret-key-1", "ops:operate:sesame-sesamé-sesame",
    "ops:Operate:sesame-sesame-sesame", '"ops:operate:sesame"', f"{'n' * 65}:read:sesame-sesame-sesame",
])  # fmt: skip
def test_keys_that_would_not_be_what_is_meant_are_refused_and_no_part_of_them_is_told(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"REPORTQ_API_KEYS": text})
    assert "sesam" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_" + "A" * 100, "sesame", f"{SECRETS[0]} {SECRETS[1]}",
    f"{SECRETS[0]};{SECRETS[1]}", SECRETS[0] + "\n" + SECRETS[1][:20], "whsec_" + "-_" * 20, '"' + SECRETS[0] + '"',
])  # fmt: skip
def test_a_signing_secret_that_is_none_is_refused_at_start_and_not_told(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"REPORTQ_WEBHOOK_SECRETS: read as secret .* base64") as refused:
        Settings.from_env({"REPORTQ_WEBHOOK_SECRETS": secret})
    assert "sesame" not in str(refused.value)
    assert SECRETS[0][6:] not in str(refused.value)


NUMBERS = [spec for spec in fields(Settings) if get_type_hints(Settings)[spec.name] in (int, float)]


@pytest.mark.parametrize("text", [
    "inf", "-inf", "+Infinity", "nan", "-nan", "1e999", "-1", "-0.001", "1e30", "9" * 30, "9" * 5000, "", " ", "1,5", "10s",
    "0x10", "true", "None",
])  # fmt: skip
@pytest.mark.parametrize("spec", NUMBERS, ids=lambda spec: spec.name)
def test_a_number_that_no_clock_or_count_can_hold_is_refused_in_one_sentence(spec: Any, text: str) -> None:
    variable = f"{PREFIX}{spec.name.upper()}"
    with pytest.raises(SettingsError, match=f"{variable}: read .*; allowed: a (whole )?number from .* to ") as refused:
        Settings.from_env({variable: text})
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("url", [
    "reports.example", "ftp://reports.example", "https://", "https://user:sesame@reports.example", "https://h/?a=1", "https://h/#a",
    "https://h//elsewhere.example", "https://h/a//b", "https://h/a b", "https://h/ä", 'https://h/"x"', "https://h/<x>", "https://[",
    "https://h:port", "https://h/\\x", "//h/x", "http:///x",
])  # fmt: skip
def test_a_public_url_that_no_link_can_begin_with_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="REPORTQ_PUBLIC_URL: read ") as refused:
        Settings.from_env({"REPORTQ_PUBLIC_URL": url})
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(("url", "base", "path"), [
    ("https://h", "https://h", ""), ("https://h/", "https://h", ""),
    ("http://h:81/a/b-c~d/%20/", "http://h:81/a/b-c~d/%20", "/a/b-c~d/%20"),
    (" https://[::1]:8000/x\r\n", "https://[::1]:8000/x", "/x"), ("", "http://127.0.0.1:8000", ""),
])  # fmt: skip
def test_links_begin_with_the_public_url(url: str, base: str, path: str) -> None:
    settings = Settings.from_env({"REPORTQ_PUBLIC_URL": url})
    assert (settings.links_base, settings.links_path) == (base, path)


def test_passwords_leave_urls() -> None:
    assert without_password("amqp://u:p%40ss@h:5672/%2F") == "amqp://u:…@h:5672/%2F"
    assert without_password("sqlite:///var/x.db") == "sqlite:///var/x.db"


def test_the_page_of_settings_lists_every_one_as_it_is() -> None:
    page = (ROOT / "ops" / "SETTINGS.md").read_text()
    for spec in fields(Settings):
        default = f"`{spec.default}`" if str(spec.default) else "–"
        row = f"| `{PREFIX}{spec.name.upper()}` | {default} | {spec.metadata['doc']} |"
        assert row in page, f"SETTINGS.md lacks or contradicts: {row}"
