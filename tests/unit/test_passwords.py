"""Passwords in rows: sealed, each time into another text; opened by any of the keys, and by nothing else."""

from __future__ import annotations

import base64
import secrets
import string

import pytest
from cryptography.fernet import Fernet

from schema.errors import Refused, Transient
from schema.http import requests
from schema.rows.passwords import mark, opened, sealed
from schema.settings import Settings, SettingsError

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (250, 251))  # with + and / in them
WORD = string.printable[:94] + "z" * 33  # as long as a request may have it
BODY = b'{"code":"K1","productId":"p","password":"%s"}'


@pytest.mark.parametrize("word", ["sesame-4711", WORD])
def test_what_is_sealed_fits_its_column_and_is_opened_by_any_of_the_keys(word: str) -> None:
    kept = sealed([OLD], word)
    assert len(kept) <= 248
    assert word not in kept
    assert base64.b64encode(word.encode()).decode().rstrip("=") not in kept
    assert kept != sealed([OLD], word)
    for keys in ([OLD], [NEW, OLD], [OLD, NEW]):
        assert opened(keys, kept) == word
    assert opened([NEW], sealed([NEW, OLD], word)) == word


@pytest.mark.parametrize("keys", [[NEW], []])
def test_without_the_right_key_it_stays_closed_and_another_worker_may_try(keys: list[str]) -> None:
    kept = sealed([OLD], WORD)
    for text in (kept, kept[:-8] + "AAAAAAA=", "", "ünsinn"):
        with pytest.raises(Transient, match="No key of this worker") as refused:
            opened(keys, text)
        assert refused.value.code == "password_unreadable"
        assert refused.value.__cause__ is None


def test_nothing_is_sealed_without_a_key() -> None:
    with pytest.raises(Refused) as refused:
        sealed([], WORD)
    assert refused.value.code == "passwords_disabled"


def test_a_fingerprint_tells_passwords_apart_and_tries_none_without_the_key() -> None:
    def fingerprint(password: str, *keys: str) -> str:
        return requests.fingerprint(requests.read(BODY % password.encode(), requests.Submission), keys)

    assert fingerprint("a", OLD) == fingerprint("a", OLD, NEW) != fingerprint("b", OLD)
    assert fingerprint("a", OLD) != fingerprint("a", NEW)
    assert mark([OLD], "a") == mark([OLD], "a")
    body = b'{"code":"K1","productId":"p","password":%s}'
    bare = requests.fingerprint(requests.read(b'{"code":"K1","productId":"p"}', requests.Submission))
    assert requests.fingerprint(requests.read(body % b"null", requests.Submission)) == bare


def test_keys_are_base64_of_either_alphabet_and_refused_without_a_word_of_them() -> None:
    urlsafe = Fernet.generate_key().decode()
    settings = Settings.from_env({"REPORTQ_PASSWORD_KEYS": f"{OLD},\n{urlsafe}"})
    assert settings.sealing_keys[0] == OLD
    assert Fernet(urlsafe).decrypt(sealed(settings.sealing_keys[1:], WORD)) == WORD.encode()
    assert Settings().sealing_keys == []
    assert settings.shown()["REPORTQ_PASSWORD_KEYS"] == "(set)"
    for wrong in (secrets.token_hex(32), OLD[:-4], f"whsec_{OLD}", "sesame"):
        with pytest.raises(
            SettingsError, match=r"PASSWORD_KEYS: read as secret 2 of 2 .* openssl rand -base64 32"
        ) as told:
            Settings.from_env({"REPORTQ_PASSWORD_KEYS": f"{OLD},{wrong}"})
        assert wrong not in str(told.value)
