"""Where PDFs are kept: one adapter per URL scheme behind `schema.ports.Artifacts` (DESIGN §8)."""

from __future__ import annotations

from dataclasses import dataclass

from schema.environment.server_urls import drive_folder, folder_path
from schema.ports import Artifacts


@dataclass(frozen=True, slots=True)
class DriveOptions:
    """What Google Drive needs beside the folder id; ignored by the folder."""

    credentials_file: str = ""  # The service account's JSON key.
    subject: str = ""  # The person it acts for (domain-wide delegation): service accounts may own no quota.
    link_sharing: bool = False  # Gives every PDF to anyone with its link. Off: PDFs hold people's test results.
    api_root: str = ""  # Replaces https://www.googleapis.com/, for trials and tests.
    timeout: float = 30.0  # Seconds for each network operation.


def open_artifacts(url: str, drive: DriveOptions | None = None) -> Artifacts:
    """The store that `url` names: `file:var/artifacts`, `file:///srv/pdf` or `gdrive://<folder id>`.

    Opens no connection. ValueError with a sentence for a URL that names no store;
    Permanent("drive_credentials_invalid") when the service account's key cannot be used.
    """
    scheme = url.partition(":")[0]
    if scheme == "file":
        from actors.artifacts.folder import LocalFolder

        return LocalFolder(folder_path(url))
    if scheme == "gdrive":
        # Imported late: the Google client costs 0.3 s and 30 MB, and the embedded default does not use it.
        from actors.artifacts.drive import GoogleDrive

        return GoogleDrive(drive_folder(url), drive or DriveOptions())
    raise ValueError(f"the artifacts URL starts with {scheme!r}; allowed are file:, gdrive:")
