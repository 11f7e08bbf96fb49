"""Dead letters: grouped by cause or one by one; replay and discard."""

import time
from collections.abc import Callable

import falcon

from actors.desk import bulk_replays
from actors.desk.bulk_replays import Manner, Summary
from schema.errors import Refused
from schema.http import queries, requests
from schema.http.letter_responses import BulkSummary, Example, Letter, LetterAct, LetterGroup, Letters, LetterSummary
from schema.http.problems import problem_of
from schema.http.responses import shown
from schema.rows import audit, letter_search, letters
from schema.rows.columns import LetterRow
from schema.rows.letter_search import FoundGroup, LetterFilter
from schema.sql.database import Database
from schema.sql.times import moment
from service.routes.route import Route, answer, by

_PAGE = 100
_SECONDS = 20.0  # Seconds that one request works. The answer says what remains; the same request goes on with it.
_PATIENCE = 8.0  # Seconds to wait for the first ones of a group.


class DeadLetters(Route):
    """GET /api/dead-letters and …/{letter_id}; POST …/replay and …/discard."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Groups; with `view=letters` single letters, newest first, `cursor` being the last id of the page before."""
        query = queries.read_query(req.params, queries.LettersQuery)
        db = self.parts.db
        wanted = queries.letters_asked(query, db.clock())
        if query.view == "groups":
            answer(resp, grouped(db, wanted))
            return
        began = time.monotonic()
        rows = letter_search.page(db, wanted, _PAGE, query.cursor)
        cursor = rows[-1]["dead_letter_id"] if len(rows) == _PAGE else None
        summaries = [letter_shown(row) for row in rows]
        answer(resp, Letters(letters=summaries, next_cursor=cursor, took_ms=_since(began)))

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, letter_id: str) -> None:
        """Everything about one letter; traceback and raw message only for operators."""
        letter = one_letter(self.parts.db, letter_id)
        caller = req.context.caller
        if caller is not None and not caller.may("operate"):
            letter.traceback = letter.raw = None
        answer(resp, letter)

    def on_post_replay(self, req: falcon.Request, resp: falcon.Response) -> None:
        """What became of each match, and how many remain; repeat the request until none do."""
        self._act(req, resp, bulk_replays.replay_matching)

    def on_post_discard(self, req: falcon.Request, resp: falcon.Response) -> None:
        """As on_post_replay."""
        self._act(req, resp, bulk_replays.discard_matching)

    def _act(
        self, req: falcon.Request, resp: falcon.Response, run: Callable[[Database, LetterFilter, Manner], Summary]
    ) -> None:
        asked = self.asked(req, requests.LettersAct)
        db = self.parts.db
        wanted = queries.letters_meant(asked, db.clock())
        manner = Manner(
            by=by(req),
            why=asked.why,
            dry_run=asked.dry_run,
            rate=asked.rate,
            trial=asked.trial,
            patience=_PATIENCE,
            skip_newer=asked.skip_newer,
            seconds=_SECONDS,
            wake=self.parts.wake,
        )
        answer(resp, summary_shown(run(db, wanted, manner)))


def grouped(db: Database, wanted: LetterFilter, limit: int = _PAGE) -> Letters:
    """The groups, the most frequent first."""
    began = time.monotonic()
    groups = letter_search.groups(db, wanted, limit)
    # Groups that all fit into one page have been counted already.
    total = sum(group["letters"] for group in groups) if len(groups) < limit else letter_search.count(db, wanted)
    return Letters(total=total, groups=[_group(group) for group in groups], took_ms=_since(began))


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _group(group: FoundGroup) -> LetterGroup:
    """One fingerprint's letters together."""
    example, appeared = group["example"], group["appeared"]
    return shown(
        LetterGroup,
        group,
        count=group["letters"],
        queue=example["queue"],
        kind=example["kind"],
        error_code=example["error_code"],
        appeared_at=moment(appeared["at"]) if appeared else None,
        appeared_in_version=appeared["version"] if appeared else None,
        next_step=problem_of(example["error_code"]).next_step,
        example=shown(Example, example, error=example["error_message"]),
    )


def letter_shown(row: LetterRow) -> LetterSummary:
    """One letter in a list."""
    return shown(LetterSummary, row, error=row["error_message"])


def one_letter(db: Database, letter_id: str) -> Letter:
    """One letter with its traceback, what operators did, and a newer completed job of the same report; raises Refused."""
    row = letters.find(db, letter_id)
    if row is None:
        raise Refused(f"There is no dead letter {letter_id[:80]!r}.", code="dead_letter_not_found")
    newer = letter_search.newer_completed(db, row["code"], row["product_id"])
    subjects = filter(None, (letter_id, row["delivery_id"] or row["job_id"]))
    return shown(
        Letter,
        row,
        error=row["error_message"],
        next_step=problem_of(row["error_code"]).next_step,
        newer_completed_job=newer["job_id"] if newer and newer["job_id"] != row["job_id"] else None,
        raw=letters.raw_body(row).decode("utf-8", "replace") if row["raw"] else None,
        acts=[shown(LetterAct, act, at=moment(act["at"])) for subject in subjects for act in audit.of(db, subject)],
    )


def summary_shown(summary: Summary) -> BulkSummary:
    """What a bulk replay came to."""
    return BulkSummary(
        matched=summary.matched,
        dry_run=summary.dry_run,
        outcomes=dict(summary.outcomes),
        remaining=summary.remaining,
        interrupted=summary.interrupted,
        stopped=summary.stopped,
        newer_completed=summary.newer,
    )
