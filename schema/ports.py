"""The outside world as service and actors see it: one Protocol for each part, so that adapters can be exchanged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypedDict, Unpack


@dataclass(frozen=True, slots=True)
class End:
    """The permanent record of one round's end, as written to MongoDB (`workflow.reportq_results`)."""

    job_id: str
    code: str
    product_id: str
    round: int
    status: str  # completed | failed | cancelled
    requested_at: datetime  # UTC, aware: when this round was requested
    ended_at: datetime  # UTC, aware
    google_drive_link: str | None = None
    artifact_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retry_count: int = 0
    meta: Any = None  # What the caller sent: any JSON value.
    file_name: str | None = None  # What the caller wanted the PDF to be called.
    template_version: str | None = None  # Hash of the template that drew the PDF or refused the data.
    batch_id: str | None = None  # The batch that the job was a member of.
    callback: str | None = None  # With "not_sent" an earlier round has used up the resume URL.


class EndsWanted(TypedDict, total=False):
    """Which ends of a code; those left out stand for any."""

    product_id: str | None
    status: str | None
    since: str  # the least job id
    before: str | None  # only job ids below this one
    limit: int  # at most so many; 50 by default


class Documents(Protocol):
    """Source reports and permanent results. Every call is bounded in time and raises DependencyDown("mongodb")
    when the server did not answer."""

    def find_report(self, code: str, product_id: str) -> dict[str, Any] | None:
        """The source document of `{code, product_id}`, without ids of the store; None when there is none."""

    def record_end(self, end: End) -> None:
        """Write the permanent record; harmless when repeated, ignored when a newer (requested_at, round) is there."""

    def find_end(self, job_id: str) -> End | None:
        """The last recorded end of a job, for jobs whose row was cleaned away."""

    def find_ends(self, code: str, **wanted: Unpack[EndsWanted]) -> list[End]:
        """Recorded ends of a code, newest job first."""

    def ends_of(self, code: str, product_id: str | None) -> list[End]:
        """Every recorded end of one report, or (None) of all reports of a code: for erasing a person."""

    def forget(self, code: str, product_id: str | None) -> int:
        """Remove those ends and what we wrote into the source documents, which are others'; returns how many ends."""

    def save_report(self, code: str, product_id: str, report: Mapping[str, Any]) -> None:
        """Put a source document (trials and tests: in production others own these documents)."""

    def ping(self) -> None:
        """Raise unless the store would take a job's reading and writing; leaves nothing behind."""

    def close(self) -> None: ...


class Artifacts(Protocol):
    """The store of PDFs: one file per job. Raises DependencyDown(self.dependency) for outages, Permanent for refusals."""

    dependency: str  # the pause scope's name: "drive" or "folder"

    def reserve(self) -> str:
        """A new artifact id, kept in the job's row before the first upload."""

    def put(
        self, artifact_id: str, filename: str, pdf: bytes, *, replace: bool, labels: Mapping[str, str]
    ) -> str | None:
        """Store the bytes under the reserved id and return a link for people, or None when downloads go through us.

        Without `replace`, a file that is there already is success: an earlier try of this round stored it. With it, a
        later round replaces the content of the same file. The store keeps `labels` beside the file where it can: job_id,
        code, product_id.
        """

    def read(self, artifact_id: str) -> Iterator[bytes]:
        """The stored bytes in chunks; Permanent("artifact_gone") when the file is no longer there."""

    def delete(self, artifact_id: str) -> None:
        """Remove the file; harmless when it is gone."""

    def ping(self) -> None:
        """Raise unless the store would take a large PDF, as far as can be told without leaving a file."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One report to draw. Equal requests give equal bytes: nothing is read from clocks or chance."""

    product_id: str
    report: Mapping[str, Any]
    document_id: str  # Printed small and kept in the metadata: the job id.
    requested_at: datetime  # UTC, aware; the document's date.
    preview: bool = False  # Each page has a watermark.
    password: str | None = field(default=None, repr=False)  # Nobody opens the PDF without it.


class Renderer(Protocol):
    """Templates and a report in, PDF bytes out. Raises Permanent: template_not_found, template_invalid, invalid_data."""

    def render(self, request: RenderRequest, progress: Callable[[int], None] = ...) -> bytes:
        """The PDF; `progress` is called with 0–100 as blocks are drawn and may raise to stop the drawing."""

    def products(self) -> Sequence[str]: ...

    def version(self, product_id: str) -> str:
        """A hash that changes with the product's template. Raises as `render` does."""

    def original(self, product_id: str) -> str:
        """An edition's original, whose reports it draws, too; else the product itself. Raises as `render` does."""


@dataclass(frozen=True, slots=True)
class Post:
    """One signed POST to be tried: `body` goes out as it is, `webhook_id` is the same on every try of a round."""

    url: str
    webhook_id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one POST. `status` is None when no complete answer came; then `failure` says why.

    failure: "connect" (refused, reset before an answer, DNS), "timeout", "tls", "refused_address" (guard),
    "reset" (after the request was sent: the outcome is unknown), "too_large".
    """

    status: int | None
    failure: str | None
    content_type: str
    body_head: str  # at most 2,000 characters, cleaned of stack traces and control characters
    retry_after: float | None  # seconds
    duration: float  # seconds
    detail: str = ""  # a sentence for people when `failure` is set


class Sender(Protocol):
    """Posts callbacks. Never raises for what the other side does: everything becomes an Answer."""

    def send(self, post: Post) -> Answer: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """A message about to be published: which row to look at. The row is the truth."""

    queue: str
    actor: str
    key: str  # job_id, delivery_id or (for .XQ copies) the id the copy speaks of
    priority: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes | None = None  # The body itself, for a raw dead letter; else the body is made from the key.
    traceparent: str | None = None  # The row's, when the relay has read it; the message does not carry it.


class Publisher(Protocol):
    """Puts messages into the broker. Bounded in time even when the broker hangs."""

    def publish(self, hints: Sequence[Message]) -> list[bool]:
        """True for each message the broker has confirmed; False or DependencyDown("broker") leaves the row due."""

    def ready(self, queue: str) -> int:
        """Messages waiting in the queue, not yet handed to a consumer."""

    def ping(self) -> None: ...

    def close(self) -> None: ...
