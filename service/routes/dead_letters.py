"""Dead letters: grouped by what they died of, one by one, replay and discard."""

from __future__ import annotations

import time
from typing import Any

import falcon
import msgspec

from actors.desk import bulk_replays
from actors.desk.bulk_replays import Manner, Summary
from schema.errors import Refused
from schema.http import operator_requests
from schema.http.problems import problem_of
from schema.rows import audit, letter_search, letters
from schema.sql.database import Database, Row
from schema.sql.times import moment
from service.door.bodies import read_body
from service.parts import ApiParts

_PAGE = 100
_SECONDS = 20.0  # one request replays for so long; the answer says what remains, and the same request goes on
_PATIENCE = 10.0  # seconds to wait for the first ones of a group


class DeadLetters:
    """GET /api/dead-letters."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Groups; with `view=letters` single letters, newest first, `cursor` being the last id of the page before."""
        query = operator_requests.read_query(req.params, operator_requests.LettersQuery)
        wanted = operator_requests.letters_asked(query, self._parts.db.clock())
        began = time.monotonic()
        if query.view == "letters":
            rows = letter_search.page(self._parts.db, wanted, _PAGE, query.cursor)
            body: dict[str, Any] = {
                "letters": [letter_shown(row) for row in rows],
                "next_cursor": rows[-1]["dead_letter_id"] if len(rows) == _PAGE else None,
            }
        else:
            body = listing(self._parts.db, wanted)
        resp.data = msgspec.json.encode(body | {"took_ms": round((time.monotonic() - began) * 1000, 1)})


class DeadLetter:
    """GET /api/dead-letters/{letter_id}."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def on_get(self, req: falcon.Request, resp: falcon.Response, letter_id: str) -> None:
        """Everything about one letter; traceback and raw message only for operators."""
        shown = one_letter(self._parts.db, letter_id)
        caller = req.context.caller
        if caller is not None and not caller.may("operate"):
            shown |= {"traceback": None, "raw": None}
        resp.data = msgspec.json.encode(shown)


class ReplayLetters:
    """POST /api/dead-letters/replay and /discard."""

    def __init__(self, parts: ApiParts, act: str) -> None:
        self._parts = parts
        self._act = act

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """What became of each match, and how many remain; repeat the request until none do."""
        body = read_body(req, self._parts.settings.max_body)
        asked = operator_requests.read(body, operator_requests.LettersAct)
        db = self._parts.db
        wanted = operator_requests.letters_meant(asked, db.clock())
        manner = Manner(
            by=req.context.owner or "api",
            why=asked.why,
            dry_run=asked.dry_run,
            rate=asked.rate,
            trial=asked.trial,
            patience=_PATIENCE,
            skip_newer=asked.skip_newer,
            seconds=_SECONDS,
            wake=self._parts.wake,
        )
        run = bulk_replays.replay_matching if self._act == "replay" else bulk_replays.discard_matching
        resp.data = msgspec.json.encode(summary_shown(run(db, wanted, manner)))


def listing(db: Database, wanted: letter_search.LetterFilter, limit: int = _PAGE) -> dict[str, Any]:
    """The groups as JSON shows them."""
    groups = letter_search.groups(db, wanted, limit)
    # Groups that all fit into one page have been counted already.
    total = sum(int(group["letters"]) for group in groups) if len(groups) < limit else letter_search.count(db, wanted)
    return {"total": total, "groups": [group_shown(group) for group in groups]}


def group_shown(group: Row) -> dict[str, Any]:
    """One fingerprint's letters together."""
    example, appeared = group["example"], group["appeared"] or {}
    return {
        "fingerprint": group["fingerprint"],
        "queue": group["queue"],
        "kind": group["kind"],
        "error_code": group["error_code"],
        "count": int(group["letters"]),
        "first_at": moment(group["first_at"]),
        "last_at": moment(group["last_at"]),
        "appeared_at": moment(appeared.get("at")),
        "appeared_in_version": appeared.get("version"),
        "next_step": problem_of(group["error_code"]).next_step,
        "example": {
            "dead_letter_id": example["dead_letter_id"],
            "job_id": example.get("job_id"),
            "code": example.get("code"),
            "product_id": example.get("product_id"),
            "error": example.get("error_message"),
        },
    }


def letter_shown(row: Row) -> dict[str, Any]:
    """One letter in a list."""
    names = ("dead_letter_id", "status", "queue", "kind", "job_id", "delivery_id", "round", "code", "product_id")
    return {name: row[name] for name in names} | {
        "error_code": row["error_code"],
        "error": row["error_message"],
        "fingerprint": row["fingerprint"],
        "attempts": row["attempts"],
        "first_failed_at": moment(row["first_failed_at"]),
        "last_failed_at": moment(row["last_failed_at"]),
        "version": row["version"],
        "resolved_at": moment(row["resolved_at"]),
        "resolved_by": row["resolved_by"],
    }


def one_letter(db: Database, letter_id: str) -> dict[str, Any]:
    """One letter with its traceback, what operators did, and a newer completed job of the same report; raises Refused."""
    row = letters.find(db, letter_id)
    if row is None:
        raise Refused(f"There is no dead letter {letter_id[:80]!r}.", code="dead_letter_not_found")
    newer = letter_search.newer_completed(db, row["code"], row["product_id"])
    acts = [
        act for subject in (letter_id, row["delivery_id"] or row["job_id"]) if subject for act in audit.of(db, subject)
    ]
    return letter_shown(row) | {
        "next_step": problem_of(row["error_code"]).next_step,
        "newer_completed_job": newer["job_id"] if newer and newer["job_id"] != row["job_id"] else None,
        "traceback": row["traceback"],
        "raw": letters.raw_body(row).decode("utf-8", "replace") if row["raw"] else None,
        "acts": [{"at": moment(act["at"]), "who": act["who"], "act": act["act"], "why": act["why"]} for act in acts],
    }


def summary_shown(summary: Summary) -> dict[str, Any]:
    """What a bulk replay came to."""
    return {
        "matched": summary.matched,
        "dry_run": summary.dry_run,
        "outcomes": dict(summary.outcomes),
        "remaining": summary.remaining,
        "interrupted": summary.interrupted,
        "stopped": summary.stopped,
        "newer_completed": summary.newer,
    }
