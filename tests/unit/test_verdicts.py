"""The table of verdicts, row by row."""

from __future__ import annotations

import pytest

from schema.callbacks.answers import SCHEDULE, TABLE
from schema.callbacks.verdicts import History, judge
from schema.ports import Answer

RUNNING = '{"code":0,"message":"The execution \\"7\\" is running already."}'
FINISHED = '{"code":0,"message":"The execution \\"7 has finished already."}'
FAILED = '{"code":0,"message":"The execution \\"7\\" has finished with error."}'
UNKNOWN_EXECUTION = '{"code":404,"message":"The execution \\"7\\" does not exist."}'
WRONG_METHOD = (
    '{"code":404,"message":"This webhook is not registered for POST requests. Did you mean to make a GET request?"}'
)
INACTIVE = (
    '{"code":404,"message":"The requested webhook \\"POST x\\" is not registered.",'
    '"hint":"The workflow must be active for a production URL to run successfully. '
    'You can activate the workflow using the toggle in the top-right of the editor."}'
)
TEST_URL = (
    '{"code":404,"message":"The requested webhook \\"x\\" is not registered.",'
    '"hint":"Click the \'Execute workflow\' button on the canvas, then try again. '
    '(In test mode, the webhook only works for one call after you click this button)"}'
)


def answered(status: int, body: str = "", *, retry_after: float | None = None) -> Answer:
    content_type = "application/json" if body.startswith("{") else "text/html"
    return Answer(status, None, content_type, body, retry_after, 0.1)


def failed(failure: str) -> Answer:
    return Answer(None, failure, "", "", None, 0.1)


def waits(answer: Answer, *, spent: float = 0.0) -> tuple[list[float], str | None]:
    """All waits that the same answer leads to, each try taking `spent` seconds, and the stop's code."""
    earlier: list[tuple[str, float]] = []
    found: list[float] = []
    while True:
        verdict = judge(answer, History.of(earlier))
        if verdict.kind != "again":
            return found, verdict.code
        found.append(verdict.after)
        earlier = [(name, ago + verdict.after + spent) for name, ago in [*earlier, (verdict.answer, 0.0)]]
        assert len(found) < 500


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    verdict = judge(answered(status), History(had_unknown=True))
    assert (verdict.kind, verdict.code, verdict.unconfirmed) == ("delivered", None, False)


START_PAGE = "n8n is starting up. Please wait"  # packages/cli/src/abstract-server.ts


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/plain", "application/json", ""])
@pytest.mark.parametrize(
    "body",
    [
        START_PAGE,
        "N8N is starting up. Please wait...",
        "n8n is starting up - please wait",
        "n8n is still starting.",
        "n8n is currently migrating, please wait a moment",
        "n8n is starting up",
        "<html><body><h1>n8n is starting up</h1><p>Please wait</p></body></html>",
        '<!doctype html><html><head><title>n8n</title></head><body class="x">n8n is starting up.<br>Please wait.</body></html>',
        "<!DOCTYPE html><html><head><title>n8n - Workflow Automation</title></head><body><div>n8n is starting up. Please wait",
        "<html><head><title>n8n is starting up</title></head><body><img src=x></body></html>",
        '{"message":"n8n is starting up. Please wait"}',
        '{"code":503,"message":"n8n is starting up. Please wait"}',
        '"n8n is starting up. Please wait"',
    ],
)
def test_the_start_page_of_n8n_is_no_delivery_whatever_its_form(body: str, content_type: str, status: int) -> None:
    page = Answer(status, None, content_type, body, None, 0.1)
    assert waits(page) == (list(SCHEDULE[1:]), "webhook_exhausted")
    verdict = judge(page, History(had_unknown=True))
    assert (verdict.kind, verdict.answer) == ("again", "start_page")
    assert "start-up page" in str(verdict.hint)


@pytest.mark.parametrize(
    "body",
    [
        "OK",
        "",
        '{"message":"Workflow was started"}',
        "n8n is starting up the report workflow",
        "n8n is starting your workflow",
        "<p>Thank you. n8n is starting up. Please wait</p>",
        '{"message":"received","note":"n8n is starting up. Please wait"}',
        'If you see "n8n is starting up. Please wait", load the page again.',
        "n8n is starting up. Please wait. " + "It takes a while, as this page explains. " * 10,
        "The service is starting up. Please wait",
    ],
)
def test_what_a_receiver_says_of_its_own_is_delivered_without_a_hint(body: str) -> None:
    for content_type in ("text/html", "application/json"):
        verdict = judge(Answer(200, None, content_type, body, None, 0.1), History())
        assert (verdict.kind, verdict.answer, verdict.hint) == ("delivered", "accepted", None)


