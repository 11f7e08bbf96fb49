"""The operators' webhook gets each lasting change once, grouped, however often processes start again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from actors.deliver.sender import SignedSender
from actors.housekeeping.news import LONGEST, REST, SETTLED, News
from ops.servers.process import wait_until
from ops.servers.receiver import Receiver
from schema.callbacks.allow_list import AllowList
from schema.errors import Permanent
from schema.rows import leadership, letters, news, pauses, workers
from schema.rows.messages import QUEUES
from schema.settings import SettingsError
from schema.sql.database import DatabaseDown
from tests.protocol.kit import World, answer

URL = "https://hooks.example/operations/T0/secret"
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Desk:
    """The operators: a sound system, time in the test's hands, and what they were told."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world, self.db, self.now = world, world.db, 1000.0
        self.begin()
        self.look()

    def begin(self) -> None:
        """A new process: it remembers nothing."""
        made = self.world.runtime.housekeeper.news
        assert made is not None
        self.news = News(made.settings, made.db, made.sender, clock=lambda: self.now)

    def look(self, after: float = 0.0, *, leads: bool = True) -> None:
        """Time passes for the process and for the row; everybody but what the test breaks is well."""
        self.now += after
        self.db.execute("UPDATE switches SET changed_at=%s WHERE name='told'", (self.ago(self.age(after)),))
        leadership.note_look(self.db, "", 0.0)
        self.world.runtime.housekeeper.lead()
        for queue in QUEUES:
            workers.seen(self.db, workers.Card(f"w/{queue}", queue, "h", 1, 2, "0"), busy=0)
        self.news.step(leads=leads)

    def age(self, more: float) -> float:
        return (news.last(self.db).age or 0.0) + more

    def ago(self, seconds: float) -> Any:
        return self.db.scalar(f"SELECT {self.db.later(-seconds)}")

    def lasts(self) -> None:
        """What is so now is so for long."""
        for _ in range(3):
            self.look(SETTLED + 1)

    def told(self) -> list[list[tuple[str, str, str]]]:
        """Each message's facts."""
        found = [
            [(fact["change"], fact["key"], fact.get("subject", "")) for fact in body["facts"]]
            for body in self.world.mouth.bodies
        ]
        self.world.mouth.posts.clear()
        return found


@pytest.fixture
def desk(world_of: Callable[..., World]) -> Desk:
    return Desk(world_of(operations_webhook=URL))


PAUSED = ("paused", "queue:pdf")


def pause(desk: Desk, scope: str = "queue:pdf", by: str = "ann", **more: Any) -> None:
    pauses.pause(desk.db, scope, reason="<b> & so", by=by, **more)


def test_a_sound_system_is_no_news(desk: Desk) -> None:
    desk.lasts()
    assert desk.told() == []


def test_trouble_and_its_end_are_told_once_in_words_that_slack_and_n8n_read(desk: Desk) -> None:
    pause(desk)
    desk.lasts()
    desk.lasts()
    [body] = desk.world.mouth.bodies
    assert (body["type"], body["state"]) == ("operations.changed", "warn")
    assert "queue:pdf is paused by ann: &lt;b&gt; &amp; so" in body["text"], "no command of Slack's"
    assert body["facts"][0]["means"].endswith("<b> & so")
    assert desk.told() == [[("began", *PAUSED)]]
    pauses.resume(desk.db, "queue:pdf")
    desk.lasts()
    [body] = desk.world.mouth.bodies
    assert body["state"] == "good"
    assert "Over: paused queue:pdf" in body["text"]
    assert desk.told() == [[("ended", *PAUSED)]]


def test_what_passes_is_no_news(desk: Desk) -> None:
    for _ in range(5):
        pause(desk)
        desk.look(SETTLED - 10)
        pauses.resume(desk.db, "queue:pdf")
        desk.look(SETTLED - 10)
    assert desk.told() == []


