"""Sorts every failure of Google Drive: wait for it, try again, or tell a person.

the service is away                           → DependencyDown("drive"): counted, pauses the dependency
it is full, or the day's limit is spent       → the same with a code of its own, and the first one pauses
it asks us to slow down                       → RateLimited("drive"): whoever keeps a pace slows down
a person has to change something first        → Permanent, one code each: the members of Refusal
credentials refused                           → Transient: Google refuses a new key too, for some minutes
"""

import enum
import http.client
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httplib2
from googleapiclient.errors import Error as ApiError
from googleapiclient.errors import HttpError
from oauth2client.client import AccessTokenRefreshError
from pydrive2.auth import AuthError

from schema.callbacks.verdicts import seconds_of
from schema.errors import DependencyDown, Permanent, RateLimited, ReportqError, Transient

# OSError: refused, reset, timeout, TLS. ValueError: no JSON (a proxy's page). KeyError: JSON, but not theirs.
FAILURES = (
    ApiError, AccessTokenRefreshError, AuthError, httplib2.HttpLib2Error, http.client.HTTPException,
    OSError, ValueError, KeyError,
)  # fmt: skip

# https://developers.google.com/workspace/drive/api/guides/handle-errors
SLOW_DOWN = {"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded"}
AWAY = {"backendError", "internalError"}
FULL = {
    "storageQuotaExceeded", "quotaExceeded", "teamDriveFileLimitExceeded", "numChildrenInNonRootLimitExceeded",
    "activeItemCreationLimitExceeded",
}  # fmt: skip
NO_ROOM = (
    "Google Drive has no room for the PDF. Free space, or use a shared drive or a delegated user: service accounts may "
    "own no storage."
)
DAY_IS_SPENT = "Google Drive's limit for this day is spent. It is reset at midnight, Pacific time."
# Answers of the token endpoint that only a person can change (RFC 6749 §5.2).
REFUSED_GRANTS = (
    "invalid_grant", "invalid_client", "unauthorized_client", "access_denied", "invalid_scope", "deleted_client",
)  # fmt: skip


class Refusal(enum.Enum):
    """What a person must correct: code, whether to try again, sentence."""

    PERMISSION = (
        "drive_permission_denied",
        Permanent,
        "Google Drive does not allow the service account to do this. Share the folder with it as an editor "
        "(content manager on a shared drive) and check that the Drive API is enabled.",
    )
    FOLDER = (
        "drive_folder_not_found",
        Permanent,
        "The Google Drive folder of REPORTQ_ARTIFACTS_URL does not exist, is no folder, is in the trash, or "
        "is not shared with the service account.",
    )
    CREDENTIALS = (
        "drive_credentials_invalid",
        Transient,
        "Google refused the service account's credentials. Check the key file, the delegated user and this "
        "machine's clock.",
    )
    REQUEST = ("drive_request_refused", Permanent, "Google Drive refused the request as malformed.")
    GONE = ("artifact_gone", Permanent, "The PDF is no longer stored in Google Drive.")

    def __init__(self, code: str, kind: type[Permanent] | type[Transient], sentence: str) -> None:
        self.code, self.kind, self.sentence = code, kind, sentence

    def error(self, detail: str = "") -> ReportqError:
        """The exception to raise; `detail` says more than the usual sentence."""
        return self.kind(f"{detail} {self.sentence}".strip(), code=self.code)


def sort(error: BaseException, action: str, missing: str) -> ReportqError:
    """The error to raise instead; `action` completes "could not …", `missing` is the code of a 404."""
    if isinstance(error, HttpError):
        return _sort_answer(error, action, missing)
    if isinstance(error, AccessTokenRefreshError):
        if str(error).startswith(REFUSED_GRANTS):
            return Refusal.CREDENTIALS.error()
        return DependencyDown("drive", f"Could not {action}: Google gave no access token.")
    if isinstance(error, TimeoutError):
        return DependencyDown("drive", f"Could not {action}: Google Drive did not answer in time.")
    return DependencyDown("drive", f"Could not {action}: Google Drive could not be reached ({type(error).__name__}).")


def until_reset(now: datetime | None = None) -> float:
    """Seconds until Google resets the limits of a day, at midnight in California. On a day when the clocks change it may be
    an hour more, and is never less."""
    here = (now or datetime.now(UTC)).astimezone(ZoneInfo("America/Los_Angeles"))
    return 86400.0 - (here - here.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def refusal_of(error: HttpError) -> str:
    """The `reason` of an answer's first error, empty when the body is not Google's JSON."""
    try:
        reason: Any = json.loads(error.content)["error"]["errors"][0]["reason"]
    except (ValueError, LookupError, TypeError):
        return ""
    return reason if isinstance(reason, str) else ""


def _sort_answer(error: HttpError, action: str, missing: str) -> ReportqError:
    status, reason = int(error.resp.status), refusal_of(error)
    answered = f"Could not {action}: Google Drive answered {status} {reason}".rstrip() + "."
    if reason in FULL:
        return DependencyDown("drive", NO_ROOM, code="drive_quota_exceeded", at_once=True)
    if reason == "dailyLimitExceeded":
        return DependencyDown("drive", DAY_IS_SPENT, code="drive_daily_limit", at_once=True, pause=until_reset())
    if reason == "uploadTooLarge":
        return Refusal.REQUEST.error("The PDF is too large for Google Drive.")
    if status >= 500 or status == 408 or reason in AWAY:
        return DependencyDown("drive", answered)
    if status == 429 or reason in SLOW_DOWN:
        return RateLimited("drive", answered, retry_after=seconds_of(error.resp.get("retry-after")))
    if status == 401:
        return Refusal.CREDENTIALS.error()
    if status == 403:
        # The API's own refusal names a reason. A page without one comes from the network's edge, and concerns everybody.
        turned_away = DependencyDown("drive", f"Could not {action}: turned away (403).")
        return Refusal.PERMISSION.error() if reason else turned_away
    if status == 404:
        return Refusal.FOLDER.error() if missing == Refusal.FOLDER.code else Refusal.GONE.error()
    return Refusal.REQUEST.error(f"Could not {action} ({status} {reason}).".replace(" )", ")"))