@pytest.mark.parametrize(
    "body",
    [
        "<!doctype html><html><head><title>n8n.io - Workflow Automation</title></head><body><div id=app></div></body></html>",
        "  <!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><html>",
        "<html lang=en><body>Welcome to nginx!",
        '<?xml version="1.0"?> <!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">',
        "<body>It works!</body>",
    ],
)
def test_any_other_page_is_delivered_once_with_a_hint(body: str) -> None:
    for content_type in ("text/html", "text/plain"):
        verdict = judge(Answer(200, None, content_type, body, None, 0.1), History())
        assert (verdict.kind, verdict.code) == ("delivered", None)
        assert "web page" in str(verdict.hint)


@pytest.mark.parametrize("body", ["<p>thanks</p>", "<b>ok</b>", "<header>", "<htmlx>"])
def test_a_piece_of_html_is_an_answer_like_any_other(body: str) -> None:
    assert judge(answered(200, body), History()).hint is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answered(409, FINISHED), "webhook_execution_finished"),
        (answered(409, FAILED), "webhook_execution_finished"),
        (answered(409, "{}"), "webhook_conflict"),
        (answered(401, '{"error":"Invalid token"}'), "webhook_resume_url_changed"),
        (answered(401, "Authorization is required!"), "webhook_unauthorized"),
        (answered(410), "webhook_gone"),
        (answered(301), "webhook_redirected"),
        (answered(307), "webhook_redirected"),
        (answered(403), "webhook_forbidden"),
        (answered(403, "Authorization data is wrong!"), "webhook_unauthorized"),
        (answered(403, '{"message":"authorization data is WRONG!"}'), "webhook_unauthorized"),
        (answered(403, "Bots are not allowed"), "webhook_forbidden"),
        (answered(400), "webhook_rejected"),
        (answered(405), "webhook_rejected"),
        (answered(413), "webhook_rejected"),
        (answered(422), "webhook_rejected"),
        (answered(101), "webhook_rejected"),
        (answered(600), "webhook_rejected"),
        (failed("refused_address"), "webhook_address_refused"),
    ],
)
def test_a_final_answer_stops_at_once_with_a_code_and_a_hint(answer: Answer, code: str) -> None:
    verdict = judge(answer, History())
    assert (verdict.kind, verdict.code) == ("stop", code)
    assert verdict.hint is not None
    assert verdict.hint.endswith(".")


def test_a_running_execution_is_asked_again_soon_and_for_thirty_minutes() -> None:
    found, code = waits(answered(409, RUNNING))
    assert found[:7] == [1, 2, 5, 10, 20, 20, 20]
    assert set(found[5:]) == {20}
    assert 1780 <= sum(found) <= 1800
    assert code == "webhook_never_waited"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (UNKNOWN_EXECUTION, "webhook_not_listening"),
        (WRONG_METHOD, "webhook_wrong_method"),
        (INACTIVE, "webhook_workflow_inactive"),
        (TEST_URL, "webhook_test_url"),
    ],
)
def test_a_json_404_is_tried_five_times_within_ten_minutes(body: str, code: str) -> None:
    found, stop = waits(answered(404, body))
    assert len(found) == 4
    assert sum(found) <= 600
    assert stop == code
    assert judge(answered(404, body), History()).hint  # told from the first try on
    assert len(waits(answered(404, body), spent=100)[0]) < 4  # slow answers do not lengthen the ten minutes


@pytest.mark.parametrize(
    "answer",
    [
        answered(404, "<!DOCTYPE html>Cannot POST /webhook/x"),
        answered(408),
        answered(425),
        answered(429),
        answered(500),
        answered(502, "<html>"),
        answered(503),
        answered(599),
        failed("connect"),
        failed("timeout"),
        failed("reset"),
        failed("tls"),
        failed("too_large"),
    ],
)
def test_a_host_that_is_away_gets_the_long_schedule(answer: Answer) -> None:
    assert waits(answer) == (list(SCHEDULE[1:]), "webhook_exhausted")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answered(409, RUNNING), "has not reached its Wait node yet"),
        (answered(404, "<!DOCTYPE html>Cannot POST /webhook/x"), "while it starts"),
        (answered(429), "asked to be called later"),
        (answered(503), "an error of its own"),
        (failed("connect"), "could not be reached"),
        (failed("timeout"), "nobody knows whether"),
        (failed("tls"), "certificate was not accepted"),
        (answered(404, WRONG_METHOD), "Set HTTP Method to POST"),
        (answered(404, UNKNOWN_EXECUTION), "Nothing waits for a POST"),
    ],
)
def test_the_hint_of_a_first_try_states_nothing_that_has_not_happened(answer: Answer, says: str) -> None:
    first = judge(answer, History())
    assert first.kind == "again"
    assert first.hint is not None
    assert says in first.hint
    assert "hours" not in first.hint
    assert "minutes" not in first.hint


