"""The options that several commands have, and what checks them."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Annotated, Any

import typer


def one_of(words: Sequence[str]) -> Callable[[str | None], str | None]:
    """An option's callback that refuses a mistyped word: a filter that fits nothing looks like nothing being there."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(words)}.")
        return value

    return check


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take options as a dataclass: typer sees the fields in the dataclass's place."""
    shown: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, one in inspect.signature(command, eval_str=True).parameters.items():
        own, group = [one], one.annotation
        if isinstance(group, type) and is_dataclass(group):
            own = list(inspect.signature(group, eval_str=True).parameters.values())
            groups[name] = (group, [field.name for field in own])
        shown += [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in own]

    def called(**given: Any) -> None:
        for name, (group, fields) in groups.items():
            given[name] = group(**{field: given.pop(field) for field in fields})
        command(**given)

    called.__doc__, called.__name__ = command.__doc__, command.__name__
    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return called


STATUSES = ("queued", "processing", "completed", "failed", "cancelled")
_STATUS = "Only jobs that are queued, processing, completed, failed or cancelled."
Status = Annotated[str | None, typer.Option(help=_STATUS, callback=one_of(STATUSES))]
Callback = Annotated[str | None, typer.Option(help="A new callback URL for this round.")]
FailureCallback = Annotated[str | None, typer.Option(help="A new failure URL for this round.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Why = Annotated[str | None, typer.Option("--why", help="The reason, kept in the audit.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000)]
Code = Annotated[str | None, typer.Option(help="Only this report code.")]
Product = Annotated[str | None, typer.Option(help="Only this product.")]
Error = Annotated[str | None, typer.Option(help="Only this error code.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
Rate = Annotated[float | None, typer.Option(help="At most so many a second.", min=0.01)]
Trial = Annotated[int, typer.Option(min=0, help="So many of each error go first; 0: no trial.")]
