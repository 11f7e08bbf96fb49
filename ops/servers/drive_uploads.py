"""How files come into the double: whole, or through an upload session, which outlives the process.

A session is two files: what was announced (and, once it is done, what was answered) and the bytes that have arrived.
"""

import email
import email.policy
import json
import re
import secrets

from ops.servers.drive_files import File, timestamp
from ops.servers.drive_state import DriveState, Refusal


def parsed(kind: str, upload_type: str | None, body: bytes) -> tuple[File, bytes | None, str | None]:
    """Metadata, content and its type from a JSON, multipart/related or plain media request."""
    if kind.startswith("multipart/related"):
        whole = f"Content-Type: {kind}\r\n\r\n".encode() + body
        message = email.message_from_bytes(whole, policy=email.policy.HTTP)
        first, second = list(message.iter_parts())
        content = second.get_payload(decode=True)
        metadata = json.loads(first.get_content())
        return metadata, content if isinstance(content, bytes) else b"", second.get_content_type()
    if upload_type == "media":
        return {}, body, kind or None
    return (json.loads(body) if body.strip() else {}), None, None


def check_new(state: DriveState, metadata: File) -> None:
    """Refuse an id that is taken or was never handed out, and folders that are not there."""
    identifier = metadata.get("id")
    if identifier is not None and identifier in state.files.now:
        raise Refusal(409, "fileIdInUse", "A file already exists with the provided ID.")
    if identifier is not None and identifier not in state.files.reserved:
        raise Refusal(400, "invalid", "The provided file ID is not usable.")
    for parent in metadata.get("parents", []):
        if parent["id"] != "root" and parent["id"] not in state.files.now:
            raise Refusal(404, "notFound", f"File not found: {parent['id']}.")


def create(state: DriveState, metadata: File, content: bytes | None, mime: str | None) -> File:
    """A new file, with what Drive adds to what was announced."""
    usual = {"title": "Untitled", "parents": [{"id": "root"}], "properties": []}
    known = {**usual, "mimeType": mime or "application/octet-stream", **metadata}
    known["labels"] = {"trashed": False, "starred": False} | metadata.get("labels", {})
    known["createdDate"] = timestamp()
    known["parents"] = [
        {"kind": "drive#parentReference", "isRoot": parent["id"] == "root", **parent} for parent in known["parents"]
    ]
    with state.files.lock:
        identifier = metadata.get("id") or state.files.reserve(1)[0]
        return state.files.put({**known, "id": identifier}, content)


def open_session(state: DriveState, identifier: str | None, metadata: File, mime: str | None, fields: str) -> str:
    """Announce an upload, of a new file when there is no `identifier`; the session's name."""
    name = secrets.token_urlsafe(32)
    record, _ = state.files.session(name)
    record.write_text(json.dumps({"id": identifier, "metadata": metadata, "mime": mime, "fields": fields}))
    return name


def receive(state: DriveState, name: str, spread: str, body: bytes) -> tuple[File | None, str, int]:
    """Bytes of a session: whole, in ranges, or a question how far we are (`bytes */N`).

    Returns the file as the API shows it, None while bytes are missing; the fields that its announcement asked for; how
    many bytes have arrived.
    """
    try:
        record, part = state.files.session(name)
        session = json.loads(record.read_text())
    except (KeyError, OSError):
        raise Refusal(404, "notFound", "Upload session not found.") from None
    arrived = part.stat().st_size if part.exists() else 0
    if "done" in session:
        return session["done"], session["fields"], arrived
    if ranged := re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", spread):
        first, last = int(ranged[1]), int(ranged[2])
        if len(body) != last - first + 1 or first != arrived:
            raise Refusal(400, "badRequest", "Failed to parse Content-Range header.")
        with part.open("ab") as file:
            file.write(body)
        arrived = last + 1
        if ranged[3] == "*" or arrived < int(ranged[3]):
            return None, session["fields"], arrived
    elif spread.startswith("bytes */"):
        if spread != "bytes */0":
            return None, session["fields"], arrived
        part.write_bytes(b"")
    else:
        part.write_bytes(body)
    session["done"] = state.shown(_complete(state, session, part.read_bytes()))
    record.write_text(json.dumps(session))
    return session["done"], session["fields"], arrived


def _complete(state: DriveState, session: File, content: bytes) -> File:
    """The announced file made or changed, now that all of it is here."""
    with state.files.lock:
        if session["id"] is None:
            check_new(state, session["metadata"])
            return create(state, session["metadata"], content, session["mime"])
        old = state.files.now.get(session["id"])
        if old is None:
            raise Refusal(404, "notFound", f"File not found: {session['id']}.")
        mime = {"mimeType": session["mime"]} if session["mime"] else {}
        return state.files.put(old | session["metadata"] | mime, content)
