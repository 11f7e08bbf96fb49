"""Where PDFs are kept: one adapter per URL scheme behind `schema.ports.Artifacts` (DESIGN §8)."""

from __future__ import annotations

from dataclasses import dataclass

from schema.environment.server_urls import drive_folder, folder_path
from schema.ports import Artifacts

TRIAL = 1_000_000  # Bytes by which a full store is asked whether it takes a report again.


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


def try_out(store: Artifacts, name: str, size: int = 0) -> bool:
    """Store a file of at least `size` bytes, read it back, delete it: a ping tells nothing of quota and little of rights.

    Returns whether it came back whole; raises as the store does. `name` stands in the file's name and its labels.
    """
    pdf = b"%%PDF-1.4\n%%%s: this file can be deleted\n%s\n%%%%EOF\n" % (name.encode(), b"%" * size)
    artifact_id = store.reserve()
    store.put(artifact_id, f"{name}.pdf", pdf, replace=False, labels={"job_id": name})
    try:
        return b"".join(store.read(artifact_id)) == pdf
    finally:
        store.delete(artifact_id)
