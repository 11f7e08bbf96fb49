"""PDF passwords at rest: a row holds one only sealed by REPORTQ_PASSWORD_KEYS (DESIGN §4).

The first key seals, and each of them opens, so that keys can be changed.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schema.errors import Refused, Transient

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def sealed(keys: Sequence[str], password: str) -> str:
    """The password as a row holds it, another text each time. Raises Refused without a key."""
    if not keys:
        raise Refused("There is no key to keep a password with.", code="passwords_disabled")
    return _locks(keys).encrypt(password.encode()).decode()


def opened(keys: Sequence[str], kept: str) -> str:
    """The password of a row. Raises Transient when none of these keys has sealed it: another worker may have the right one."""
    from cryptography.fernet import InvalidToken

    try:
        return _locks(keys).decrypt(kept).decode()
    except (InvalidToken, ValueError):  # ValueError: there is no key at all
        raise Transient("No key of this worker opens the PDF's password.", code="password_unreadable") from None


def mark(keys: Sequence[str], password: str) -> str:
    """What stands for the password in a fingerprint. Nobody can try passwords against it without the first key."""
    return hmac.digest(b64decode(keys[0]), password.encode(), "sha256").hex()


def _locks(keys: Sequence[str]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # late: few processes need it, and it takes a while to load

    return MultiFernet([Fernet(key.translate(_URL_SAFE)) for key in keys])


_URL_SAFE = str.maketrans("+/", "-_")  # as Fernet writes base64
