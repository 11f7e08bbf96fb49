"""The connection to Google Drive: credentials, tokens, a pool of connections, every call bounded."""

import contextlib
import json
import queue
import threading
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import httplib2
from googleapiclient.discovery import build_from_document
from pydrive2.auth import GoogleAuth

from actors.artifacts.drive_errors import FAILURES, Refusal, sort
from schema.environment import variables
from schema.errors import DependencyDown
from schema.settings import Settings

SCOPES = ["https://www.googleapis.com/auth/drive"]


class DriveClient:
    """`ask` runs one request, `asking` lends a connection; both raise only errors of schema.errors.

    Raises Permanent("drive_credentials_invalid") at once when the key file cannot be used. It sends nothing before
    the first request.
    """

    def __init__(self, settings: Settings) -> None:
        self._auth = _Auth(settings)
        try:
            self._auth.ServiceAuth()
        except Exception as error:  # oauth2client raises whatever its crypto backend raises
            raise Refusal.CREDENTIALS.error(f"The key in {settings.gdrive_credentials} is malformed.") from error
        self._refreshing = threading.Lock()
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self.service: Any = self._auth.service
        self.files: Any = self.service.files()

    def ask(self, action: str, request: Callable[[Any], Any], *, missing: str = "artifact_gone") -> dict[str, Any]:
        """Run the request that `request(files)` builds. `missing` is the code of a 404."""
        with self.asking(action, missing=missing) as http:
            answer = request(self.files).execute(http=http)
        if not isinstance(answer, dict):
            if answer in ("", b"", None):
                return {}
            raise DependencyDown("drive", f"Google Drive answered something unreadable when asked to {action}.")
        return answer

    @contextlib.contextmanager
    def asking(self, action: str, *, missing: str) -> Iterator[Any]:
        """Lend an authorized connection; whatever fails meanwhile is sorted (drive_errors)."""
        try:
            http = self._idle.get_nowait()
        except queue.Empty:
            http = self._auth.Get_Http_Object()
        try:
            self._refresh_token()
            yield http
        except FAILURES as error:
            http.close()
            raise sort(error, action, missing) from error
        except BaseException:
            # A time limit or a stop: an answer may still come, so this connection is not used again.
            http.close()
            raise
        self._idle.put(http)

    def close(self) -> None:
        """Close the idle connections."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
        if self._auth.http is not None:
            self._auth.http.close()

    def _refresh_token(self) -> None:
        """One thread fetches the token and the others wait, so that eight workers do not ask eight times."""
        credentials = self._auth.credentials
        if credentials.access_token and not credentials.access_token_expired:
            return
        with self._refreshing:
            if not credentials.access_token or credentials.access_token_expired:
                with contextlib.closing(self._auth._build_http()) as http:
                    credentials.refresh(http)


class _Auth(GoogleAuth):  # type: ignore[misc]
    """PyDrive2's authentication as a service account, with the API's address exchangeable."""

    def __init__(self, settings: Settings) -> None:
        key = _read_key(settings.gdrive_credentials)
        account = {"client_json_dict": key, "client_user_email": settings.gdrive_subject}
        how = {"client_config_backend": "service", "service_config": account, "oauth_scope": SCOPES}
        super().__init__(settings_file=None, http_timeout=settings.gdrive_timeout, settings=how)
        self._api_root = settings.gdrive_api_root

    def _build_http(self) -> Any:
        http = super()._build_http()
        if self._api_root:
            http.proxy_info = None  # a test double on this machine must not be asked through a proxy
        return http

    def Authorize(self) -> None:
        """Build the service from the description that comes with the library: nothing is sent."""
        documents = resources.files("googleapiclient") / "discovery_cache" / "documents"
        description = json.loads((documents / "drive.v2.json").read_text("utf-8"))
        if self._api_root:
            description["rootUrl"] = self._api_root.rstrip("/") + "/"
            description.pop("mtlsRootUrl", None)
        self.http = self.credentials.authorize(self._build_http())
        self.service = build_from_document(description, http=httplib2.Http())


def _read_key(path: str) -> dict[str, Any]:
    try:
        key = json.loads(variables.read(path))
    except OSError as error:
        raise Refusal.CREDENTIALS.error(f"The key file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Refusal.CREDENTIALS.error(f"The key file {path} is not JSON.") from error
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise Refusal.CREDENTIALS.error(f"The key file {path} is not the key of a service account.")
    return key
