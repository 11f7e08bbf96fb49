"""Asks everything that the settings name, for `config check` and for `doctor`, so that both find the same faults."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import peewee

from actors.process.runtime import Runtime
from ops.commands.outlook import begin
from ops.commands.terminal import there, words_of
from schema.callbacks.receiver_headers import ReceiverHeaders
from schema.errors import ReportqError
from schema.rows import keys
from schema.settings import SettingsError
from schema.sql.migrate import pending

NOT_ASKED = "not asked: the database cannot be used"


@dataclass(frozen=True)
class Ask:
    """One question: by its setting for `config check`, by its part for `doctor`."""

    name: str
    part: str
    ask: Callable[[Runtime], object]
    what_to_do: str
    rows: Callable[[Runtime], bool] = lambda runtime: False  # whether the answer stands in the database


def faults(runtime: Runtime, wait: float = 60.0) -> dict[Ask, str | None]:
    """Every question with what is wrong, None where nothing is; what a bad database would only say again is not asked.

    What stands in the database is asked in turn, everything else beside it; what takes longer than `wait` seconds is told.
    """
    until = time.monotonic() + wait
    first = [one for one in ASKS if one.part == "database" or one.rows(runtime)]
    found: dict[Ask, str | None] = {}

    def in_turn() -> None:
        usable = True
        for one in first:
            found[one] = _fault(one, runtime) if usable else NOT_ASKED
            usable = usable and not (found[one] and one.part in ("database", "tables"))

    def alone(one: Ask) -> Callable[[], None]:
        return lambda: found.__setitem__(one, _fault(one, runtime))

    begin({"": in_turn} | {one.name: alone(one) for one in ASKS if one not in first})(until)
    late = f"It has not answered within {wait:.1f} s."
    told = dict(found)
    if any(one not in told for one in first):  # only the first of them was waited for
        rest = [one for one in first if one not in told]
        told |= {rest[0]: late} | dict.fromkeys(rest[1:], NOT_ASKED)
    return {one: told.get(one, late) for one in ASKS}


def _fault(one: Ask, runtime: Runtime) -> str | None:
    try:
        one.ask(runtime)
    except ReportqError as error:
        return error.detail
    except (SettingsError, ValueError) as error:
        return str(error)
    except peewee.PeeweeException as error:
        return words_of(error)
    except Exception as error:  # whatever a client library raises
        return f"{type(error).__name__} (the URL may be wrong, or the server away)"
    return None


def _database(runtime: Runtime) -> None:
    there(runtime.settings)
    runtime.db.ping()


def _tables(runtime: Runtime) -> None:
    if steps := pending(runtime.db):
        raise ValueError(f"{', '.join(steps)} not applied yet: starting the service does it.")


ASKS = (
    Ask(
        "REPORTQ_WEBHOOK_ALLOW", "callbacks", lambda runtime: runtime.verify_webhooks(),
        "Correct REPORTQ_WEBHOOK_ALLOW or REPORTQ_OPERATIONS_WEBHOOK.",
    ),
    Ask(
        "REPORTQ_WEBHOOK_HEADERS", "headers", lambda runtime: ReceiverHeaders.parse(runtime.settings.webhook_headers),
        "Correct REPORTQ_WEBHOOK_HEADERS.",
    ),
    Ask(
        "REPORTQ_DATABASE_URL", "database", _database,
        "Check REPORTQ_DATABASE_URL: host, port, user, password and database.",
    ),
    Ask(
        "migrations", "tables", _tables, "Start the API or a relay once: it brings them up to date.",
        rows=lambda runtime: True,
    ),
    Ask(
        "keys", "keys", lambda runtime: keys.require_keys(runtime.db, runtime.settings),
        "Make a key: ops/reportq keys make NAME --role operate; or set REPORTQ_HOST to 127.0.0.1 and no REPORTQ_PUBLIC_URL.",
        rows=lambda runtime: True,
    ),
    Ask(
        "REPORTQ_DOCUMENTS_URL", "documents", lambda runtime: runtime.documents.ping(),
        "Check REPORTQ_DOCUMENTS_URL: host, port, user, password and database.",
        rows=lambda runtime: runtime.settings.documents_url.startswith("database:"),
    ),
    Ask(
        "REPORTQ_ARTIFACTS_URL", "PDF store", lambda runtime: runtime.artifacts.ping(),
        "Check REPORTQ_ARTIFACTS_URL and REPORTQ_GDRIVE_CREDENTIALS.",
    ),
    Ask(
        "REPORTQ_BROKER_URL", "broker",
        lambda runtime: None if runtime.settings.embedded else runtime.publisher.ping(),
        "Check REPORTQ_BROKER_URL: host, port, user, password and virtual host.",
    ),
)  # fmt: skip
