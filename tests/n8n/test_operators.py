"""A message to operators is read by n8n, its signature verified by the shipped workflow."""

from __future__ import annotations

from itertools import count

import pytest

from actors.deliver.sender import SignedSender
from actors.housekeeping.news import News
from schema.callbacks.allow_list import AllowList
from schema.rows import pauses
from schema.settings import Settings
from schema.sql.database import Database
from tests.n8n import workflows
from tests.n8n.conftest import SECRET, System
from tests.n8n.server import N8n
from tests.n8n.test_workflows import Runs

pytestmark = pytest.mark.timeout(1200)


def test_a_pause_is_told_to_n8n_and_its_end(n8n: N8n, system: System) -> None:
    mine = Runs(n8n, workflows.VERIFY)
    sender = SignedSender([SECRET], version="1", allow=AllowList.parse("127.0.0.0/8"))
    db = Database(system.stack.mariadb.url)
    settings = Settings(database_url=system.stack.mariadb.url, operations_webhook=f"{n8n.url}/webhook/reportq-f")
    news = News(settings, db, lambda: sender, clock=map(float, count(0, 100)).__next__)
    scope = "host:nobody.example:443"

    def look() -> None:
        db.execute("UPDATE switches SET changed_at=%s WHERE name='told'", ("2020-01-01 00:00:00",))
        for _ in range(300):  # looks are spaced by what they cost, and this clock leaps
            news.step(leads=True)

    try:
        pauses.pause(db, scope, reason="é … <b>", by="night")
        look()
        pauses.resume(db, scope)
        look()
    finally:
        sender.close()
        db.close()
    began, ended = (run.items("Read it")[0] for run in mine.ended(2))
    facts = {(fact["change"], fact["key"], fact.get("subject")) for fact in began["facts"]}
    assert ("began", "paused", scope) in facts
    assert "is paused by night: é … &lt;b&gt;" in began["text"]
    assert ("ended", "paused", scope) in {(f["change"], f["key"], f.get("subject")) for f in ended["facts"]}
