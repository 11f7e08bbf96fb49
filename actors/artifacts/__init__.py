"""Where PDFs are kept: one adapter per URL scheme behind `schema.ports.Artifacts` (DESIGN §8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schema.environment.server_urls import drive_folder, folder_path
from schema.ports import Artifacts


@dataclass(frozen=True, slots=True)
class DriveOptions:
    """What Google Drive needs beside the folder id; ignored by the folder."""

    credentials_file: str = ""  # the service account's JSON key
    subject: str = ""  # the person it acts for (domain-wide delegation): service accounts may own no quota
    link_sharing: bool = False  # gives every PDF to anyone with its link; off, since PDFs hold people's test results
    api_root: str = ""  # replaces https://www.googleapis.com/, for trials and tests
    timeout: float = 30.0  # seconds for each network operation


def open_artifacts(url: str, drive: DriveOptions | None = None) -> Artifacts:
    """The store that `url` names: `file:var/artifacts`, `file:///srv/pdf` or `gdrive://<folder id>`.

    Opens no connection. ValueError with a sentence for a URL that names no store;
    Permanent("drive_credentials_invalid") when the service account's key cannot be used.
    """
    scheme = url.partition(":")[0]
    try:
        opener = SCHEMES[scheme]
    except KeyError:
        allowed = ", ".join(f"{scheme}:" for scheme in SCHEMES)
        raise ValueError(f"the artifacts URL starts with {scheme!r}; allowed are {allowed}") from None
    return opener(url, drive or DriveOptions())


def _open_folder(url: str, _: DriveOptions) -> Artifacts:
    from actors.artifacts.folder import LocalFolder

    return LocalFolder(folder_path(url))


def _open_drive(url: str, options: DriveOptions) -> Artifacts:
    # Imported late: the Google client costs 0.3 s and 30 MB, and the embedded default does not use it.
    from actors.artifacts.drive import GoogleDrive

    return GoogleDrive(drive_folder(url), options)


SCHEMES: Mapping[str, Callable[[str, DriveOptions], Artifacts]] = {
    "file": _open_folder,
    "gdrive": _open_drive,
}