def test_the_hint_of_a_stop_says_for_how_long_it_was_tried() -> None:
    exhausted = judge(answered(503), History.of([("server_error", 1.0)] * (len(SCHEDULE) - 1)))
    assert (exhausted.kind, "for hours" in str(exhausted.hint)) == ("stop", True)
    never = judge(answered(409, RUNNING), History.of([("running", 1799.0)]))
    assert (never.kind, "after 30 minutes" in str(never.hint)) == ("stop", True)


def test_a_window_begins_anew_after_the_host_was_away() -> None:
    """n8n said 404 while it started, was away for an hour, and says 404 while it starts again."""
    for before, body in (("missing", answered(404, UNKNOWN_EXECUTION)), ("running", answered(409, RUNNING))):
        earlier = [(before, 3600.0), (before, 3590.0), ("unreachable", 3500.0), ("unreachable", 1700.0)]
        assert judge(body, History.of(earlier)).after == judge(body, History()).after
        assert judge(body, History.of(reversed(earlier))).after == judge(body, History()).after
        assert judge(body, History.of([*earlier, (before, 600.0)])).after != judge(body, History()).after
        assert judge(body, History.of([(before, 3600.0), ("missing", 60.0), ("running", 60.0)])).kind == "stop"
    assert (
        judge(answered(503), History.of([("unreachable", 9.0), ("missing", 5.0), ("busy", 1.0)])).after == SCHEDULE[3]
    )


def test_the_schedule_is_jittered_by_a_fifth_at_most_and_can_be_scaled_down() -> None:
    busy = answered(503)
    low, high = (judge(busy, History(), chance=chance).after for chance in (0.0, 0.999999))
    assert low == pytest.approx(4)
    assert high == pytest.approx(6, abs=0.001)
    assert judge(busy, History(), schedule_scale=0.01).after == pytest.approx(0.05)
    assert judge(answered(409, RUNNING), History(), schedule_scale=0.1).after == pytest.approx(0.1)
    late = History.of([("running", 17.0)])
    assert judge(answered(409, RUNNING), late).kind == "again"
    assert judge(answered(409, RUNNING), late, schedule_scale=0.009).kind == "stop"


def test_retry_after_is_honoured_upwards_and_within_bounds() -> None:
    assert judge(answered(429, retry_after=60), History()).after == 60
    assert judge(answered(503, retry_after=0), History()).after == 5
    assert judge(answered(503, retry_after=1e9), History()).after == SCHEDULE[-1]
    assert judge(answered(409, RUNNING, retry_after=60), History()).after == 1


@pytest.mark.parametrize("earlier", ["unknown"])
@pytest.mark.parametrize("body", [FINISHED, FAILED])
def test_finished_after_an_unknown_outcome_means_that_it_had_arrived(earlier: str, body: str) -> None:
    verdict = judge(answered(409, body), History.of([("running", 60.0), (earlier, 30.0)]))
    assert (verdict.kind, verdict.unconfirmed) == ("delivered", True)
    assert judge(answered(409, body), History.of([("server_error", 30.0)])).kind == "stop"


def test_each_kind_of_answer_climbs_its_own_ladder() -> None:
    earlier = History.of([("unreachable", 50.0), ("starting", 40.0), ("missing", 20.0), ("running", 5.0)])
    assert earlier.answers == {"long": 2, "missing": 1, "running": 1}
    assert earlier.since_first == {"long": 50.0, "missing": 20.0, "running": 5.0}
    assert judge(answered(409, RUNNING), earlier).after == 2
    assert judge(answered(503), earlier).after == SCHEDULE[3]
    assert judge(answered(404, UNKNOWN_EXECUTION), earlier).after == 60


def test_every_row_has_a_name_of_its_own_and_every_stop_a_code_and_a_hint() -> None:
    names = [rule.answer for rule in TABLE]
    assert len(set(names)) == len(names)
    assert all(rule.code and rule.hint for rule in TABLE if rule.answer not in ("accepted", "page"))
    assert TABLE[-1].matches(failed("anything else"))
