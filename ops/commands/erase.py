"""`reportq erase`: everything of a person, on request."""

from dataclasses import asdict
from typing import Annotated

import typer

from actors.desk import erasure
from actors.process.runtime import build
from ops.commands.options import Json, Product, Why, Yes
from ops.commands.terminal import counted, desk, told


def erase(
    code: Annotated[str, typer.Option(help="The report's code: everything made of it goes.")],
    product: Product = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds to wait for jobs that are being worked on.")] = 120.0,
    why: Why = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Erase rows, inline data, attempts, callbacks, records, dead letters and PDFs of a code; the audit keeps that it was
    done, not of whom. Not reached: the source document, backups, what receivers keep."""
    with desk() as here:
        runtime = build(here.settings, db=here.db)
        try:
            found = erasure.preview(here.db, runtime.documents, code, product)
            if not dry_run:
                if not yes:
                    typer.confirm(f"Erase {_sentence(found)} for good?", abort=True)
                found = erasure.erase(
                    here.db, runtime.documents, runtime.artifacts, code, product, by=here.by, why=why, patience=patience
                )
        finally:
            runtime.documents.close()
            runtime.artifacts.close()
        here.wake()
    sentence = f"{'Would erase' if dry_run else 'Erased'} {_sentence(found)}."
    told(as_json, {"dry_run": dry_run, **asdict(found)}, sentence)


def _sentence(found: erasure.Erased) -> str:
    nouns = {name: name.replace("_", " ").removesuffix("s") for name in asdict(found)}
    return ", ".join(counted(number, nouns[name]) for name, number in asdict(found).items())
