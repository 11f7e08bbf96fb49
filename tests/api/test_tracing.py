"""The request that makes jobs is their first span, and their rows name it."""

from __future__ import annotations

from typing import Any

import falcon.testing
import pytest

from service.app import ApiParts, create_app
from tests.api.conftest import BODY, Api
from tests.spans import CALLER, PARENT, TRACE, Spans, ids, of

ASYNC = "/api/reports/generate-async"


class Traced:
    """An API whose spans are kept."""

    def __init__(self, api: Api, **settings: Any) -> None:
        self.spans, self.api = Spans(), api.anew(**settings)
        a = self.api
        parts = ApiParts(
            a.settings,
            a.db,
            a.documents,
            a.artifacts,
            wake=lambda: None,
            broker_ping=lambda: None,
            tracing=self.spans.tracing,
        )
        self.api.client = falcon.testing.TestClient(create_app(parts))

    def kept(self, job_id: str) -> str:
        return str(self.api.row(job_id)["traceparent"])


def test_a_job_continues_its_requests_span_and_that_the_callers(api: Api) -> None:
    traced = Traced(api)
    answer = traced.api.post(ASYNC, BODY, headers={"traceparent": PARENT})
    (span,) = traced.spans.named()
    assert ids(span) == (TRACE, CALLER)
    assert span.context is not None
    assert traced.kept(answer.json["job_id"]) == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert (span.name, span.kind.name) == (f"POST {ASYNC}", "SERVER")
    assert of(span) == {
        "http.request.method": "POST", "http.route": ASYNC, "http.response.status_code": 202,
        "reportq.job_id": answer.json["job_id"],
    }  # fmt: skip


def test_jobs_of_a_batch_continue_one_span(api: Api) -> None:
    traced = Traced(api)
    answer = traced.api.post("/api/reports/batch", {"jobs": [BODY, BODY]})
    (span,) = traced.spans.named("POST /api/reports/batch")
    assert of(span)["reportq.batch_id"] == answer.json["batch_id"]
    (kept,) = {traced.kept(job["job_id"]) for job in answer.json["jobs"]}
    assert kept.split("-")[1] == ids(span)[0]


@pytest.mark.parametrize(
    "header", ["", "x", f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{CALLER}", f"{PARENT}, {PARENT}"]
)
def test_a_trace_that_is_none_begins_another(api: Api, header: str) -> None:
    traced = Traced(api)
    answer = traced.api.post(ASYNC, BODY, headers={"traceparent": header})
    (span,) = traced.spans.named()
    trace, parent = ids(span)
    assert trace != TRACE
    assert parent == ""
    assert traced.kept(answer.json["job_id"]).split("-")[1] == trace


def test_refusals_are_spans_without_an_error_and_other_requests_none(api: Api) -> None:
    traced = Traced(api, public_url="http://localhost/reports-of-ours")
    for path in (ASYNC, f"/reports-of-ours{ASYNC}"):
        assert traced.api.post(path, {"code": 5}).status_code == 422
    assert traced.api.post("/api/reports/nothing", {}).status_code == 404
    assert traced.api.client.simulate_post(ASYNC, json=BODY, host="elsewhere.example").status_code == 403
    for path in ("/livez", "/api/jobs", "/metrics"):
        traced.api.get(path)
    assert [(span.name, of(span)["http.response.status_code"]) for span in traced.spans.named()] == [
        (f"POST {ASYNC}", 422), (f"POST {ASYNC}", 422), ("POST", 404), ("POST", 403),
    ]  # fmt: skip
    assert all(span.status.is_unset for span in traced.spans.named())
