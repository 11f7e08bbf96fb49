"""Lists of secrets in one setting each: API keys, signing secrets. No refusal repeats a part of an entry."""

import re
from base64 import b64decode

from schema.environment.variables import SettingsError

_API_KEY = re.compile(r"(?P<name>[^:]{1,64}):(?P<role>submit|read|operate):(?P<key>[!-~]{16,})")
_RUN_TOGETHER = re.compile(r":(submit|read|operate):")


def parse_api_keys(text: str) -> tuple[tuple[str, str, str], ...]:
    """The (name, role, key) triples of REPORTQ_API_KEYS."""
    triples: list[tuple[str, str, str]] = []
    entries = _entries(text)
    for number, entry in enumerate(entries, 1):
        where = f"entry {number} of {len(entries)}"  # never a part of it: with the order mistaken, the key is first
        found = _API_KEY.fullmatch(entry)
        if found is None or _RUN_TOGETHER.search(found["key"]):
            raise SettingsError(
                "REPORTQ_API_KEYS",
                f"{where}, which is none",
                "name:role:key, name of at most 64 characters, role submit, read or operate, key of at least 16 "
                "characters of ASCII without blanks; one a line, or separated by commas",
            )
        if found["key"] in (key for _, _, key in triples):
            raise SettingsError("REPORTQ_API_KEYS", f"{where} with the key of an earlier one", "each key once")
        triples.append((found["name"], found["role"], found["key"]))
    return tuple(triples)


def parse_webhook_secrets(text: str) -> list[str]:
    """The signing secrets of REPORTQ_WEBHOOK_SECRETS (Standard Webhooks, "Signature scheme")."""
    secrets = _entries(text)
    allowed = "whsec_ and the base64 of 24 to 64 random bytes"
    _check_sizes("REPORTQ_WEBHOOK_SECRETS", [secret.removeprefix("whsec_") for secret in secrets], 24, 64, allowed)
    return secrets


def parse_password_keys(text: str) -> list[str]:
    """The keys of REPORTQ_PASSWORD_KEYS, in base64 of the usual alphabet."""
    keys = [entry.replace("-", "+").replace("_", "/") for entry in _entries(text)]
    _check_sizes("REPORTQ_PASSWORD_KEYS", keys, 32, 32, "the base64 of 32 random bytes: openssl rand -base64 32")
    return keys


def _check_sizes(variable: str, secrets: list[str], least: int, most: int, allowed: str) -> None:
    """Raise SettingsError, which quotes none of them, unless each is the base64 of so many bytes."""
    for number, secret in enumerate(secrets, 1):
        try:
            size = len(b64decode(secret, validate=True))
        except ValueError:
            size = 0
        if not least <= size <= most:
            raise SettingsError(variable, f"as secret {number} of {len(secrets)} something else", allowed)


def _entries(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
