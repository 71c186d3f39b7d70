"""What people read: summaries and tables. Personal data is masked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.privacy import mask_text
from connectors.unseen import defused
from pipelines.cli.output import print_lines
from pipelines.cli.streams import drawn
from pipelines.cli.terminal import columns_of, has_colours
from pipelines.contacts.held_back import held_back_lines
from pipelines.summary import OperationsSummary, Summary
from pipelines.words.numbers import counted
from pipelines.words.outcomes import in_words

if TYPE_CHECKING:  # pandas comes with them, and the tables of `runs` need none
    from pipelines.load.cautions import Caution
    from pipelines.operations.job import OperationsPlan
    from pipelines.operations.journal import ParkedOperation
    from pipelines.state.refusals import ParkedLead
    from pipelines.state.runs import Run
    from pipelines.tables.reports import ReportRows
    from pipelines.verbs.plan import PlanResult
    from pipelines.verbs.rejects import Reject
    from pipelines.verbs.run import RunResult

CALLS_A_DAY = 20 * 86_400
"""The most calls of an App in a day: 20 a second (§2.1)."""
TRIGGERS_SHOWN = 10
RATE_SHOWN_FROM = 20
"""The calls from which on a rate is shown: over fewer it says nothing."""

WIDTH_OF_A_FILE = 160
"""The width of a table in a file or a pipe, which have none of their own."""

_ROWS = {
    "invalid": "invalid",
    "duplicate": "same key as another row",
    "blocked": "without consent, opted out or forgotten",
}
_LEADS = {
    "unchanged": "unchanged",
    "created": "created",
    "edited": "edited",
    "removed": "removed",
    "skipped": "left alone",
    "rejected": "refused by Kartra",
    "parked": "held back: a person has to act",
    "deferred": "waiting for the next run",
}


def run_lines(result: RunResult) -> Iterator[str]:
    """The summary a run ends with."""
    summary = result.summary
    status = "done, but not for every row," if result.status == "partial" else result.status
    yield f"{result.pipeline}: {status} in {summary.seconds:.1f} s (run {result.run_id})"
    yield from account_lines(summary.account)
    if result.has_loaded:
        yield from _counted(summary)
    if summary.operations is not None:
        yield from _operated(summary.operations, summary, rows=not result.has_loaded)
    label = "pulled"
    for table, count in summary.counts.pulled.items():
        what = table.replace("_", " ")
        yield f"  {label:<7}{count:>8,} {what.removesuffix('s') if count == 1 else what}"
        label = ""
    calls = f"  {'calls':<7}{summary.counts.sent:>8,} sent"
    if summary.counts.sent >= RATE_SHOWN_FROM and summary.seconds:
        calls += f", {summary.counts.sent / summary.seconds:.1f} a second"
    for name, count in (
        ("asked to wait", summary.counts.throttled),
        ("sent again", summary.counts.retried),
        ("to read a lead", summary.counts.read_back),
    ):
        calls += f", {count:,} {name}" if count else ""
    yield calls
    if summary.counts.not_removed:
        yield f"  {counted(summary.counts.not_removed, 'lead')} gone from the source could not be removed"
    for note in summary.notes:
        yield f"  note: {note}"


def account_lines(account: Mapping[str, str | None]) -> Iterator[str]:
    """The account in a line: by its name, or by a fingerprint where the file gives no name."""
    if account:
        mode = ", Test mode" if account["mode"] == "test" else ""
        if account.get("shown") not in (None, account["mode"]):
            mode = f", the file says {account['mode']} and the App was in {account['shown']} mode"
        yield f"  account {account['name'] or account['fingerprint']}{mode}"


def ends_words(result: PlanResult, now: datetime) -> str:
    """When a run that began `now` would end by this machine's clock, and its share of a day's calls."""
    end = now + timedelta(seconds=result.seconds)
    at = f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"ends about {at}, with {percent(result.calls)} of the calls an App has in a day"


def percent(calls: int) -> str:
    share = 100 * calls / CALLS_A_DAY
    return "less than 0.1%" if share < 0.1 else f"{share:,.1f}%"


def plan_lines(
    pipeline: str, result: PlanResult, now: datetime, cautions: Iterable[Caution] = ()
) -> Iterator[str]:
    """What a run would do that began `now`."""
    yield f"{pipeline}: plan, nothing was sent"
    yield from account_lines(result.summary.account)
    is_load = result.operations is None and (result.pull is None or bool(result.summary.counts.read))
    if is_load or result.plan.changes:
        yield from _counted(result.summary)
    if result.operations is not None:
        yield from operations_plan_lines(result.operations)
    for name, count in sorted(result.plan.actions.items()):
        yield f"  {count:>15,} × {name}"
    for number, (what, count) in enumerate(result.plan.triggered.most_common(TRIGGERS_SHOWN)):
        label, leads = "gives" if number == 0 else "", "lead" if count == 1 else "leads"
        yield f"  {label:<7}{count:>8,} {leads} {mask_text(what)}"
    if new := result.plan.new_fields:
        yield f"  {'creates':<7}{len(new):>8,} custom fields: {', '.join(map(str, new))}"
    if result.pull is not None:
        yield f"  {'pull':<7}{result.pull.leads:>8,} leads to read, and the sales that show up with them"
    yield f"  {'calls':<7}{result.calls:>8,} estimated, {duration(result.seconds)} at the set rate"
    if result.calls:
        yield f"  {'':<14}{ends_words(result, now)}"
        if result.plan.created:
            yield f"  {'':<14}and two more for each new lead that Kartra has already"
    for caution in cautions:
        yield f"  know:  {caution.message}"
    for note in result.summary.notes:
        yield f"  note: {note}"


def print_table(table: Table) -> None:
    """On a terminal that is too narrow, a card for each row instead: no cell is cut.

    Cells are other people's text: no markup, and nothing that leaves its place.
    """
    width = columns_of(sys.stdout)
    if width is not None and not _is_read_easily(table, width):
        print_lines(_cards(table))
        return
    console = _Screen(
        width=_UNBOUNDED,
        markup=False,
        emoji=False,
        highlight=False,
        color_system="auto" if has_colours(sys.stdout) else None,
    )
    # A file has room for the longest word.
    console.width = width or max(WIDTH_OF_A_FILE, _narrowest(table))
    with console.capture() as captured:  # rich itself would end the process where nobody reads on
        console.print(table)
    drawn(captured.get())


_UNBOUNDED = 100_000
FEWEST_OF_WORDS = 30
"""Columns that running words need to be read."""


def _is_read_easily(table: Table, width: int) -> bool:
    """Whether it fits as it is, or with its widest column wrapped, and that not into a strip."""
    widths = [max(cell_len(str(cell)) for cell in (one.header, *one.cells)) for one in table.columns]
    *others, widest = sorted(widths) or [0]
    room = width - sum(others) - _lines_between(len(widths))
    return room >= min(widest, FEWEST_OF_WORDS)


def _narrowest(table: Table) -> int:
    """The width at which no word is cut; rich would draw each cell to measure it, which takes long."""
    return _lines_between(len(table.columns)) + sum(
        max(cell_len(word) for cell in (one.header, *one.cells) for word in str(cell).split() or [""])
        for one in table.columns
    )


def _lines_between(columns: int) -> int:
    return 3 * columns + 1


def _cards(table: Table) -> Iterator[str]:
    """The first cell as the head of a card, the others with their names below it; blank ones are left out."""
    names = [str(column.header) for column in table.columns]
    label = max(map(len, names[1:]), default=0)
    for row in zip(*(column.cells for column in table.columns), strict=True):
        head, *values = (" ".join(str(cell).splitlines()) for cell in row)
        yield f"{names[0]} {head}" if head.isdigit() or not head else head
        yield from (
            f"  {name:<{label}}  {value}" for name, value in zip(names[1:], values, strict=True) if value
        )


class _Screen(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(defused(" ".join(text.splitlines())), **options)


def runs_table(runs: Sequence[Run]) -> Table:
    table = Table("run", "pipeline", "mode", "started (UTC)", "status", "read", "sent", "message")
    for run in runs:
        summary = json.loads(run.summary) if run.summary else {}
        table.add_row(
            run.run_id,
            run.pipeline,
            run.mode,
            minute(run.started_at),
            run.status,
            f"{summary.get('rows', {}).get('read', 0):,}",
            f"{summary.get('calls', {}).get('sent', 0):,}",
            (run.message or "").partition("\n")[0],
        )
    return table


def parked_table(leads: Sequence[ParkedLead]) -> Table:
    table = Table("key", "lead id", "mode", "what", "since (UTC)", "why")
    for lead in leads:
        table.add_row(
            lead.key,
            lead.lead_id or "",
            lead.mode,
            lead.what or "the lead",
            minute(lead.since),
            lead.reason or "sent once, not proven",
        )
    return table


def parked_operations_table(operations: Sequence[ParkedOperation]) -> Table:
    table = Table("key", "row", "mode", "operation", "on", "amount", "since (UTC)", "why")
    for one in operations:
        table.add_row(
            one.key,
            str(one.row or ""),
            one.mode,
            one.operation,
            one.target,
            one.amount or "",
            minute(one.since),
            one.reason or "",
        )
    return table


def drift_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("key", "lead id", "in Kartra", "looked at (UTC)", "what comes of it")
    for line in lines:
        table.add_row(line["key"], line["lead_id"], line["told"], minute(line["looked_at"]), line["comes"])
    return table


def report_table(found: ReportRows) -> Table:
    """A report as a table, with numbers on the right."""
    table = Table()
    for place, column in enumerate(found.columns):
        values = [row[place] for row in found.rows]
        # A text of digits without a point is often the number of a thing, a transaction for one, and not an
        # amount.
        is_number = all(isinstance(value, int) or _is_amount(value) for value in values if value is not None)
        table.add_column(column.replace("_", " "), justify="right" if is_number and values else "left")
    for row in found.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    return table


def rejects_table(rows: Sequence[Reject]) -> Table:
    table = Table("row", "line", "key", "kind", "type", "reason", "since")
    for row in rows:
        since = f"{row.since[:10]}, {row.times} runs" if row.since else "new"
        table.add_row(
            str(row.row),
            str(row.line or ""),
            row.key or "",
            in_words(row.kind),
            row.type or "",
            row.reason,
            since,
        )
    return table


def _is_amount(value: str | int) -> bool:
    whole, point, parts = str(value).removeprefix("-").partition(".")
    return bool(point) and whole.isdigit() and parts.isdigit()


def minute(stored: str) -> str:
    return f"{datetime.fromisoformat(stored):%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


_OPERATIONS = {
    "done": "done",
    "already_done": "done before, or so already",
    "refused": "refused",
    "refused_before": "refused before, not sent again",
    "parked": "held back: nobody can prove what became of them",
    "unknown": "without an answer: the next run reads back what became of them",
    "deferred": "not sent",
    "to_do": "to be sent",
    "invalid": "invalid",
    "duplicate": "the same as another row",
    "blocked": "of people who were forgotten",
}


def operations_plan_lines(plan: OperationsPlan) -> Iterator[str]:
    """What would be done, and the money of it."""
    values = plan.to_json()
    yield from _outcome_lines(values["outcomes"])
    for number, (name, count) in enumerate(values["operations"].items()):
        yield f"  {'sends' if number == 0 else '':<11}{count:>8,} × {name}"
    if plan.bill.total:
        yield f"  {'money':<11}{values['money']['to_refund']:>8} to refund"
    for line in plan.repeated.lines:
        yield f"  note: {line}"


def _operated(operations: OperationsSummary, summary: Summary, *, rows: bool) -> Iterator[str]:
    if rows:
        yield f"  {'rows':<11}{summary.counts.read:>8,} read"
    yield from _outcome_lines(operations.outcomes)
    label = "money"
    for amount, words in (
        (operations.refunded, "refunded"),
        (operations.refunded_before, "refunded before"),
        (operations.parked, "of refunds that are parked"),
    ):
        if amount != "0.00":
            yield f"  {label:<11}{amount:>8} {words}"
            label = ""


def _outcome_lines(outcomes: Mapping[str, int]) -> Iterator[str]:
    label = "operations"
    for name, words in _OPERATIONS.items():
        if count := outcomes.get(name, 0):
            yield f"  {label:<11}{count:>8,} {words}"
            label = ""


def _counted(summary: Summary) -> Iterator[str]:
    yield f"  {'rows':<7}{summary.counts.read:>8,} read"
    for name, words in _ROWS.items():
        if count := getattr(summary.counts, name):
            yield f"  {count:>15,} {words}"
    yield from held_back_lines(summary.counts.held_back)
    if summary.counts.not_chosen:
        yield f"  {summary.counts.not_chosen:>15,} more are none of this load, by load.only"
    label = "leads"
    for name, words in _LEADS.items():
        if count := summary.counts.leads[name]:
            yield f"  {label:<7}{count:>8,} {words}"
            label = ""
    if label:
        yield "  leads         0 to send"
