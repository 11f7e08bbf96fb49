"""Where PDFs are kept: one adapter per URL scheme behind `schema.ports.Artifacts` (DESIGN §8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from schema.ports import Artifacts


@dataclass(frozen=True, slots=True)
class DriveOptions:
    """What Google Drive needs beside the folder id; ignored by the folder.

    `credentials_file` is the service account's JSON key, `subject` the person it acts for (domain-wide
    delegation: service accounts may own no quota), `link_sharing` gives every PDF to anyone with its link
    (off: these are people's test results), `api_root` replaces https://www.googleapis.com/ (trials and
    tests), `timeout` bounds each network operation in seconds.
    """

    credentials_file: str = ""
    subject: str = ""
    link_sharing: bool = False
    api_root: str = ""
    timeout: float = 30.0


def open_artifacts(url: str, drive: DriveOptions | None = None) -> Artifacts:
    """The store that `url` names: `file:var/artifacts`, `file:///srv/pdf` or `gdrive://<folder id>`.

    Opens no connection. ValueError with a sentence for a URL that names no store;
    Permanent("drive_credentials_invalid") when the service account's key cannot be used.
    """
    parts = urlsplit(url)
    try:
        opener = SCHEMES[parts.scheme]
    except KeyError:
        allowed = ", ".join(f"{scheme}:" for scheme in SCHEMES)
        raise ValueError(
            f"the artifacts URL starts with {parts.scheme or 'no scheme'!r}; allowed are {allowed}"
        ) from None
    return opener(parts, drive or DriveOptions())


def _open_folder(url: SplitResult, _: DriveOptions) -> Artifacts:
    from actors.artifacts.folder import LocalFolder

    if url.netloc:
        raise ValueError(f"file://{url.netloc}… names a host; write file:relative/path or file:///absolute/path")
    if not url.path:
        raise ValueError("the artifacts URL names no folder; write file:relative/path or file:///absolute/path")
    return LocalFolder(unquote(url.path))


def _open_drive(url: SplitResult, options: DriveOptions) -> Artifacts:
    # Imported late: the Google client costs 0.3 s and 30 MB that the embedded default has no use for.
    from actors.artifacts.drive import GoogleDrive

    if not url.netloc:
        raise ValueError("the artifacts URL names no Drive folder; write gdrive://<folder id>")
    return GoogleDrive(
        url.netloc,
        options.credentials_file,
        subject=options.subject,
        timeout=options.timeout,
        link_sharing=options.link_sharing,
        api_root=options.api_root,
    )


SCHEMES: Mapping[str, Callable[[SplitResult, DriveOptions], Artifacts]] = {
    "file": _open_folder,
    "gdrive": _open_drive,
}
