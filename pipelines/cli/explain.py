"""The verb `explain`: one lead, or one operation, from its row to its journal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines
from pipelines.verbs.explain import explain_key
from pipelines.verbs.explain_operation import explain_operation


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
    explained = operation or explain_key(config, key, show=show)
    if as_json:
        print_json(explained)
    else:
        print_lines(_operation_lines(explained) if operation else _lead_lines(explained))


def _lead_lines(explained: dict[str, Any]) -> Iterator[str]:
    if explained["source_problem"]:
        yield f"source: {explained['source_problem']}"
    elif not explained["source"]:
        yield "source: no record has this key"
    for row in explained["source"]:
        yield f"source: row {row['row']}"
        yield from _values(row["record"])
    if explained["mapped"]:
        yield "mapped to"
        yield from _values(explained["mapped"])
    for state in explained["states"]:
        yield f"acknowledged ({state['mode']}, {state['origin']}, {state['changed_at'][:19]})"
        yield from _values(state["acknowledged"])
        yield f"decision: {state['decision']}"
    if explained["decision"]:
        yield f"decision: {explained['decision']}"
    for entry in explained["journal"]:
        ended = entry["outcome"] or entry["state"]
        what = f" {entry['done']}" if entry["done"] else ""
        why = ": ".join(filter(None, (entry["type"], entry["reason"])))
        yield f"journal: {(entry['sent_at'] or '')[:19]:19} {ended}{what}{f' ({why})' if why else ''}"


def _operation_lines(explained: dict[str, Any]) -> Iterator[str]:
    if explained["source_problem"]:
        yield f"source: {explained['source_problem']}"
    elif not explained["source"]:
        yield "source: no row has this key"
    for row in explained["source"]:
        yield f"source: row {row['row']}"
        yield from _values(row["record"])
        if row["operation"]:
            yield f"asks for: {row['operation']}, {row['target']}"
        if row["problem"]:
            yield f"is not sent: {row['problem']}"
    for entry in explained["journal"]:
        money = f" {entry['amount']}" if entry["amount"] else ""
        why = f" ({entry['reason']})" if entry["reason"] else ""
        at = (entry["settled_at"] or entry["sent_at"] or "")[:19]
        ended = entry["outcome"] or "sent, without an outcome"
        yield f"journal: {at:19} {entry['operation']} {entry['target']}{money}: {ended}{why}"
    yield f"decision: {explained['decision']}"


def _values(values: dict[str, Any]) -> Iterator[str]:
    """What is blank is left out."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _values(value)
        elif value not in ("", []):
            yield f"  {name}: {', '.join(map(_text_of, value)) if isinstance(value, list) else value}"


def _text_of(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
