"""A double of Google Drive as a process of its own: `python -m ops.servers.drive FOLDER PORT`.

Production talks to Google; trials and tests talk to this, through PyDrive2 and googleapiclient all the same.
Files survive kill -9; fault rules live in the process and end with it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ops.servers.drive_api import DriveExchange
from ops.servers.drive_state import DriveState
from ops.servers.kinds import ModuleServer
from ops.servers.loopback_http import call, serve, told
from ops.servers.process import listening, wait_until, write_private

ACCOUNT = "reportq@trial.iam.gserviceaccount.com"


class DriveDouble(ModuleServer):
    """`api_root` replaces https://www.googleapis.com/; the folder `folder_id` is there from the start."""

    name = "drive"
    module = "ops.servers.drive"
    folder_id = "reportq-trial-folder"

    @property
    def api_root(self) -> str:
        return self.at(self.port)

    def at(self, port: int) -> str:
        """The API's root through another port (a proxy's)."""
        return f"http://127.0.0.1:{port}/"

    @property
    def url(self) -> str:
        """The setting that chooses Google Drive and the folder."""
        return f"gdrive://{self.folder_id}"

    def answers(self) -> bool:
        return listening(self.port) and bool(self.state())

    def settle(self) -> None:
        self._tell("POST", "folders", {"id": self.folder_id, "title": "reportq trial"})

    def service_account(self, folder: Path | str | None = None) -> Path:
        """A service account's JSON file whose key the double knows and whose token_uri is the double's."""
        target = Path(folder or self.folder) / "service-account.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        keys = self.folder / "keys"
        keys.mkdir(exist_ok=True)
        (keys / f"{ACCOUNT}.pem").write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        kind = serialization.PrivateFormat.PKCS8
        private = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
        account = {
            "type": "service_account", "project_id": "reportq-trial", "private_key_id": "trial", "client_id": "1",
            "private_key": private.decode(), "client_email": ACCOUNT, "auth_uri": f"{self.api_root}auth",
            "token_uri": f"{self.api_root}token",
            "client_user_email": None,  # PyDrive2 insists on the key; null means: as the account itself
        }  # fmt: skip
        return write_private(target, json.dumps(account, indent=1))

    def fail(self, operation: str, kind: str, *, times: int | None = None, seconds: float = 0.0) -> None:
        """Let an operation (see drive_faults.OPERATIONS, `*` for all) meet a trouble, `times` times or until cleared.
        With `lost_answer` an `upload` creates the file, and its caller hears nothing."""
        rule = {"operation": operation, "kind": kind, "times": times, "seconds": seconds}
        self._tell("POST", "faults", rule)

    def clear(self, operation: str = "*") -> None:
        """No more troubles (of this operation); what hangs is dropped."""
        self._tell("DELETE", f"faults?operation={operation}")

    def set_list_delay(self, seconds: float) -> None:
        """From now on lists show the files as they were so many seconds ago; kept over restarts."""
        self._tell("PUT", "settings", {"list_delay": seconds})

    def pace(self, *, latency: float = 0.0, writes: float | None = None, burst: int = 10) -> None:
        """From now on each upload takes `latency` seconds, and so many writes a second are allowed (None: any number).

        The account's bucket holds `burst` writes. What exceeds it is refused at once (`refused` in the counts).
        """
        self._tell("PUT", "settings", {"latency": latency, "writes": writes, "burst": burst})

    def expire_tokens(self) -> None:
        """Every access token handed out so far is answered 401."""
        self._tell("POST", "revoke")

    def state(self) -> dict[str, Any]:
        """Counts, faults, hanging requests, settings and files, in one look."""
        return self._tell("GET", "state")

    def files(self) -> list[dict[str, Any]]:
        """All files (no folders), trashed ones included, as they are now: no lag."""
        files: list[dict[str, Any]] = self.state()["files"]
        return files

    def counts(self) -> dict[str, int]:
        """Requests since the process started, by operation."""
        counts: dict[str, int] = self.state()["counts"]
        return counts

    def content(self, identifier: str) -> bytes:
        return call("GET", f"{self.api_root}file/d/{identifier}/view").content

    def wait_hanging(self, operation: str, timeout: float = 30) -> None:
        """Return once a request of this operation hangs here (after `fail(operation, "hang")`)."""
        wait_until(lambda: self.state()["hanging"].get(operation, 0) > 0, timeout, f"a hanging {operation}")

    def _tell(self, method: str, what: str, content: object = None) -> dict[str, Any]:
        answer: dict[str, Any] = told(method, f"{self.api_root}_control/{what}", json=content)
        return answer


def main() -> None:
    """Serve the double until the process is ended."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    running = type("RunningDrive", (DriveExchange,), {"state": DriveState(folder, port)})
    serve(port, running)


if __name__ == "__main__":
    main()
