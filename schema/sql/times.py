"""Moments between columns, Python and text: always UTC, whatever the database gives."""

from datetime import UTC, datetime
from typing import overload

Moment = datetime | str  # as a column gives it: MySQL a datetime, SQLite text


@overload
def as_time(value: Moment) -> datetime: ...
@overload
def as_time(value: Moment | None) -> datetime | None: ...
def as_time(value: Moment | None) -> datetime | None:
    """A column's moment as an aware UTC datetime; MySQL gives datetimes, SQLite text."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    assert isinstance(value, datetime)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def as_column(moment: datetime) -> str:
    """A moment as both dialects accept and compare it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def instant(moment: datetime) -> str:
    """A moment as fixed-width UTC text (RFC 3339, microseconds): compares like the moment, in every store."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@overload
def moment(value: Moment) -> str: ...
@overload
def moment(value: Moment | None) -> str | None: ...
def moment(value: Moment | None) -> str | None:
    """A column's moment as RFC 3339 UTC."""
    when = as_time(value)
    return None if when is None else when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
