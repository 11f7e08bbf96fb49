"""What the stores' contracts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.servers.drive import DriveDouble


@pytest.fixture(scope="session")
def account(drive: DriveDouble) -> Path:
    """The double's service account, made once: a key takes longer to make than a file to store."""
    return drive.service_account()
