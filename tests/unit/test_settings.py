"""Settings: read once, checked, documented."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from schema.server_urls import without_password
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
    ({"REPORTQ_LEASE": "nan"}, "REPORTQ_LEASE: read 'nan'; allowed: a number from 0.5."),
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


def test_passwords_leave_urls() -> None:
    assert without_password("amqp://u:p%40ss@h:5672/%2F") == "amqp://u:…@h:5672/%2F"
    assert without_password("sqlite:///var/x.db") == "sqlite:///var/x.db"


def test_the_page_of_settings_lists_every_one_as_it_is() -> None:
    page = (ROOT / "ops" / "SETTINGS.md").read_text()
    for spec in fields(Settings):
        default = f"`{spec.default}`" if str(spec.default) else "–"
        row = f"| `{PREFIX}{spec.name.upper()}` | {default} | {spec.metadata['doc']} |"
        assert row in page, f"SETTINGS.md lacks or contradicts: {row}"
