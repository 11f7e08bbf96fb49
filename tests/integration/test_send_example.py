"""`ops/reportq webhooks send-example URL` against a real receiver."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner, Result

from ops.commands.send_example import explain
from ops.commands.webhooks import app
from schema.callbacks.verdicts import Verdict
from schema.ports import Answer
from tests.loopback import loopback_only
from tests.receiver import Receiver

pytestmark = pytest.mark.usefixtures(loopback_only.__name__)

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def run(*arguments: str, allow: str = "127.0.0.0/8") -> Result:
    environ = {"REPORTQ_WEBHOOK_ALLOW": allow, "REPORTQ_WEBHOOK_SECRETS": SECRET}
    return CliRunner().invoke(app, ["send-example", *arguments], env=environ)


def test_an_accepted_example_is_signed_and_explained() -> None:
    with Receiver() as receiver:
        result = run(f"{receiver.url}/webhook/pdf-complete")
    assert result.exit_code == 0
    assert "would be delivered" in result.stdout
    request = receiver.requests[0]
    body = Webhook(SECRET).verify(request.body, request.headers)
    assert (body["status"], body["meta"]) == ("completed", {"example": True})
    assert request.target == "/webhook/pdf-complete"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failure_goes_where_failures_go(status: str) -> None:
    with Receiver() as receiver:
        assert run(f"{receiver.url}/webhook/pdf-complete", "--status", status).exit_code == 0
    assert receiver.requests[0].target == "/webhook/pdf-failed"
    assert json.loads(receiver.requests[0].body)["status"] == status


def test_a_builder_reads_what_is_wrong_with_the_workflow() -> None:
    body = b'{"code":404,"message":"This webhook is not registered for POST requests. Did you mean to make a GET request?"}'
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with Receiver(lambda request: answer + body) as receiver:
        result = run(receiver.url, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["status"], told["verdict"], told["code"]) == (404, "again", "webhook_wrong_method")
    assert "HTTP Method to POST" in told["explained"]


def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    with Receiver() as receiver:
        result = run(receiver.url, allow="")
    assert result.exit_code == 2
    assert receiver.connections == 0


def test_a_host_that_is_down_is_told_as_such() -> None:
    with Receiver() as receiver:
        url = receiver.url
    result = run(url)
    assert result.exit_code == 1
    assert "refused the connection" in result.stdout
    assert "again after" in result.stdout


def test_a_private_address_is_refused_with_what_to_do_for_this_call() -> None:
    with Receiver() as receiver:
        result = run(f"{receiver.url}/webhook/x", allow="")
    assert "the service's own REPORTQ_WEBHOOK_ALLOW decides" in result.output
    assert f"REPORTQ_WEBHOOK_ALLOW='127.0.0.1:{receiver.port}' ops/reportq webhooks send-example" in result.output


def test_a_name_that_leads_here_is_refused_with_what_to_do_for_this_call() -> None:
    verdict = Verdict("stop", "refused_address", code="webhook_address_refused", hint="…")
    answer = Answer(None, "refused_address", "", "", None, 0.1, "n8n is at 10.0.0.7.")
    assert "REPORTQ_WEBHOOK_ALLOW='n8n:5678' ops/reportq" in explain(answer, verdict, "http://n8n:5678/webhook/x")


def test_a_test_urls_200_is_not_taken_for_more_than_it_is() -> None:
    with Receiver() as receiver:
        result = run(f"{receiver.url}/webhook-test/pdf-complete")
    assert result.exit_code == 0
    assert "would be delivered" not in result.stdout
    assert "takes one call" in result.stdout
    assert "production URL" in result.stdout


@pytest.mark.parametrize(
    ("body", "exit_code", "told"),
    [
        (b"n8n is starting up. Please wait", 1, ["sent again after", "start-up page"]),
        (b"<!DOCTYPE html><html><body>editor</body></html>", 0, ["would be delivered", "web page", "check the URL"]),
        (b"OK", 0, ["would be delivered"]),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_page_is_told_apart_from_a_workflows_answer(
    body: bytes, exit_code: int, told: list[str], encoding: str
) -> None:
    sent = gzip.compress(body) if encoding == "gzip" else body
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: {encoding}\r\n"
    with Receiver(lambda request: f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent) as receiver:
        result = run(f"{receiver.url}/webhook/pdf-complete")
    assert result.exit_code == exit_code
    assert all(words in result.stdout for words in told)
    assert ("page" in result.stdout) == (body != b"OK")


def test_a_conflict_says_what_to_do() -> None:
    with Receiver(lambda request: b"HTTP/1.1 409 Conflict\r\nContent-Length: 5\r\n\r\nlater") as receiver:
        result = run(receiver.url)
    assert result.exit_code == 1
    assert "later" in result.stdout
    assert "should answer 503" in result.stdout


def test_a_url_is_shown_to_who_typed_it_as_it_was_typed() -> None:
    path = "/webhook/2f6c1b5e-Run7/pdf-complete?tenant=A1"
    with Receiver() as receiver:
        result = run(f"{receiver.url}{path}")
    assert f"POST {receiver.url}{path} " in result.stdout


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_resume_url_is_posted_to_whole_and_printed_redacted(options: tuple[str, ...]) -> None:
    target = "/webhook-waiting/778104629317?signature=" + "5ec2e7" * 10
    with Receiver() as receiver:
        result = run(f"{receiver.url}{target}", *options)
    assert receiver.requests[0].target == target
    assert "/webhook-waiting/…?signature=…" in result.stdout
    assert "778104629317" not in result.output
    assert "5ec2e7" not in result.output
