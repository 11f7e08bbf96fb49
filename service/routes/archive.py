"""A ZIP archive that is written while it is sent: stored, not compressed, since PDFs are compressed already."""

import zipfile
from collections.abc import Iterator
from datetime import datetime


class Archive:
    """`add` files, then `close`; each gives the bytes to send next. Only the names are kept."""

    def __init__(self, made_at: datetime) -> None:
        self._date = made_at.timetuple()[:6]
        self._written: list[bytes] = []
        self._zip = zipfile.ZipFile(self, "w")  # type: ignore[call-overload]  # it takes what can write, and asks no more

    def add(self, name: str, begun: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """A file of `begun` and the chunks after it; an error of `chunks` leaves the archive unfinished."""
        try:
            with self._zip.open(zipfile.ZipInfo(name, self._date), "w") as file:
                file.write(begun)
                for chunk in chunks:
                    yield self._taken()
                    file.write(chunk)
        finally:
            getattr(chunks, "close", lambda: None)()
        yield self._taken()

    def close(self) -> bytes:
        """The end of the archive: its list of files."""
        self._zip.close()
        return self._taken()

    def _taken(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken

    # What zipfile asks of a file that cannot seek.

    def write(self, data: bytes) -> int:
        """Keep it until it is sent."""
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing below."""
