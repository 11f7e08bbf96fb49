"""The status of a job says what its callback waits for."""

from __future__ import annotations

import pytest

from schema.callbacks.urls import host_key, lane_key
from schema.rows import pauses
from tests.api.conftest import Api

URL = "https://hooks.example/webhook/slow?key=0123456789abcdef"


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("host:" + lane_key(URL), "It waits, because one path of host:hooks.example:443 is paused: It is slow."),
        ("host:" + host_key(URL), "It waits, because host:hooks.example:443 is paused: It is slow."),
        ("queue:webhooks", "It waits, because queue:webhooks is paused: It is slow."),
        ("dependency:mongodb", "It waits, because dependency:mongodb is paused: It is slow."),
        ("dependency:drive", None),
        ("host:" + lane_key("https://hooks.example/webhook/other"), None),
        ("host:hooks.example:8443", None),
    ],
)
def test_a_waiting_callback_says_what_it_waits_for(api: Api, scope: str, said: str | None) -> None:
    job_id = api.submit(callback=URL)
    assert api.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    pauses.pause(api.db, scope, reason="It is slow.", by=pauses.OUTAGE, seconds=60)

    def told() -> list[str | None]:
        log = api.get(f"/api/jobs/{job_id}/deliveries").json["deliveries"]
        return [api.get(f"/api/jobs/{job_id}").json["webhook"]["hint"], *(one["hint"] for one in log)]

    assert told() == [said] * 2
    api.db.execute("UPDATE deliveries SET tries=1, hint='It answered 503.'")
    assert told() == [f"{said} It answered 503." if said else "It answered 503."] * 2
    api.db.execute("UPDATE deliveries SET status='dead'")
    assert told() == ["It answered 503."] * 2