def test_at_most_one_message_a_minute_holds_all_that_changed_meanwhile(desk: Desk) -> None:
    pause(desk)
    desk.lasts()
    assert len(desk.told()) == 1
    desk.db.execute("UPDATE switches SET changed_at=%s WHERE name='told'", (desk.ago(0),))
    pauses.resume(desk.db, "queue:pdf")
    pause(desk, "dependency:drive", by="outage")
    pause(desk, "host:n8n:443", by="outage")
    desk.look()
    desk.look(SETTLED)
    assert desk.told() == [], "half a minute since the last one"
    desk.look(REST - SETTLED)
    [[*facts]] = desk.told()
    assert set(facts) == {
        ("began", "dependency_down", "drive"), ("began", "receiver_down", "n8n:443"), ("ended", *PAUSED),
    }  # fmt: skip


def test_a_restart_repeats_nothing_and_forgets_nothing(desk: Desk) -> None:
    pause(desk)
    desk.lasts()
    desk.told()
    desk.begin()
    desk.lasts()
    assert desk.told() == []
    pauses.resume(desk.db, "queue:pdf")
    desk.begin()
    desk.lasts()
    assert desk.told() == [[("ended", *PAUSED)]]


@pytest.mark.parametrize("refusal", [answer(500), answer(404), answer(302), answer(None, failure="timeout")])
def test_a_message_that_is_not_taken_causes_no_other_and_comes_again_more_and_more_rarely(
    desk: Desk, refusal: Any
) -> None:
    desk.world.mouth.answers = [refusal] * 1000
    pause(desk)
    before = desk.now
    while desk.now < before + 6 * LONGEST:
        desk.look(SETTLED)
    ids = [post.webhook_id for post in desk.world.mouth.posts]
    assert 8 < len(ids) < 16
    assert len(set(ids)) == 1
    assert set(map(tuple, desk.told())) == {(("began", *PAUSED),)}
    tables = ("dead_letters", "deliveries", "delivery_attempts")
    assert [desk.db.scalar(f"SELECT COUNT(*) FROM {table}") for table in tables] == [0, 0, 0]
    desk.world.mouth.answers = []
    desk.look(LONGEST)
    desk.lasts()
    assert desk.told() == [[("began", *PAUSED)]]


def failed(desk: Desk, code: str) -> str:
    def draw(*_: object) -> bytes:
        raise Permanent("It cannot be drawn.", code=code)

    desk.world.pen.work = draw
    desk.world.hint(job_id := desk.world.submit("Nama Orang"))
    desk.db.execute("UPDATE pdf_job_results SET ended_at=%s", (desk.ago(900),))  # that many fail lately is another fact
    return job_id


def test_a_kind_of_dead_letter_is_told_once_however_many_die_of_it(desk: Desk) -> None:
    failed(desk, "invalid_data")
    desk.lasts()
    [body] = desk.world.mouth.bodies
    [fact] = body["facts"]
    assert (fact["key"], fact["severity"]) == ("new_dead_letter", "warn")
    assert "invalid_data in pdf; open: 1." in fact["means"]
    assert "Nama Orang" not in str(body)
    desk.told()
    jobs = [failed(desk, "invalid_data") for _ in range(2)]
    desk.lasts()
    assert desk.told() == [], "of the same kind"
    failed(desk, "template_invalid")
    desk.lasts()
    assert len(desk.told()) == 1
    for job_id in [*jobs, *(row["job_id"] for row in desk.db.fetch_all("SELECT job_id FROM dead_letters"))]:
        letters.resolve_of_job(desk.db, job_id, "discarded", "ann")
    desk.lasts()
    assert desk.told() == [], "that nothing is left to look at is no trouble"
    failed(desk, "invalid_data")
    desk.lasts()
    assert len(desk.told()) == 1, "it came again after all were looked at"


