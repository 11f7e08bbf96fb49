"""/openapi.json: valid, complete, and the same as what is served."""

from __future__ import annotations

import re
from collections.abc import Callable

import falcon.inspect
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from schema.http import openapi, operations, problems
from schema.rows import letters
from schema.sql.database import Database
from service.routes import docs
from tests.api import codes
from tests.api.conftest import BODY, Api

PEOPLE = re.compile(r"/$|/docs|/console|/favicon")  # pages and files for a browser


def test_every_route_is_described_and_every_description_is_a_route(api: Api) -> None:
    served = {
        (method.method, route.path)
        for route in falcon.inspect.inspect_routes(api.client.app)
        for method in route.methods
        if not method.internal and not PEOPLE.match(route.path)
    }
    described = {(operation.method, operation.path) for operation in operations.OPERATIONS}
    assert served == described


def test_every_answer_is_of_the_kind_that_is_described(api: Api, db: Database) -> None:
    """Decoded as the struct and encoded again it is the same: no field too many, none missing, none of another type."""
    job_id = api.submit(callback="https://hooks.example/webhook/x")
    batch_id = api.post("/api/reports/batch", {"jobs": [BODY], "callback": "https://hooks.example/x"}).json["batch_id"]
    letter_id = letters.bury_job(db, api.row(api.submit()), "render_failed", "It broke.", None)
    bodies = {"/api/reports/batch": {"jobs": [BODY]}, "/api/dead-letters/replay": {"ids": [letter_id]},
              "/api/dead-letters/discard": {"filter": {}, "dry_run": True}}  # fmt: skip
    api.post("/api/queues/webhooks/pause", {"why": "for the overview"})
    checked, at_once = 0, {"Prefer": "respond-async"}
    for operation in operations.OPERATIONS:
        path = operation.path.format(
            job_id=job_id,
            letter_id=letter_id,
            batch_id=batch_id,
            name="pdf",
            delivery_id="d",
            product_id="p",
            link_id="l",
            token="t",
        )
        for view in ("?view=letters", "") if path == "/api/dead-letters" else ("",):
            body = bodies.get(path, BODY if "reports" in path else None) if operation.method == "POST" else None
            answer = api.client.simulate_request(
                operation.method, path + view, json=body, host="127.0.0.1", headers=at_once
            )
            described = operation.answers.get(answer.status_code)
            if described and isinstance(described.body, type) and issubclass(described.body, msgspec.Struct):
                shown = msgspec.json.decode(answer.content, type=described.body)
                assert msgspec.json.encode(shown) == answer.content, path
                checked += 1
    assert checked > 15


@pytest.mark.parametrize("secured", [True, False])
def test_the_description_is_valid_openapi(secured: bool) -> None:
    described = msgspec.json.decode(msgspec.json.encode(openapi.document("http://127.0.0.1:8000", secured=secured)))
    assert described["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(described).validate()
    names = set(described["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/([^\"]+)\"", msgspec.json.encode(described).decode())) <= names
    ids = [operation.id for operation in operations.OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_every_example_is_accepted(api: Api) -> None:
    for operation in operations.OPERATIONS:
        if operation.example is not None and operation.path.startswith("/api/reports"):
            answer = api.post(operation.path, operation.example, headers={"Prefer": "wait=0"})
            assert answer.status_code == 202, answer.text


def test_every_code_has_a_meaning_and_a_remedy_and_stands_in_the_documentation(api: Api) -> None:
    page = api.get("/docs/problems").text
    used = {code for operation in operations.OPERATIONS for code in operation.problems} | set(operations.ALWAYS)
    assert used <= set(problems.CATALOGUE)
    for code, entry in problems.CATALOGUE.items():
        assert entry.title
        assert entry.next_step.endswith(".")
        assert f'id="{code}"' in page


def test_every_code_that_the_source_can_raise_has_a_meaning_and_a_remedy() -> None:
    raised = codes.raised()
    # The reading of the source works: a class's own, a keyword's, one of two, a dependency's.
    assert {"lease_lost", "callback_refused", "folder_full", "drive_unavailable", "artifact_id_invalid"} <= raised
    assert codes.everything() - set(problems.CATALOGUE) == set()


def test_no_remedy_sends_the_reader_to_where_they_are(api: Api) -> None:
    """The remedy stands on the dead letter's own page."""
    for code in (*problems.CATALOGUE, "KeyError"):
        assert "See the job's dead letter" not in problems.problem_of(code).next_step


def test_the_pages_load_nothing_from_anywhere(api: Api) -> None:
    for path in ("/docs", "/docs/problems"):
        answer = api.get(path)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)
        assert not re.search(r"@import|url\(", answer.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = api.get("/docs").text
    for operation in operations.OPERATIONS:
        assert f'id="{operation.id}"' in page


@pytest.mark.parametrize("secured", [True, False])
def test_people_read_code_as_code_and_titles_as_they_are(api_of: Callable[..., Api], secured: bool) -> None:
    api = api_of(api_keys="n8n:submit:submitter-key-0123456789") if secured else api_of()
    for path in ("/docs", "/docs/problems"):
        assert "`" not in api.get(path).text
    page = api.get("/docs").text
    assert "<code>invalid_json</code>: The body is not valid JSON" in page
    assert '<a href="/docs/problems">all codes</a>' in page
    assert (
        "Needs the role <code>read</code>; <code>submit</code> and <code>operate</code> include it." in page
    ) == secured
    assert ('class="role"' in page) == secured
    assert ("No key is needed" in page) != secured


def test_marks_in_a_description_never_become_other_markup() -> None:
    marked = docs._marked("<b>`<script>`</b> [x](javascript:alert) [all](/docs/problems) [out](//example.com)")
    assert marked == (
        "&lt;b&gt;<code>&lt;script&gt;</code>&lt;/b&gt; [x](javascript:alert) "
        '<a href="/docs/problems">all</a> [out](//example.com)'
    )


def test_documentation_needs_no_key_and_says_that_calls_do(api_of: Callable[..., Api]) -> None:
    api = api_of(api_keys="n8n:submit:submitter-key-0123456789")
    described = api.get("/openapi.json").json
    assert described["paths"]["/api/jobs"]["get"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert api.post("/api/reports/generate-async", BODY).status_code == 401
    assert "securitySchemes" not in openapi.document("http://x", secured=False)["components"]
