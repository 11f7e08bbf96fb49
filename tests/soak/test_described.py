"""Schemathesis as thoroughly with every role, and without a key, as `tests/api` is with the operator's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.stack import Stack
from tests.api.conftest import system
from tests.api.described import THOROUGH, every_answer_to_a_role_is_described

__all__ = ["system"]  # a fixture


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["submit", "read", None])
def test_every_answer_is_a_described_one(system: Stack, tmp_path: Path, role: str | None) -> None:
    every_answer_to_a_role_is_described(system, tmp_path, role, *THOROUGH)