def test_thousands_of_kinds_and_hosts_make_one_message_of_bounded_size(desk: Desk) -> None:
    for number in range(400):
        pause(desk, f"host:{'h' * 200}{number}:443", by="outage", seconds=3600)
        letters.bury_raw(
            desk.db, "pdf", f"dl_{number}", b"x", f"code_{'abcdefghij'[number % 10] * (number + 1)}"[:60], "x" * number
        )
    desk.lasts()
    [post] = desk.world.mouth.posts
    assert len(post.body) < 400_000
    [body] = desk.world.mouth.bodies
    assert len(body["text"].splitlines()) == 22
    assert len(body["text"]) < 12_000
    assert len(desk.db.scalar("SELECT value FROM switches WHERE name='told'")) < 65_000
    desk.told()
    desk.lasts()
    assert desk.told() == []
    pause(desk, "dependency:drive", by="outage")  # is worse than all these
    desk.lasts()
    assert desk.told() == [[("began", "dependency_down", "drive")]], "and nothing is over that lasts"


def test_a_canary_that_is_missing_is_told_and_one_that_was_switched_off_is_not(desk: Desk) -> None:
    news.note_canary(desk.db, "h" * 200)
    news.note_canary(desk.db, "other")
    desk.db.execute("UPDATE switches SET changed_at=%s WHERE name LIKE %s", (desk.ago(400), "canary %"))
    desk.lasts()
    [facts] = desk.told()
    assert {key for _, key, _ in facts} == {"canary_missing"}
    assert len(facts) == 2
    news.note_canary(desk.db, "h" * 200)
    news.forget_canary(desk.db, "other")
    desk.lasts()
    [facts] = desk.told()
    assert {(change, key) for change, key, _ in facts} == {("ended", "canary_missing")}
    assert len(facts) == 2


def test_a_database_that_is_away_is_told_and_that_it_is_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pause(desk)
    desk.lasts()
    desk.told()

    def away(*_: object) -> None:
        raise DatabaseDown("It does not answer.")

    with monkeypatch.context() as broken:
        broken.setattr("schema.rows.signs.read", away)
        desk.lasts()
        desk.lasts()
        assert desk.told() == [[("began", "database_down", "database")]]
    for _ in range(3):
        desk.look(SETTLED + 1, leads=False)  # another one leads by now
    assert desk.told() == [[("ended", "database_down", "database")]]
    desk.lasts()
    assert desk.told() == []


def test_who_does_not_lead_tells_nothing(desk: Desk) -> None:
    pause(desk)
    for _ in range(5):
        desk.look(SETTLED + 1, leads=False)
    assert desk.told() == []


def test_nobody_is_told_without_the_setting(world: World) -> None:
    assert world.runtime.housekeeper.news is None


@pytest.mark.parametrize(
    "url", ["hooks.example/T0", "ftp://hooks.example/T0", "http://127.0.0.1:1/x", "https://a@b.example/"]
)
def test_a_webhook_that_cannot_be_called_is_refused_at_start(world_of: Callable[..., World], url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        world_of(operations_webhook=url).runtime.verify()
    assert str(refused.value).startswith("REPORTQ_OPERATIONS_WEBHOOK: ")
    assert "T0" not in str(refused.value)


def test_a_real_receiver_gets_it_signed_from_the_relays_own_thread(
    world_of: Callable[..., World], tmp_path: Path
) -> None:
    with Receiver(tmp_path / "receiver") as receiver:
        world = world_of(operations_webhook=receiver.url("/operations"), sweep=0.05)
        sender = SignedSender([SECRET], version="1", allow=AllowList.parse("127.0.0.1"))
        world.runtime.__dict__["sender"] = sender
        made = world.runtime.housekeeper.news
        assert made is not None
        made.clock = map(float, count(0, 40)).__next__
        pauses.pause(world.db, "queue:pdf", reason="x", by="ann")
        world.runtime.start_relay()
        try:
            wait_until(lambda: bool(receiver.posts()), 30, "operators are told")
        finally:
            world.runtime.stop_work()
            sender.close()
        [post, *_] = receiver.posts()
        body = Webhook(SECRET).verify(post.body, {name.lower(): value for name, value in post.headers.items()})
        assert ("began", "paused") in {(fact["change"], fact["key"]) for fact in body["facts"]}
        assert post.path == "/operations"
