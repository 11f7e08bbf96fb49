"""What every comparing bench shares: turns (A B A B), a table of medians with their spread, a plot, the last line.

A turn runs every contender once, so that whatever else the machine does slows all of them alike. Ratios are taken turn
by turn; the result is their median.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Figures = dict[str, float]
Contender = Callable[[], Figures]

console = Console(highlight=False, soft_wrap=True)


@dataclass
class Results:
    """The figures of each contender, one entry a turn."""

    turns: dict[str, list[Figures]] = field(default_factory=dict)

    def add(self, who: str, figures: Figures) -> None:
        self.turns.setdefault(who, []).append(figures)

    def values(self, who: str, figure: str) -> list[float]:
        return [turn[figure] for turn in self.turns[who]]

    def median(self, who: str, figure: str) -> float:
        return statistics.median(self.values(who, figure))

    def ratio(self, who: str, other: str, figure: str) -> float:
        """Median of the turns' ratios."""
        pairs = zip(self.values(who, figure), self.values(other, figure), strict=True)
        return statistics.median(a / b if b else float("inf") for a, b in pairs)

    def table(self, title: str) -> Table:
        """Median, least and most of every figure."""
        table = Table(title=title, title_justify="left")
        table.add_column("")
        names = list(next(iter(self.turns.values()))[0])
        for name in names:
            table.add_column(name.replace("_", " "), justify="right")
        for who in self.turns:
            cells = []
            for name in names:
                values = self.values(who, name)
                spread = f" [dim]({_short(min(values))}–{_short(max(values))})[/]" if len(values) > 1 else ""
                cells.append(_short(statistics.median(values)) + spread)
            table.add_row(who, *cells)
        return table

    def show(self, asked: argparse.Namespace, title: str, figure: str, plotted: str) -> None:
        """Print the table; plot one figure of it where that is asked for."""
        console.print(self.table(title))
        if asked.plot:
            self.plot(asked.plot, figure, plotted)

    def plot(self, path: Path, figure: str, title: str) -> None:
        """One bar a contender: the median, with least and most."""
        names = list(self.turns)
        medians = [self.median(name, figure) for name in names]
        low = [median - min(self.values(name, figure)) for name, median in zip(names, medians, strict=True)]
        high = [max(self.values(name, figure)) - median for name, median in zip(names, medians, strict=True)]
        axes, save = canvas(path, title, height=0.6 + 0.6 * len(names))
        axes.barh(names, medians, xerr=[low, high], color=["#2a6f97"] + ["#a9b4bd"] * (len(names) - 1), capsize=4)
        axes.invert_yaxis()
        axes.set_xlabel(figure.replace("_", " "))
        save()


def canvas(path: Path, title: str, *, height: float) -> tuple[Any, Callable[[], None]]:
    """Axes to draw on, and what writes them into the file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    drawing, axes = pyplot.subplots(figsize=(7, height), layout="constrained")
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)

    def save() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, dpi=144)
        pyplot.close(drawing)

    return axes, save


def take_turns(contenders: Mapping[str, Contender], turns: int) -> Results:
    """Every contender once, then every contender again, `turns` times."""
    results = Results()
    for turn in range(1, turns + 1):
        for who, run in contenders.items():
            figures = run()
            results.add(who, figures)
            told = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in figures.items())
            console.print(f"[dim]turn {turn} of {turns}  {who}: {told}[/]")
    return results


def parser(name: str, doc: str | None, turns: int = 0) -> argparse.ArgumentParser:
    """The options that benches share; without turns there are none."""
    made = argparse.ArgumentParser(
        prog=f"python -m ops.bench {name}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if not turns:
        return made
    made.add_argument("--turns", type=int, default=turns, help=f"times every contender runs ({turns})")
    made.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the medians")
    return made


def last_line(name: str, **figures: float) -> None:
    """The line for programs: bare decimals."""
    print(" ".join([name, *(f"{key}={_bare(value)}" for key, value in figures.items())]), flush=True)


def over(what: str, found: float, target: float, unit: str = "") -> None:
    """Say that a figure is over its target, where it is."""
    if found > target:
        console.print(f"[yellow]{what} is over the target of {target:g}{unit}[/]")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0–1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _bare(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
