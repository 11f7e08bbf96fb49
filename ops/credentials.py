"""Random passwords and keys for docker-compose.yml, one file each: `python3 -m ops.credentials [FOLDER]`.

Files that are there already are kept, so that running it again changes nothing. The folder is closed to others; the
files inside are readable, since the containers read them as users of their own.
"""

import base64
import secrets
import sys
from pathlib import Path

FOLDER = Path("var/secrets")
RANDOM = (
    "rabbitmq_password", "rabbitmq_admin_password", "mariadb_password", "mariadb_root_password", "mongodb_password",
    "mongodb_root_password", "grafana_password", "n8n_encryption_key", "metrics_key", "canary_key",
)  # fmt: skip


def make(folder: Path = FOLDER) -> dict[str, Path]:
    """Write what is missing; returns all files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    random = {name: _kept(folder / name, secrets.token_hex(16)) for name in RANDOM}
    keys = (
        f"n8n:submit:{secrets.token_hex(16)},prometheus:read:{random['metrics_key']},canary:submit:{random['canary_key']},"
        f"operator:operate:{secrets.token_hex(16)}"
    )
    for name, text in (
        ("database_url", f"mysql://reportq:{random['mariadb_password']}@mariadb:3306/reportq"),
        ("documents_url", f"mongodb://reportq:{random['mongodb_password']}@mongo:27017/workflow"),
        ("broker_url", f"amqp://reportq:{random['rabbitmq_password']}@rabbitmq:5672/%2F"),
        ("api_keys", keys),
        ("webhook_secrets", "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()),
        ("password_keys", base64.b64encode(secrets.token_bytes(32)).decode()),
        ("gdrive_credentials.json", "{}"),  # to be replaced by a service account's key when Drive is used
    ):
        _kept(folder / name, text)
    return {file.name: file for file in sorted(folder.iterdir())}


def _kept(file: Path, text: str) -> str:
    if not file.exists():
        file.write_text(text)
        file.chmod(0o644)
    return file.read_text().strip()


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("-"):
        sys.exit(__doc__)  # --help, or what is no folder's name
    for path in make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER).values():
        print(path)
