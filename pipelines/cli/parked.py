"""The verb `parked`: what is not sent until somebody acts."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from pipelines.cli.files import quoted, read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines, print_next
from pipelines.cli.screens import parked_operations_table, parked_table, print_table
from pipelines.operations.journal import ParkedOperation
from pipelines.state.refusals import ParkedLead
from pipelines.verbs.parked import parked_of


@click.command(epilog="Example:  kartra-sync parked newsletter.yaml --show")
@click.argument("file", type=FILE)
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
def parked(file: Path, *, show: bool, as_json: bool) -> None:
    """What is not sent until somebody acts: unproven effects, refused leads, what is held back."""
    found = parked_of(read_file(file), show=show)
    if as_json:
        print_json(asdict(found))
        return
    for held in found.held_back:
        print_lines([f"held back since {held.since[:19]}: {held.what} ({held.type}: {held.reason})"])
    if found.operations:
        print_table(parked_operations_table(found.operations))
        _print_next(found.operations, "it", file)
    if found.leads:
        print_table(parked_table(found.leads))
        _print_next(found.leads, "the lead", file)
    if not (found.operations or found.leads or found.held_back):
        print_lines(["nothing"])


def _print_next(parked: Sequence[ParkedLead | ParkedOperation], what: str, file: Path) -> None:
    if any(one.kind == "unproven" for one in parked):
        resolve = f"kartra-sync resolve {quoted(file)} KEY --landed or --not-landed"
        print_lines([f"Not proven: look {what} up in Kartra, then {resolve}"])
    else:
        print_next(f"why, and what lifts it: kartra-sync explain {quoted(file)} KEY")
