"""What a bench gives: figures for a file, a table for a person, and what was asked beside the measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

Figures = Mapping[str, float]
"""Of one process: rows, seconds, cpu (seconds of processor), MiB at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A figure to reach: at most `limit`, or at least."""

    what: str
    limit: float
    measured: float
    at_least: bool = False

    @property
    def is_reached(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Report:
    figures: Mapping[str, Any]
    table: Table | None = None
    asked: Sequence[Asked] = field(default=())
    note: str = ""
    """Why there is nothing to show."""


def medians(runs: Sequence[Mapping[str, Figures]]) -> dict[str, dict[str, float]]:
    """Per name those of all runs."""
    return {
        name: {what: median(run[name][what] for run in runs) for what in figures}
        for name, figures in runs[0].items()
    }


def stage_table(stages: Mapping[str, Figures]) -> Table:
    table = _table("stage", "rows", "s", "s of processor", "rows a second", "MiB")
    for name, one in stages.items():
        table.add_row(
            name,
            f"{one['rows']:,.0f}",
            f"{one['seconds']:.2f}",
            f"{one['cpu']:.2f}",
            f"{one['rows'] / one['seconds']:,.0f}",
            f"{one['MiB']:,.0f}",
        )
    return table


def figure_table(figures: Mapping[str, Any]) -> Table:
    table = _table("what", "figure")
    for name, value in figures.items():
        table.add_row(name, _figure(value))
    return table


def asked_table(asked: Iterable[Asked]) -> Table:
    table = _table("asked", "", "measured", "reached")
    for one in asked:
        sign = "≥" if one.at_least else "≤"
        reached = "yes" if one.is_reached else "no"
        table.add_row(one.what, f"{sign} {_figure(one.limit)}", _figure(one.measured), reached)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _figure(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) and abs(value) < 1_000 else f"{value:,.0f}"
