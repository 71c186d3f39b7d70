"""The verb `parked`: what is not sent until somebody acts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from pipelines.cli.files import quoted, read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json
from pipelines.cli.screens import parked_operations_table, parked_table, print_table
from pipelines.verbs.parked import parked_of


@click.command(epilog="Example:  kartra-sync parked newsletter.yaml --show")
@click.argument("file", type=FILE)
@click.option("--show", is_flag=True, help="Show keys; without it they are masked.")
@common
def parked(file: Path, *, show: bool, as_json: bool) -> None:
    """What is not sent until somebody acts: unproven effects, refused leads, what is held back."""
    found = parked_of(read_file(file), show=show)
    if as_json:
        print_json(found)
        return
    for cause in found["held_back"]:
        why = f"{cause['type']}: {cause['reason']}"
        click.echo(f"held back since {cause['since'][:19]}: {cause['what']} ({why})")
    _print(found["operations"], parked_operations_table, "it", file)
    _print(found["leads"], parked_table, "the lead", file)
    if not any(found.values()):
        click.echo("nothing")


def _print(
    rows: Sequence[dict[str, Any]], table: Callable[[Sequence[dict[str, Any]]], Table], what: str, file: Path
) -> None:
    if not rows:
        return
    print_table(table(rows))
    if any(row["kind"] == "unproven" for row in rows):
        resolve = f"kartra-sync resolve {quoted(file)} KEY --landed or --not-landed"
        click.echo(f"Not proven: look {what} up in Kartra, then {resolve}")
