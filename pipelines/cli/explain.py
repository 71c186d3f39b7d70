"""The verb `explain`: one lead, or one operation, from its row to its journal."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.verbs.explain import Explained, explain_key
from pipelines.verbs.explain_operation import ExplainedOperation, explain_operation

_KNOWN_AS = {"created": "acknowledged", "adopted": "acknowledged", "skipped": "left alone"}
"""By the origin of a lead: what Kartra has of one that is left alone is not by our answers."""


@click.command(epilog="Example:  kartra-sync explain newsletter.yaml ann@example.org")
@click.argument("file", type=FILE)
@click.argument("key")
@click.option("--show", is_flag=True, help="Show values; without it they are masked.")
@common
def explain(file: Path, key: str, *, show: bool, as_json: bool) -> None:
    """One lead: its row, its mapping, what Kartra acknowledged, the decision and why, the journal.

    Or one operation, by its key: its row, what it asks for, what became of it.
    """
    config = read_file(file)
    operation = explain_operation(config, key, show=show)
    if operation is not None:
        _print(operation, _operation_lines(operation), as_json=as_json)
    else:
        lead = explain_key(config, key, show=show)
        _print(lead, _lead_lines(lead), as_json=as_json)


def _print(explained: Explained | ExplainedOperation, lines: Iterator[str], *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(explained))
    else:
        print_lines(lines)


def _lead_lines(explained: Explained) -> Iterator[str]:
    yield from _source_lines(explained.source_problem, "record", found=bool(explained.source))
    for row in explained.source:
        yield f"source: row {row.row}"
        yield from _values(row.record)
    if explained.mapped:
        yield "mapped to"
        yield from _values(explained.mapped)
    for state in explained.states:
        yield f"{_KNOWN_AS[state.origin]} ({state.mode}, {state.origin}, {state.changed_at[:19]})"
        yield from _values(state.acknowledged)
        for left in state.left_the_file:
            ends = "is taken back" if left.is_taken_back else "stays with the lead"
            yield f'has left the file: the {left.what} "{left.name}" {ends}'
        yield f"decision: {state.decision}"
    if explained.decision:
        yield f"decision: {explained.decision}"
    for entry in explained.journal:
        ended = entry.outcome or entry.state
        what = f" {entry.done}" if entry.done else ""
        why = ": ".join(filter(None, (entry.type, entry.reason)))
        yield f"journal: {(entry.sent_at or '')[:19]:19} {ended}{what}{f' ({why})' if why else ''}"


def _operation_lines(explained: ExplainedOperation) -> Iterator[str]:
    yield from _source_lines(explained.source_problem, "row", found=bool(explained.source))
    for row in explained.source:
        yield f"source: row {row.row}"
        yield from _values(row.record)
        if row.operation:
            yield f"asks for: {row.operation}, {row.target}"
        if row.problem:
            yield f"is not sent: {row.problem}"
    for entry in explained.journal:
        money = f" {entry.amount}" if entry.amount else ""
        why = f" ({entry.reason})" if entry.reason else ""
        at = (entry.settled_at or entry.sent_at or "")[:19]
        ended = entry.outcome or "sent, without an outcome"
        yield f"journal: {at:19} {entry.operation} {entry.target}{money}: {ended}{why}"
    yield f"decision: {explained.decision}"


def _source_lines(problem: str | None, what: str, *, found: bool) -> Iterator[str]:
    if problem:
        yield f"source: {problem}"
    elif not found:
        yield f"source: no {what} has this key"


def _values(values: Mapping[str, Any]) -> Iterator[str]:
    """What is blank is left out."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _values(value)
        elif value not in ("", []):
            yield f"  {name}: {', '.join(map(_text_of, value)) if isinstance(value, list) else value}"


def _text_of(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
