"""Where PDFs are kept: one adapter per URL scheme behind `schema.ports.Artifacts` (DESIGN §8)."""

from schema.environment.server_urls import drive_folder, folder_path
from schema.ports import Artifacts
from schema.settings import Settings

TRIAL = 1_000_000  # Bytes by which a full store is asked whether it takes a report again.


def open_artifacts(settings: Settings) -> Artifacts:
    """The store that REPORTQ_ARTIFACTS_URL names: `file:var/artifacts`, `file:///srv/pdf` or `gdrive://<folder id>`.

    Opens no connection. ValueError with a sentence for a URL that names no store;
    Permanent("drive_credentials_invalid") when the service account's key cannot be used.
    """
    url = settings.artifacts_url
    scheme = url.partition(":")[0]
    if scheme == "file":
        from actors.artifacts.folder import LocalFolder

        return LocalFolder(folder_path(url))
    if scheme == "gdrive":
        # Imported late: the Google client costs 0.3 s and 30 MB, and the embedded default does not use it.
        from actors.artifacts.drive import GoogleDrive

        return GoogleDrive(drive_folder(url), settings)
    raise ValueError(f"the artifacts URL starts with {scheme!r}; allowed are file:, gdrive:")


def try_out(store: Artifacts, name: str, size: int = 0) -> bool:
    """Store a file of at least `size` bytes, read it back, delete it: a ping shows no quota and few rights.

    Returns whether it came back whole; raises as the store does. `name` stands in the file's name and its labels.
    """
    pdf = b"%%PDF-1.4\n%%%s: this file can be deleted\n%s\n%%%%EOF\n" % (name.encode(), b"%" * size)
    artifact_id = store.reserve()
    store.put(artifact_id, f"{name}.pdf", pdf, replace=False, labels={"job_id": name})
    try:
        return b"".join(store.read(artifact_id)) == pdf
    finally:
        store.delete(artifact_id)
