"""A plan as Markdown, for a review: counts, the largest changes, what can send mail, what is not taken back.

Names and values are other people's text. Each stands in a code span of its own, where nothing is markup, no
link and no mention; and never in a table, whose cells a bar would end.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappush, heappushpop
from itertools import count

from pipelines.changes.shown import NameChange, ShownChange, ValueChange
from pipelines.cli.output import printable
from pipelines.cli.screens import duration, ends_words
from pipelines.load.cautions import Caution, not_taken_back
from pipelines.state.plans import SavedPlan
from pipelines.verbs.plan import PlanResult

LEADS_SHOWN = 10
"""Leads with the most changes."""
KINDS_SHOWN = 30
"""Fields and names; how many more there are is said."""


@dataclass(slots=True)
class Largest:
    """What a review needs of all changes, gathered as they go by: the kinds, and the leads with most."""

    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    _leads: list[tuple[int, int, ShownChange]] = field(default_factory=list)
    # Counts down, so that among leads with equally many changes the heap keeps the first, and never
    # compares the changes themselves.
    _number: Iterator[int] = field(default_factory=lambda: count(0, -1))

    def see(self, change: ShownChange) -> None:
        self.kinds.update(map(_value_kind, change.values))
        self.kinds.update(map(_name_kind, change.names))
        one = (change.size, next(self._number), change)
        (heappush if len(self._leads) < LEADS_SHOWN else heappushpop)(self._leads, one)

    def leads(self) -> list[ShownChange]:
        """Those with the most changes; of leads with as many, the first of the source."""
        return [change for _, _, change in sorted(self._leads, reverse=True)]


def markdown_lines(
    pipeline: str,
    result: PlanResult,
    cautions: Iterable[Caution],
    changes: Iterable[ShownChange],
    now: datetime,
    saved: SavedPlan | None = None,
) -> Iterator[str]:
    """The document. `changes` are gone through once."""
    largest = Largest()
    for change in changes:
        largest.see(change)
    summary = result.summary
    yield f"# Plan of {code(pipeline)}"
    yield ""
    account = summary.account
    if account:
        whose = code(account["name"] or account["fingerprint"] or "")
        yield f"Account {whose}, {'Test' if account['mode'] == 'test' else 'Live'} mode. Nothing was sent."
        yield ""
    if saved is not None:
        yield f"Saved as {code(saved.plan_id)} by {code(saved.made_by)}. It is applied once, as it is here."
        yield ""
    yield from _counts(result, now)
    yield from _largest(largest)
    yield from _mailing(result)
    yield from _kept(result)
    yield from _listed("Good to know", [text(one.message) for one in cautions])
    yield from _listed("Notes", [text(note) for note in summary.notes])
    if result.refusal:
        yield from _listed("A run would be stopped", [text(str(result.refusal))])


def _counts(result: PlanResult, now: datetime) -> Iterator[str]:
    rows = {**result.summary.counts.rows_json(), **result.summary.counts.leads_json()}
    yield "| | count |"
    yield "|---|---:|"
    for name, number in rows.items():
        if number:
            yield f"| {name} | {number:,} |"
    for name, number in sorted(result.plan.actions.items()):
        yield f"| {name} | {number:,} |"
    yield f"| calls | {result.calls:,} |"
    yield ""
    if result.calls:
        yield f"It takes {duration(result.seconds)} at the set rate and {ends_words(result, now)}."
        yield ""


def _largest(largest: Largest) -> Iterator[str]:
    kinds = largest.kinds.most_common(KINDS_SHOWN)
    lines = [f"{number:,} leads: {what} {code(name)}" for (what, name), number in kinds]
    if (more := len(largest.kinds) - len(kinds)) > 0:
        lines.append(f"and {more:,} more kinds of change")
    yield from _listed("The largest changes", lines)
    leads = [
        f"{where_of(change)}{code(change.key)} {change.outcome}, {change.size} changes:"
        f" {', '.join(_parts(change))}"
        for change in largest.leads()
    ]
    yield from _listed("Leads with the most changes", leads)


def _parts(change: ShownChange) -> Iterator[str]:
    for value in change.values:
        old = "" if not value.old else f"{code(value.old)} to "
        yield f"{value.kind} {code(value.name)} {old}{code(value.new) if value.new else 'blank'}"
    for name in change.names:
        yield f"{name.sign} {name.what} {code(name.name)}"


def where_of(change: ShownChange) -> str:
    return f"row {change.row:,}, " if change.row is not None else ""


def _mailing(result: PlanResult) -> Iterator[str]:
    named = [
        f"{number:,} leads get {what.partition(' ')[0]} {code(what.partition(' ')[2][1:-1])}"
        for what, number in result.plan.triggered.most_common(KINDS_SHOWN)
    ]
    yield from _listed("What can send mail", named or ["nothing that is given starts automations by itself"])


def _kept(result: PlanResult) -> Iterator[str]:
    kept = [f"{number:,} × {why}" for number, why in not_taken_back(result.plan.actions)]
    yield from _listed("What is not taken back", kept or ["nothing: all of it can be undone"])


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"## {title}"
        yield ""
        yield from (f"- {line}" for line in lines)
        yield ""


def _value_kind(value: ValueChange) -> tuple[str, str]:
    return value.kind, value.name


def _name_kind(name: NameChange) -> tuple[str, str]:
    return f"{name.sign} {name.what}", "" if name.what == "point" else name.name


def code(foreign: str) -> str:
    """Foreign text as a code span: the fence is longer than any run of backticks in it."""
    shown = printable(foreign)
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if not shown.strip() or "`" in shown else f"{fence}{shown}{fence}"


def text(ours: str) -> str:
    """A sentence of ours that holds foreign words."""
    return code(" ".join(ours.split()))
