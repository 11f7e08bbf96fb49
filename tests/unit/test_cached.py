"""A value that is read now and then: what is told while the database is away, and for how long."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from schema.sql.cached import REST, Cached
from schema.sql.database import DatabaseDown, DatabaseUnable


class Source:
    """A database that can be away, and a clock that is moved."""

    def __init__(self) -> None:
        self.moment = 1000.0
        self.tick = 0.0
        self.away = False
        self.hangs = 20.0
        self.takes = 0.0
        self.reads = 0

    def monotonic(self) -> float:
        self.moment += self.tick
        return self.moment

    def read(self) -> int:
        self.reads += 1
        self.moment += self.takes
        if self.away:
            self.moment += self.hangs
            raise DatabaseUnable("The disk is full.")
        return self.reads


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source()
    monkeypatch.setattr("schema.sql.cached.time", SimpleNamespace(monotonic=made.monotonic))
    return made


def test_it_is_read_once_however_many_ask_until_it_is_old(source: Source) -> None:
    value = Cached(source.read, 3.0)
    assert [value.get(), value.get()] == [1, 1]
    source.moment += 3
    assert value.get() == 2


def test_what_is_refused_at_once_is_asked_again_at_once(source: Source) -> None:
    value = Cached(source.read, 3.0)
    source.away, source.hangs = True, 0.0
    with pytest.raises(DatabaseDown):
        value.get()
    source.away = False
    assert value.get() == 2


def test_while_the_database_is_away_the_last_value_stays_and_failures_rest(source: Source) -> None:
    value = Cached(source.read, 3.0)
    value.get()
    source.away = True
    source.moment += 3600
    assert [value.get() for _ in range(5)] == [1] * 5
    assert source.reads == 2, "a failed read is not tried again by each caller"
    source.away = False
    source.moment += REST
    assert value.get() == 3


def test_a_first_read_that_fails_is_told_to_everybody_and_not_repeated_by_each(source: Source) -> None:
    value = Cached(source.read, 3.0)
    source.away = True
    for _ in range(5):
        with pytest.raises(DatabaseDown):
            value.get()
    assert source.reads == 1
    source.away = False
    source.moment += REST
    assert value.get() == 2


def test_a_value_that_may_not_be_told_for_ever_is_kept_only_until_it_is_stale(source: Source) -> None:
    value = Cached(source.read, 2.0, stale=10.0)
    value.get()
    source.away, source.hangs = True, 0.0
    source.moment += 9
    assert value.get() == 1
    source.moment += 1
    with pytest.raises(DatabaseDown):
        value.get()
    source.away = False
    source.moment += REST
    assert value.get() == source.reads


def test_it_is_never_too_young_to_be_read_and_too_old_to_be_told(source: Source) -> None:
    """A busy machine lets time pass between two looks at the clock; the database answers all the while."""
    value = Cached(source.read, 3.0, stale=3.0)
    value.get()
    source.moment += 2.98
    source.tick = 0.015
    assert value.get() == 1
    source.tick = 4.0
    assert [value.get(), value.get()] == [2, 3]


def test_reading_takes_no_more_than_its_share_of_the_time(source: Source) -> None:
    source.takes = 2.0
    value = Cached(source.read, 1.0, stale=5.0, share=20)
    value.get()
    source.moment += 39
    assert [value.get(), value.kept()] == [1, 1]
    source.moment += 1
    assert [value.kept(), value.get()] == [1, 2], "what is kept by another thread may be a little older"
    source.moment += 45
    assert value.kept() == 3


def test_everybody_is_told_why_the_read_failed(source: Source) -> None:
    value = Cached(source.read, 3.0, stale=3.0)
    source.away = True
    for _ in range(2):
        with pytest.raises(DatabaseUnable, match="disk is full"):
            value.get()
    assert source.reads == 1
    assert value.last is None


def test_the_first_value_is_waited_for_longer_than_a_newer_one() -> None:
    """With no value to tell, a caller can only be refused; with one, it need not wait."""
    slow, reads = threading.Event(), list[int]()

    def read() -> int:
        reads.append(len(reads))
        slow.wait(0.4 if len(reads) == 1 else 30)
        return len(reads)

    cached = Cached(read, 0.0, patience=0.1, first=20.0)
    assert cached.get() == 1
    assert cached.get() == 1, "the second read is not through"
    slow.set()
