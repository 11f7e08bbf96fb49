"""`reportq webhooks send-example URL`: signs and posts an example, and explains what was answered."""

import os
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import typer
from ulid import ULID

from actors.deliver.bodies import callback_body
from actors.deliver.sender import SignedSender
from ops.commands.options import Json, one_of
from ops.commands.terminal import REFUSED, WRONG_USAGE, allowed, err, out, print_json
from schema import VERSION
from schema.callbacks.receiver_headers import ReceiverHeaders
from schema.callbacks.urls import HOW_TO_ALLOW, check_literal, failure_url, host_key, is_resume_url, redact
from schema.callbacks.verdicts import History, Verdict, judge
from schema.errors import Refused
from schema.ports import Answer, End, Post, Sender
from schema.settings import Settings

STATUSES = ("completed", "failed", "cancelled")


def example(status: str) -> End:
    """The end that an example tells of; its job exists nowhere, and says so."""
    now = datetime.now(UTC)
    return End(
        job_id=f"pdf_example_{ULID()}", code="example", product_id="example", round=1, status=status, requested_at=now,
        ended_at=now, google_drive_link="https://drive.google.com/file/d/example/view" if status == "completed" else None,
        error_code={"failed": "template_not_found", "cancelled": "cancelled"}.get(status),
        error_message="This is an example: no report failed." if status == "failed" else None,
        meta={"example": True},
    )  # fmt: skip


def send(sender: Sender, url: str, status: str) -> tuple[str, Answer, Verdict]:
    """POST one example where a job's end would be told; returns the URL used, the answer and the verdict."""
    target = url if status == "completed" else failure_url(url, None)
    end = example(status)
    answer = sender.send(Post(target, f"msg_{end.job_id}_1", callback_body(end)))
    return target, answer, judge(answer, History())


def explain(answer: Answer, verdict: Verdict, url: str) -> str:
    """What the answer means for a real callback, in plain words, and what to do about it."""
    told = answer.detail if answer.status is None else f"The receiver answered {answer.status}."
    if verdict.kind == "delivered" and "/webhook-test/" in urlsplit(url).path:
        return (
            f"{told} This one was taken: a test URL takes one call after a click on Execute workflow. "
            "Give real jobs the production URL (/webhook/…) of a published workflow."
        )
    if verdict.kind == "delivered":
        return f"{told} A real callback would be delivered, and not be sent again. {verdict.hint or ''}".rstrip()
    hint = (_HERE.get(verdict.answer, verdict.hint) or "").removeprefix(told).lstrip()
    if verdict.code == "webhook_address_refused":
        hint = f"The host's address is private, local or reserved. {_how_to_allow(url)}"
    if verdict.kind == "again":
        return f"{told} A real callback would be sent again after {verdict.after:g} s. {hint}".rstrip()
    return f"{told} A real callback would be given up ({verdict.code}). {hint}".rstrip()


# Hints of a delivery's log that say too little of an example, which has none.
_HERE = {
    "conflict": "It says that the callback comes at the wrong time. Its answer stands above; a receiver that is not "
    "ready yet should answer 503, and is asked again.",
    "rejected": "It does not take this callback as it is. Correct what its answer above says.",
}


def _how_to_allow(url: str) -> str:
    return (
        "Asked were the settings of this shell; of real callbacks the service's own REPORTQ_WEBHOOK_ALLOW decides. For this "
        f"call: REPORTQ_WEBHOOK_ALLOW='{host_key(url)}' ops/reportq webhooks send-example …"
    )


def shown(url: str) -> str:
    """The URL as it was typed, at the terminal of who typed it; a resume URL or a password is for nobody's screen."""
    return redact(url) if is_resume_url(url) or "@" in urlsplit(url).netloc else url


def send_example(
    url: Annotated[str, typer.Argument(help="The callback URL to try.")],
    status: Annotated[
        str, typer.Option(help="completed, failed or cancelled.", callback=one_of(STATUSES))
    ] = "completed",
    as_json: Json = False,
) -> None:
    """Sign and post an example callback with this host's settings, and explain the answer.

    The exit code is 0 when a real callback would be delivered. A resume URL is used up by it, like by a real one.
    """
    settings = Settings.from_env(os.environ)
    allow = allowed(settings)
    try:
        check_literal(url, allow)
    except Refused as refused:
        err.print(f"{refused.code}: {refused.detail}", markup=False)
        if HOW_TO_ALLOW in refused.detail:
            err.print(_how_to_allow(url), markup=False)
        raise typer.Exit(WRONG_USAGE) from None
    headers, timeout = ReceiverHeaders.parse(settings.webhook_headers), settings.webhook_timeout
    sender = SignedSender(
        settings.signing_secrets, version=VERSION, allow=allow, timeout=timeout, connections=1, headers=headers
    )
    try:
        target, answer, verdict = send(sender, url, status)
    finally:
        sender.close()
    if as_json:
        print_json({
            "url": shown(target), "status": answer.status, "failure": answer.failure, "body": answer.body_head,
            "seconds": round(answer.duration, 3), "verdict": verdict.kind, "code": verdict.code,
            "explained": explain(answer, verdict, target),
        })  # fmt: skip
    else:
        body = [f"  {answer.body_head}"] if answer.body_head else []
        for line in (f"POST {shown(target)}  ({answer.duration:.2f} s)", *body, explain(answer, verdict, target)):
            out.print(line, markup=False)
    raise typer.Exit(0 if verdict.kind == "delivered" else REFUSED)
